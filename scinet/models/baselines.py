"""Models that the paper compares with Sci-Net (section 5.2), from smp and timm; UNet is in `sci_net`.

All start from RegNetY-1.6GF except HRNet, which is its own backbone. Parameters and GMACs of each
are held to the paper's Table 1 by ``tests/scinet/models/test_build.py``.
"""

from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP
from torch import Tensor, nn

from scinet.models.sci_net import DECODER_CHANNELS, ENCODER, ENCODER_CHANNELS, UNet

# The four branches as they are, without the classifier's wider heads and the stem
HRNET_NAME = "hrnet_w32"
HRNET_ENCODER: dict[str, Any] = {"feature_location": "", "out_indices": (1, 2, 3, 4)}

SMP_ENCODER = f"tu-{ENCODER}"  # smp takes any timm encoder by this prefix


def imagenet_weights(timm_name: str) -> dict[str, Tensor]:
    """The state of one of timm's encoders, trained on ImageNet; it is downloaded from timm's hub."""
    arguments = HRNET_ENCODER if timm_name == HRNET_NAME else {}
    state: dict[str, Tensor] = timm.create_model(
        timm_name, pretrained=True, features_only=True, **arguments
    ).state_dict()
    return state


def unet_aspp() -> nn.Module:
    """UNet with ASPP instead of DenseASPP: section 4.2's rates and pooled branch, 256 channels."""
    aspp = ASPP(ENCODER_CHANNELS[-1], 256, atrous_rates=(8, 12, 18), separable=False, dropout=0.0)
    return UNet(aspp, 256)


def pspnet() -> nn.Module:
    """PSPNet."""
    network: nn.Module = smp.PSPNet(
        SMP_ENCODER, encoder_weights=None, encoder_depth=5, psp_out_channels=512, upsampling=32
    )
    return network


def deeplabv3plus() -> nn.Module:
    """DeepLabV3+."""
    network: nn.Module = smp.DeepLabV3Plus(SMP_ENCODER, encoder_weights=None, decoder_channels=256)
    return network


def manet() -> nn.Module:
    """MANet."""
    network: nn.Module = smp.MAnet(
        SMP_ENCODER, encoder_weights=None, decoder_channels=DECODER_CHANNELS, decoder_pab_channels=64
    )
    return network


def hrnet() -> nn.Module:
    """HRNet."""
    return HRNet()


class HRNet(nn.Module):
    """HRNetV2-W32: four branches joined at 1/4 of the size, mixed by 1x1 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        encoder = timm.create_model(HRNET_NAME, pretrained=False, features_only=True, **HRNET_ENCODER)
        info: Any = encoder.feature_info
        self.encoder = encoder
        channels = sum(info.channels())  # 32 + 64 + 128 + 256 = 480
        self.head = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 1, kernel_size=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W), normalised, to logits (N, 1, H, W)."""
        branches = self.encoder(image)  # (32, H/4, W/4), (64, H/8, W/8), (128, ...), (256, ...)
        size = branches[0].shape[-2:]
        joined = torch.cat(
            [F.interpolate(branch, size=size, mode="bilinear", align_corners=False) for branch in branches], dim=1
        )
        return F.interpolate(self.head(joined), size=image.shape[-2:], mode="bilinear", align_corners=False)
