"""Which bands of an image are red, green and blue, or grey, and which one is transparency."""

import re
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from scinet.errors import RasterError
from scinet.raster.sample import read_sample

_RGB = ("red", "green", "blue")
# What satellites and cameras call their bands; Sentinel-2 and Landsat 8 agree on these numbers.
_NAMES = {
    "red": ("red", "r", "b04", "b4", "rot", "rouge"),
    "green": ("green", "g", "b03", "b3"),
    "blue": ("blue", "b", "b02", "b2"),
    "pan": ("pan", "panchromatic", "grey", "gray"),
}
_OTHER_WORDS = {"edge", "rededge", "infra", "near", "nir", "swir", "coastal", "deep", "mask", "alpha"}
# Bands of files that say nothing, by their number: WorldView-2 and 3; Sentinel-2.
_USUAL_ORDERS = {8: (5, 3, 2), 12: (4, 3, 2), 13: (4, 3, 2)}
_SMALL_PX = 1_000_000
_FEW_VALUES = 16
_OPAQUE_SHARE = 0.95  # of a band of transparency, at least, is fully clear or fully opaque

Roles = tuple[list[int], int | None, tuple[str, ...]]


def choose_bands(dataset: DatasetReader, chosen: Sequence[int] = ()) -> Roles:
    """Which bands (from 1) to show.

    By the reader's choice, else by the names of the bands, their marks in the file, and the usual orders.

    Args:
        dataset: The open file.
        chosen: The reader's choice: three bands, or one for grey; empty where there is none.

    Returns:
        [grey] or [red, green, blue]; the band of transparency or None; notes on what was chosen.

    Raises:
        RasterError: The values are complex numbers, or a chosen band does not exist.
    """
    if any(np.issubdtype(np.dtype(dtype), np.complexfloating) for dtype in dataset.dtypes):
        raise RasterError("The image holds complex numbers instead of colours. Convert it to 8-bit RGB.")
    alpha, notes = _transparency(dataset)
    if chosen:
        if not all(1 <= band <= dataset.count for band in chosen):
            shown = " ".join(map(str, chosen))
            raise RasterError(f"The image has {dataset.count} bands, so bands {shown} cannot be shown. Choose others.")
        return list(chosen), alpha if alpha not in chosen else None, notes
    colours = [band for band in range(1, dataset.count + 1) if band != alpha] or [1]
    bands, by_name = _likeliest(dataset, colours)
    if len(bands) < len(colours) or bands != sorted(bands) or by_name:
        notes = (*notes, _said(bands, len(colours), by_name))
    return bands, alpha if alpha not in bands else None, notes


def _likeliest(dataset: DatasetReader, colours: list[int]) -> tuple[list[int], bool]:
    """The bands to show, and whether their names tell so against the marks in the file or their absence."""
    marked = _by_mark(dataset)
    named = _by_name(dataset.descriptions, colours)
    if named and named != marked:
        return named, named != colours[: len(named)]
    if marked:
        return marked, False
    if len(colours) in _USUAL_ORDERS:
        return [colours[band - 1] for band in _USUAL_ORDERS[len(colours)]], False
    return (colours[:3] if len(colours) >= 3 else colours[:1]), False


def _by_mark(dataset: DatasetReader) -> list[int]:
    meanings = list(dataset.colorinterp)
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(meaning in meanings for meaning in rgb):
        return [meanings.index(meaning) + 1 for meaning in rgb]
    return [meanings.index(ColorInterp.pan) + 1] if ColorInterp.pan in meanings else []


def _by_name(descriptions: Sequence[str | None], colours: list[int]) -> list[int]:
    """Bands whose names say what they are: "Red", "B04", "band 3 (green)"."""
    words = {band: re.findall(r"[a-z]+\d*|\d+", (descriptions[band - 1] or "").lower()) for band in colours}

    def band_of(role: str) -> int | None:
        fitting = [
            band for band in colours if set(words[band]) & set(_NAMES[role]) and not set(words[band]) & _OTHER_WORDS
        ]
        return min(fitting, key=lambda band: len(words[band]), default=None)  # "green" before "green i"

    rgb = [band_of(role) for role in _RGB]
    found = [band for band in rgb if band is not None]
    if len(found) == 3 and len(set(found)) == 3:
        return found
    pan = band_of("pan")
    return [] if pan is None else [pan]


def _said(bands: list[int], total: int, by_name: bool) -> str:
    roles = _RGB if len(bands) == 3 else ("grey",)
    shown = ", ".join(f"{band} as {role}" for band, role in zip(bands, roles, strict=True))
    why = ", by their names" if by_name else ""
    return f"Of {total} bands, these are used{why}: {shown}. Choose others with --bands RED GREEN BLUE."


def _transparency(dataset: DatasetReader) -> tuple[int | None, tuple[str, ...]]:
    """The band of transparency or None, and a note where the file does not mark it so."""
    meanings = list(dataset.colorinterp)
    if ColorInterp.alpha in meanings:
        alpha = meanings.index(ColorInterp.alpha) + 1
        if _hides_something(dataset, alpha):
            return alpha, ()
        return None, (
            f"Band {alpha} is marked as transparency but holds other values, so it is taken as data and hides nothing.",
        )
    if dataset.count == 4 and dataset.dtypes[0] == dataset.dtypes[3] == "uint8":
        sample = read_sample(dataset, 4)
        extreme = (sample < 16) | (sample >= 240)
        if extreme.mean() > 0.99 and (sample >= 240).any():
            return 4, ("The fourth band is not marked as transparency but looks like it, and is used as such.",)
    return None, ()


def _hides_something(dataset: DatasetReader, alpha: int) -> bool:
    """Whether the band marked as transparency holds it.

    It does if nearly all values are 0 or the largest that occurs, but for lossy compression, or if there are few.
    """
    if dataset.driver in ("PNG", "WEBP") and dataset.width * dataset.height > _SMALL_PX:
        return True  # no part can be read without the rest: the image would be decoded twice
    try:
        sample = read_sample(dataset, alpha)
    except (RasterioError, CPLE_BaseError):
        if dataset.driver != "GTiff":
            raise  # GDAL says so once: reading a damaged WebP again gives grey
        with suppress(RasterioError, CPLE_BaseError):
            _ = dataset.colorinterp  # rasterio raises GDAL's last error once more
        return True  # reading the image will say what is damaged
    clear, opaque = (sample < 16, sample >= 240) if sample.dtype == np.uint8 else (sample == 0, sample == sample.max())
    return bool((clear | opaque).mean() > _OPAQUE_SHARE or len(np.unique(sample)) <= _FEW_VALUES)
