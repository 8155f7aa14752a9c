"""The seven architectures of the paper: names and titles, in the paper's order."""

TITLES: dict[str, str] = {
    "sci-net": "Sci-Net",
    "unet": "UNet",
    "unet-aspp": "UNet+ASPP",
    "pspnet": "PSPNet",
    "deeplabv3plus": "DeepLabV3+",
    "manet": "MANet",
    "hrnet": "HRNet",
}
NAMES: tuple[str, ...] = tuple(TITLES)
