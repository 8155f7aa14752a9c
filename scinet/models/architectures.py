"""Architectures: the seven of the paper, in its order, and those that custom models may have."""

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
