"""InstanceNet: Sci-Net that is told the resolution and parts touching buildings; to be read next to `sci_net.py`.

The encoder and DenseASPP are Sci-Net's. The decoder has the same convolutions, and two things more:

- FiLM (Perez et al. 2018): after each of its batch norms, every channel is scaled and shifted by amounts that follow
  from the logarithm of the resolution. They begin at 1 and 0, so a fresh InstanceNet does not depend on the resolution.
- Three outputs instead of one: building, boundary and distance, from which `scinet.segmentation.instances` parts
  buildings that touch.

Shapes in the comments are those of a 512 x 512 px image, written (channels, height, width).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scinet.models.architectures import ARCHITECTURES
from scinet.models.regnet import RegNetY
from scinet.models.sci_net import DECODER_CHANNELS, ENCODER_CHANNELS, DenseASPP

SCALE_FEATURES = 32
MIDDLE_CM_PER_PX = 12.0  # of 2.5 to 60 cm/px, as a geometric mean
FARTHEST = math.log(8)  # from the middle that the logarithm goes: beyond, no chip ever taught anything


class ScaleFeatures(nn.Module):
    """What the decoder is told of the resolution: 32 functions of its logarithm, each flat and then straight."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, SCALE_FEATURES)

    def freeze(self) -> None:
        """From now on, give the same for all resolutions, in training too: for experiments."""
        nn.init.zeros_(self.linear.weight)
        self.linear.weight.requires_grad_(False)

    def forward(self, cm_per_px: Tensor) -> Tensor:
        """Resolutions (N,) in cm/px to features (N, 32)."""
        logarithm = torch.log(cm_per_px / MIDDLE_CM_PER_PX).clamp(-FARTHEST, FARTHEST)
        return F.relu(self.linear(logarithm[:, None]))


class ScaledConvolution(nn.Module):
    """A 3x3 convolution that keeps the size, batch norm, FiLM and ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.film = nn.Linear(SCALE_FEATURES, 2 * out_channels)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """Features (N, C, H, W) and scale features (N, 32) to (N, C', H, W)."""
        gain, shift = self.film(scale)[..., None, None].chunk(2, dim=1)
        return F.relu(self.norm(self.convolution(x)) * (1 + gain) + shift)


class ScaledDecoderBlock(nn.Module):
    """Sci-Net's decoder block with FiLM: bilinear upsampling, concatenation with the skip, two convolutions."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = ScaledConvolution(in_channels + skip_channels, out_channels)
        self.second = ScaledConvolution(out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor | None, size: tuple[int, int], scale: Tensor) -> Tensor:
        """Features (N, C, h, w), a skip (N, C', *size) and scale features (N, 32) to (N, C'', *size)."""
        if x.shape[-2:] != size:
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        decoded: Tensor = self.second(self.first(x, scale), scale)
        return decoded


class InstanceNet(nn.Module):
    """Sci-Net's encoder and context, a decoder that is told the resolution, and three outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = RegNetY()
        self.context = DenseASPP(ENCODER_CHANNELS[-1])
        self.scale = ScaleFeatures()
        inputs = (self.context.out_channels, *DECODER_CHANNELS[:-1])
        skips = (*ENCODER_CHANNELS[-2::-1], 0)
        self.decoder = nn.ModuleList(
            ScaledDecoderBlock(*channels) for channels in zip(inputs, skips, DECODER_CHANNELS, strict=True)
        )
        outputs = ARCHITECTURES["instance-net"].outputs
        self.head = nn.Conv2d(DECODER_CHANNELS[-1], len(outputs), kernel_size=3, padding=1)

    def forward(self, image: Tensor, cm_per_px: Tensor) -> Tensor:
        """Image (N, 3, H, W), normalised, and its resolution (N,) in cm/px to logits (N, 3, H, W)."""
        scale = self.scale(cm_per_px)
        stages = list(self.encoder(image))
        # (32, 256, 256), (48, 128, 128), (120, 64, 64), (336, 32, 32), (888, 32, 32)
        x = self.context(stages.pop())  # (1912, 32, 32)
        for block in self.decoder:
            skip = stages.pop() if stages else None
            size = image.shape[-2:] if skip is None else skip.shape[-2:]
            x = block(x, skip, tuple(size), scale)
        # (256, 32, 32) -> (128, 64, 64) -> (64, 128, 128) -> (32, 256, 256) -> (16, 512, 512)
        logits: Tensor = self.head(x)  # (3, 512, 512)
        return logits


def instance_net() -> InstanceNet:
    """InstanceNet."""
    return InstanceNet()
