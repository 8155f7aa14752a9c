"""Architectures: the paper's seven in its order, the project's own, and those that custom models may have."""

from dataclasses import dataclass
from typing import Literal

Output = Literal["building", "boundary", "distance"]


@dataclass(frozen=True)
class Architecture:
    """What an architecture is called, takes and gives.

    Attributes:
        title: Its name for people.
        outputs: The channels of its logits, in this order; `scinet.segmentation.instances` says what they mean.
        takes_cm_per_px: Whether it takes the resolution of an image next to the image.
    """

    title: str
    outputs: tuple[Output, ...] = ("building",)
    takes_cm_per_px: bool = False


ARCHITECTURES: dict[str, Architecture] = {
    "sci-net": Architecture("Sci-Net"),
    "unet": Architecture("UNet"),
    "unet-aspp": Architecture("UNet+ASPP"),
    "pspnet": Architecture("PSPNet"),
    "deeplabv3plus": Architecture("DeepLabV3+"),
    "manet": Architecture("MANet"),
    "hrnet": Architecture("HRNet"),
    "instance-net": Architecture("InstanceNet", ("building", "boundary", "distance"), takes_cm_per_px=True),
}
TITLES: dict[str, str] = {name: architecture.title for name, architecture in ARCHITECTURES.items()}
NAMES: tuple[str, ...] = tuple(ARCHITECTURES)

# The decoders of segmentation-models-pytorch, which custom models may have
DECODER_TITLES = {
    "unet": "UNet",
    "unetplusplus": "UNet++",
    "manet": "MANet",
    "linknet": "LinkNet",
    "fpn": "FPN",
    "pspnet": "PSPNet",
    "deeplabv3": "DeepLabV3",
    "deeplabv3plus": "DeepLabV3+",
    "pan": "PAN",
    "upernet": "UPerNet",
    "segformer": "SegFormer",
    "dpt": "DPT",
}


def outputs_of(architecture: str) -> tuple[Output, ...]:
    """The outputs of an architecture; of one that a user brings, building alone."""
    return ARCHITECTURES[architecture].outputs if architecture in ARCHITECTURES else ("building",)
