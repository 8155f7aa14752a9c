"""The paper's Tables 1 and 2 as printed, and where they cannot be right."""

from typing import NamedTuple


class Printed(NamedTuple):
    """A row of Table 1 or 2: scores in per cent on 10 % of the tiles of Open Cities AI tier 1."""

    micro_iou: float
    micro_f1: float
    macro_iou: float
    macro_f1: float
    parameters_million: float
    gmacs_512_px: float  # the paper's column "GFLOPs"


TABLE_1: dict[str, Printed] = {
    "pspnet": Printed(78.47, 87.93, 85.04, 89.55, 12.0, 8.7),
    "deeplabv3plus": Printed(79.83, 88.78, 86.28, 90.50, 12.0, 13.5),
    "manet": Printed(80.08, 88.93, 86.20, 90.38, 35.5, 25.0),
    "hrnet": Printed(80.30, 89.07, 82.85, 90.46, 29.5, 45.0),
    "sci-net": Printed(82.25, 91.04, 88.42, 92.62, 24.2, 33.1),
}
TABLE_2: dict[str, Printed] = {
    "unet": Printed(80.18, 89.00, 86.01, 90.16, 14.5, 23.2),
    "unet-aspp": Printed(80.47, 89.18, 86.65, 90.79, 21.0, 28.5),
    "sci-net": Printed(82.25, 91.04, 88.42, 92.62, 24.1, 33.1),
}
# Remarks on printed figures, by model and column
SLIPS: dict[tuple[str, str], str] = {
    ("sci-net", "micro_f1"): "Inconsistent with the micro-IoU of 82.25: F1 = 2 IoU / (1 + IoU) gives 90.26.",
    ("hrnet", "macro_iou"): "An outlier: 82.85 is 2 to 4 points below models whose other scores are the same.",
    ("sci-net", "parameters_million"): "24.2 in Table 1, 24.1 in Table 2; the network has 24.18 million.",
    ("unet-aspp", "parameters_million"): "An ASPP of 256 channels with a pooled branch has 19.96 million.",
}
GENERAL_SLIPS = (
    "Equation 3 as printed compounds the decay of the learning rate; the usual form, "
    "0.0001 (1 - epoch / epochs)^0.9, is used here.",
    "The column GFLOPs counts multiply-adds (GMACs) at 512 px.",
    '"Over-segmentation" has two senses in the paper: holes in buildings, and background taken for buildings. '
    "Here they are holes and false area.",
    "The native resolution depends on the city, so Figure 5 mixes scale with place: the same tiles, resampled, are "
    "shown separately.",
)
