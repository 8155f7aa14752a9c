"""Pictures of masks and of their errors: colours, encoded images, outlines. Plain Python, no Streamlit.

One palette serves the map, the cards and the charts. It is that of Okabe & Ito (2008, "Color Universal
Design"), whose hues remain distinct under the common colour-vision deficiencies.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image
from plotly.colors import sample_colorscale, sequential
from rasterio.crs import CRS
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from scinet.evaluation.diagnose import Diagnosis
from scinet.raster.raster import Raster
from scinet.raster.web_mercator import near_map, to_web_mercator
from scinet.vector.footprints import reproject

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
# Perceptually uniform, ordered for every kind of colour vision, and of hues that aerial images lack
PROBABILITY_COLOURS = tuple(sequential.Plasma)
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
}

CUSTOM_COLOUR = "#808080"  # of models that users add: no hue, so distinct from all of the above
PROBABILITY_LEVELS = 32  # steps too fine for the eye, and a third of the file size of 256
FAINT = 0.3  # lower probabilities fade out, so that the image shows through

KINDS = tuple(KIND_COLOURS)  # a pixel's class in `error_classes` is 1 + the index here

Pixel = TypeVar("Pixel", bound=np.generic)
Bounds = list[list[float]]  # [[south, west], [north, east]] in degrees, or in metres if there is no CRS


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


def mime_type(file: bytes) -> str:
    """The MIME type of an image file's content, such as "image/jpeg"."""
    return Image.MIME[Image.open(BytesIO(file)).format or ""]


def encode_classes(classes: NDArray[np.uint8], colours: Sequence[str], opacity: float = 0.5) -> bytes:
    """A palette PNG of a class image uint8 (H, W): 0 transparent, class i in colours[i - 1] ("#rrggbb")."""
    palette = [(0, 0, 0), *(tuple(bytes.fromhex(colour[1:])) for colour in colours)]
    return _palette_png(classes, palette, [0.0] + [opacity] * len(colours))


def encode_probability(levels: NDArray[np.uint8], opacity: float = 0.7) -> bytes:
    """A palette PNG of `probability_levels` (H, W) in `PROBABILITY_COLOURS`, fading out below `FAINT`."""
    probabilities = np.linspace(0, 1, PROBABILITY_LEVELS)
    colours = sample_colorscale(list(PROBABILITY_COLOURS), probabilities, colortype="tuple")
    palette = [tuple(round(255 * channel) for channel in colour) for colour in colours]
    return _palette_png(levels, palette, opacity * np.minimum(1, probabilities / FAINT))


def _palette_png(indices: NDArray[np.uint8], palette: Sequence[tuple[int, ...]], opacities: Iterable[float]) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette([channel for colour in palette for channel in colour])
    buffer = BytesIO()
    image.save(buffer, "PNG", transparency=bytes(round(255 * o) for o in opacities), compress_level=3)
    return buffer.getvalue()


def probability_levels(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Probabilities (H, W) in [0, 1] as the nearest of `PROBABILITY_LEVELS` even steps, uint8 (H, W)."""
    return np.rint(probability * (PROBABILITY_LEVELS - 1)).astype(np.uint8)


def mask_picture(mask: NDArray[np.bool_], min_px: int = 640) -> bytes:
    """A mask bool (H, W) as a black and white PNG, enlarged so that its pixels stay square."""
    large = _repeat(mask, _factor(mask.shape, min_px))
    buffer = BytesIO()
    Image.fromarray(large).convert("1").save(buffer, "PNG")
    return buffer.getvalue()


def image_picture(raster: Raster, min_px: int = 640, max_px: int = 1024) -> bytes:
    """The raster as a JPEG: coarse pixels stay square, fine images are reduced to `max_px`."""
    image = Image.fromarray(_repeat(raster.pixels, _factor(raster.shape, min_px)))
    image.thumbnail((max_px, max_px))
    return encode_image(np.asarray(image), quality=75)


def overlay_picture(
    raster: Raster, classes: NDArray[np.uint8], colours: Sequence[str], opacity: float = 0.5, side_px: int = 720
) -> bytes:
    """The raster under a class image (0 unchanged, class i in colours[i - 1]) as a JPEG of about side_px."""
    table = np.array([[0, 0, 0], *(list(bytes.fromhex(colour[1:])) for colour in colours)], np.uint8)
    share = np.where(classes > 0, np.float32(opacity), np.float32(0))[..., None]
    mixed = raster.pixels * (1 - share) + table[classes] * share
    large = Image.fromarray(_repeat(mixed.round().astype(np.uint8), _factor(raster.shape, side_px)))
    large.thumbnail((side_px, side_px))
    return encode_image(np.asarray(large), quality=75)


def image_for_map(raster: Raster, max_px: int = 4096) -> tuple[bytes, Bounds]:
    """The raster as a JPEG, or as a WebP with transparent nodata, and its bounds on the map."""
    rgba = np.dstack([raster.pixels, np.where(raster.valid, np.uint8(255), np.uint8(0))])
    placed, bounds = _place(rgba, raster, max_px=max_px, nearest=False)
    return encode_image(placed), bounds


def classes_for_map(
    classes: NDArray[np.uint8], raster: Raster, colours: Sequence[str], opacity: float = 0.5, max_px: int = 4096
) -> tuple[bytes, Bounds]:
    """A class image on the raster's grid as a palette PNG, and its bounds on the map."""
    placed, bounds = _place(classes, raster, max_px=max_px, nearest=True)
    return encode_classes(placed, colours, opacity), bounds


def probability_for_map(probability: NDArray[np.float32], raster: Raster, max_px: int = 4096) -> tuple[bytes, Bounds]:
    """A probability in [0, 1] on the raster's grid as a palette PNG, and its bounds on the map."""
    placed, bounds = _place(probability_levels(probability), raster, max_px=max_px, nearest=True)
    return encode_probability(placed), bounds


def outlines(
    geometries: Iterable[BaseGeometry],
    crs: CRS | None,
    properties: Iterable[dict[str, Any]],
    near: Raster | None = None,
) -> list[dict[str, Any]]:
    """GeoJSON features in degrees as on the map of the image `near`, or in metres of a local plane if `crs` is None."""
    shapes = np.array(list(geometries), dtype=object)
    if crs is not None:
        shapes = reproject(shapes, crs, CRS.from_epsg(4326))
    if crs is not None and near is not None and near.crs is not None:
        shapes = shapely.transform(shapes, lambda xy: np.column_stack([near_map(xy[:, 0], near), xy[:, 1]]))
    # A centimetre on the ground is fine enough for drawing, and halves the file.
    shapes = shapely.transform(shapes, lambda xy: np.round(xy, 7 if crs is not None else 2))
    return [
        {"type": "Feature", "geometry": json.loads(text), "properties": each}
        for text, each in zip(shapely.to_geojson(shapes), properties, strict=True)
    ]


def _place(array: NDArray[np.uint8], raster: Raster, *, max_px: int, nearest: bool) -> tuple[NDArray[np.uint8], Bounds]:
    """An array on the raster's grid, north up for the map, with its bounds there."""
    if raster.crs is None:
        step = max(1, -(-max(raster.shape) // max_px))
        left, top = raster.transform @ (0, 0)
        right, bottom = raster.transform @ (raster.width, raster.height)
        drawn = array[::step, ::step] if nearest or step == 1 else np.asarray(Image.fromarray(array).reduce(step))
        return np.ascontiguousarray(drawn), [[bottom, left], [top, right]]
    # The warp samples pixel centres: coarse pixels are divided first, so that they stay square.
    factor = _factor(raster.shape, 800)
    fine = dataclasses.replace(
        raster,
        pixels=_repeat(raster.pixels, factor),
        valid=_repeat(raster.valid, factor),
        transform=raster.transform @ Affine.scale(1 / factor),
    )
    return to_web_mercator(_repeat(array, factor), fine, max_px=max_px, nearest=nearest)


def _factor(shape: tuple[int, ...], min_px: int) -> int:
    """How often to repeat pixels so that the longer side has about min_px of them."""
    return max(1, min_px // max(shape[:2]))


def _repeat(array: NDArray[Pixel], factor: int) -> NDArray[Pixel]:
    return array if factor == 1 else array.repeat(factor, axis=0).repeat(factor, axis=1)
