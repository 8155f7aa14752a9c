"""Pictures for the pages: on the map, in cards and strips; with the colours that all results share."""

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

from scinet.raster.raster import Raster
from scinet.raster.web_mercator import near_map, to_web_mercator
from scinet.share.pictures import (
    BLUE,
    CUSTOM_COLOUR,
    GREEN,
    KIND_COLOURS,
    KINDS,
    MASK_COLOUR,
    MODEL_COLOURS,
    ORANGE,
    PIXEL_COLOURS,
    PURPLE,
    SHARE_COLOURS,
    TRUTH_COLOUR,
    VERMILION,
    encode_classes,
    encode_image,
    error_classes,
    model_colour,
    overlay_classes,
    palette_png,
    pixel_classes,
)
from scinet.vector.footprints import reproject

__all__ = [  # what pages take from scinet.share.pictures by way of this module
    "BLUE",
    "CUSTOM_COLOUR",
    "GREEN",
    "KINDS",
    "KIND_COLOURS",
    "MASK_COLOUR",
    "MODEL_COLOURS",
    "ORANGE",
    "PIXEL_COLOURS",
    "PURPLE",
    "SHARE_COLOURS",
    "TRUTH_COLOUR",
    "VERMILION",
    "encode_classes",
    "encode_image",
    "error_classes",
    "model_colour",
    "overlay_classes",
    "palette_png",
    "pixel_classes",
]

# Perceptually uniform, ordered for every kind of colour vision, and of hues that aerial images lack
PROBABILITY_COLOURS = tuple(sequential.Plasma)
PROBABILITY_LEVELS = 32  # steps too fine for the eye, and a third of the file size of 256
FAINT = 0.3  # lower probabilities fade out, so that the image shows through

Pixel = TypeVar("Pixel", bound=np.generic)
Bounds = list[list[float]]  # [[south, west], [north, east]] in degrees, or in metres if there is no CRS


def mime_type(file: bytes) -> str:
    """The MIME type of an image file's content, such as "image/jpeg"."""
    return Image.MIME[Image.open(BytesIO(file)).format or ""]


def encode_probability(levels: NDArray[np.uint8], opacity: float = 0.7) -> bytes:
    """A palette PNG of `probability_levels` (H, W) in `PROBABILITY_COLOURS`, fading out below `FAINT`."""
    probabilities = np.linspace(0, 1, PROBABILITY_LEVELS)
    colours = sample_colorscale(list(PROBABILITY_COLOURS), probabilities, colortype="tuple")
    palette = [tuple(round(255 * channel) for channel in colour) for colour in colours]
    return palette_png(levels, palette, opacity * np.minimum(1, probabilities / FAINT))


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
