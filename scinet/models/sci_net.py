"""Sci-Net: UNet + RegNetY-1.6GF + DenseASPP, to be read next to section 4.4 of the paper.

Shapes in the comments are those of a 512 x 512 px image, written (channels, height, width).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scinet.models.regnet import RegNetY

ENCODER = "regnety_016"  # RegNetY-1.6GF, change (a)
ENCODER_CHANNELS = (32, 48, 120, 336, 888)
DECODER_CHANNELS = (256, 128, 64, 32, 16)  # section 5.2


def conv_bn_relu(in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class DenseASPP(nn.Module):
    """Dilated convolutions in cascade (section 4.3): each sees the input and all outputs before it.

    Every block is a 1x1 convolution to 512 channels and a dilated 3x3 to 256. The result is the input
    concatenated with the four outputs, 888 + 4 * 256 = 1912 channels: 16 sizes of receptive field up to 79 px of
    the feature map (equation 2), which at output stride 16 is 1264 px of the image.
    """

    def __init__(
        self, in_channels: int, rates: Sequence[int] = (3, 6, 12, 18), growth: int = 256, bottleneck: int = 512
    ):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                conv_bn_relu(in_channels + index * growth, bottleneck, kernel_size=1),
                conv_bn_relu(bottleneck, growth, kernel_size=3, dilation=rate),
            )
            for index, rate in enumerate(rates)
        )
        self.out_channels = in_channels + len(rates) * growth

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, 888, 32, 32) to (N, 1912, 32, 32)."""
        for block in self.blocks:
            x = torch.cat([x, block(x)], dim=1)
        return x


class DecoderBlock(nn.Module):
    """Bilinear upsampling to the skip's size, concatenation with the skip, two 3x3 convolutions."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            conv_bn_relu(in_channels + skip_channels, out_channels, kernel_size=3),
            conv_bn_relu(out_channels, out_channels, kernel_size=3),
        )

    def forward(self, x: Tensor, skip: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Features (N, C, h, w) and a skip (N, C', *size) to (N, C'', *size)."""
        if x.shape[-2:] != size:  # stages 4 and 5 have one size: no upsampling there, change (d)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        decoded: Tensor = self.convolutions(x)
        return decoded


class UNet(nn.Module):
    """Encoder with output stride 16, a context module on its last features, UNet decoder, head.

    The context module distinguishes UNet (none), UNet+ASPP and Sci-Net (DenseASPP): Table 2.
    """

    def __init__(self, context: nn.Module, context_channels: int):
        super().__init__()
        self.encoder = RegNetY()  # its last stage dilated by 2 instead of strided: change (c)
        self.context = context
        inputs = (context_channels, *DECODER_CHANNELS[:-1])
        skips = (*ENCODER_CHANNELS[-2::-1], 0)
        self.decoder = nn.ModuleList(
            DecoderBlock(*channels) for channels in zip(inputs, skips, DECODER_CHANNELS, strict=True)
        )
        self.head = nn.Conv2d(DECODER_CHANNELS[-1], 1, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W), normalised, to logits (N, 1, H, W)."""
        stages = list(self.encoder(image))
        # (32, 256, 256), (48, 128, 128), (120, 64, 64), (336, 32, 32), (888, 32, 32)
        x = self.context(stages.pop())  # Sci-Net: (1912, 32, 32)
        for block in self.decoder:
            skip = stages.pop() if stages else None  # popped, so that its memory is free once it is used
            size = image.shape[-2:] if skip is None else skip.shape[-2:]
            x = block(x, skip, tuple(size))
        # (256, 32, 32) -> (128, 64, 64) -> (64, 128, 128) -> (32, 256, 256) -> (16, 512, 512)
        logits: Tensor = self.head(x)  # (1, 512, 512)
        return logits


def sci_net() -> UNet:
    """Sci-Net: a UNet whose context module is DenseASPP."""
    context = DenseASPP(ENCODER_CHANNELS[-1])
    return UNet(context, context.out_channels)


def unet() -> UNet:
    """UNet with changes (c) and (d) of section 4.4: 23.34 GMACs; with output stride 32 it would be 20.94."""
    return UNet(nn.Identity(), ENCODER_CHANNELS[-1])
