"""Pictures of masks and of their errors: colours, and encoded images.

One palette serves maps, tables, charts, reports and QGIS. It is that of Okabe & Ito (2008, "Color Universal Design"),
whose hues remain distinct under the common colour-vision deficiencies.
"""

from collections.abc import Iterable, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scinet.evaluation.diagnose import Diagnosis

GREEN, YELLOW, PURPLE, BLUE, VERMILION, ORANGE = "#009E73", "#F0E442", "#CC79A7", "#56B4E9", "#D55E00", "#E69F00"

KIND_COLOURS = {"found": GREEN, "missed": YELLOW, "merged": PURPLE, "fragmented": BLUE, "false": VERMILION}
PIXEL_COLOURS = {"right": GREEN, "missed": YELLOW, "invented": VERMILION}
SHARE_COLOURS = {
    "omission": YELLOW,
    "fragmentation": BLUE,
    "merging": PURPLE,
    "false_area": VERMILION,
    "holes": ORANGE,
}
MASK_COLOUR = BLUE
TRUTH_COLOUR = "#FFFFFF"
# Of medium lightness, with a contrast of at least 3:1 on both the light and the dark page. The colours are
# therefore closer to one another, and charts give each model a marker too.
MODEL_COLOURS = {
    "sci-net": "#D55E00",
    "unet": "#2E86C8",
    "unet-aspp": "#009E73",
    "pspnet": "#907890",
    "deeplabv3plus": "#606090",
    "manet": "#A84830",
    "hrnet": "#007860",
    "instance-net": "#7040E0",
}

CUSTOM_COLOUR = "#808080"  # of models that users add: no hue, so distinct from all of the above

KINDS = tuple(KIND_COLOURS)  # a pixel's class in `error_classes` is 1 + the index here


def model_colour(architecture: str) -> str:
    """The colour of a model's marks in maps, tables and charts, "#rrggbb"."""
    return MODEL_COLOURS.get(architecture, CUSTOM_COLOUR)


def error_classes(diagnosis: Diagnosis, prediction: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The kind of every pixel: 0 for background that was not predicted, else 1 + index in `KINDS`; uint8 (H, W).

    A predicted pixel inside a reference building has the building's kind, other pixels of the building are missed,
    and a predicted pixel outside all buildings is false area, where there is a reference to tell.
    """
    kind_of = np.zeros(len(diagnosis.buildings.kind) + 1, dtype=np.uint8)
    for number, kind in enumerate(KINDS, start=1):
        kind_of[1:][diagnosis.buildings.kind == kind] = number
    inside = diagnosis.truth_labels > 0
    classes = np.where(prediction, kind_of[diagnosis.truth_labels], np.uint8(0))
    classes[inside & ~prediction] = KINDS.index("missed") + 1
    classes[(diagnosis.predicted_labels > 0) & ~inside] = KINDS.index("false") + 1
    return classes


def pixel_classes(diagnosis: Diagnosis, prediction: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What each pixel is: 0 for background that was not predicted, else 1 + index in `PIXEL_COLOURS`; uint8 (H, W)."""
    inside = diagnosis.truth_labels > 0
    classes = np.zeros(prediction.shape, np.uint8)
    for number, pixels in enumerate((inside & prediction, inside & ~prediction, prediction & ~inside), start=1):
        classes[pixels] = number
    return classes


def overlay_classes(
    diagnosis: Diagnosis | None, prediction: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], Sequence[str]]:
    """A mask as a class image uint8 (H, W) with its colours: errors by kind, or plain if there is no diagnosis."""
    if diagnosis is None:
        return prediction.astype(np.uint8), [MASK_COLOUR]
    return error_classes(diagnosis, prediction), list(KIND_COLOURS.values())


def encode_image(pixels: NDArray[np.uint8], quality: int = 80) -> bytes:
    """A uint8 image as the bytes of a file: (H, W, 3) as JPEG, (H, W, 4) as WebP unless it is opaque.

    WebP files are a fifth smaller but take ten times as long to encode.
    """
    buffer = BytesIO()
    if pixels.shape[2] == 4 and (pixels[..., 3] < 255).any():
        Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=2)
    else:
        Image.fromarray(pixels[..., :3]).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_classes(classes: NDArray[np.uint8], colours: Sequence[str], opacity: float = 0.5) -> bytes:
    """A palette PNG of a class image uint8 (H, W): 0 transparent, class i in colours[i - 1] ("#rrggbb")."""
    palette = [(0, 0, 0), *(tuple(bytes.fromhex(colour[1:])) for colour in colours)]
    return palette_png(classes, palette, [0.0] + [opacity] * len(colours))


def palette_png(indices: NDArray[np.uint8], palette: Sequence[tuple[int, ...]], opacities: Iterable[float]) -> bytes:
    """A palette PNG of indices uint8 (H, W) into RGB colours, each with its opacity in [0, 1]."""
    image = Image.fromarray(indices)
    image.putpalette([channel for colour in palette for channel in colour])
    buffer = BytesIO()
    image.save(buffer, "PNG", transparency=bytes(round(255 * o) for o in opacities), compress_level=3)
    return buffer.getvalue()
