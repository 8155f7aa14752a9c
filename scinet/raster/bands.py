"""From the bands of an open raster file to 8-bit RGB and a map of the valid pixels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scinet.errors import RasterError

STRETCH_PERCENTILES = (2.0, 98.0)
OPAQUE = 128
# Nodata of RGBA orthophotos after lossy compression: black that is no longer quite black.
NEARLY_BLACK = 10
_GREY_TOLERANCE = 32
_GREY_NOISE = 0.001
_SAMPLE_PX = 1_000_000
_SAMPLED_PX = 400_000_000
_PIECE_VALUES = 8_000_000

Colours = tuple[NDArray[np.uint8], NDArray[np.bool_]]


@dataclass(frozen=True)
class Rendering:
    """How the values of a file become colours, the same for all of its windows.

    Attributes:
        bands: The bands (from 1) that are shown: [grey] or [red, green, blue].
        alpha: The band of transparency.
        palette: RGBA uint8 (n, 4) for every value of the first band's dtype.
        stretch: The values that become 0 and 255.
        notes: What was chosen, in sentences for the reader.
    """

    bands: list[int]
    alpha: int | None
    palette: NDArray[np.uint8] | None
    stretch: tuple[float, float] | None
    notes: tuple[str, ...]


def choose_rendering(dataset: DatasetReader) -> Rendering:
    """How to show a dataset; reads at most two decimated samples of about a million pixels.

    8-bit values are left as they are, palettes are expanded; all other types are stretched linearly from
    their 2nd and 98th percentile, taken over the valid pixels of all three bands together so that colours
    keep their hue.

    Raises:
        RasterError: The values are complex numbers. Errors of rasterio pass through.
    """
    bands, alpha, notes = choose_bands(dataset)
    palette = _palette(dataset)
    stretch: tuple[float, float] | None = None
    if palette is None and any(dataset.dtypes[band - 1] != "uint8" for band in bands):
        stretch = _stretch_range(dataset, bands, alpha)
        notes = (*notes, _stretch_note(dataset.dtypes[bands[0] - 1], stretch))
    return Rendering(bands, alpha, palette, stretch, notes)


def read_colours(dataset: DatasetReader, rendering: Rendering, part: Window | None = None) -> Colours:
    """The pixels of a dataset, or of a part of it, as (RGB uint8 (H, W, 3), valid bool (H, W)).

    Pixels that are not valid are 0. Errors of rasterio pass through.
    """
    part = part or Window(0, 0, dataset.width, dataset.height)
    pixels = np.zeros((part.height, part.width, 3), np.uint8)
    valid = np.zeros((part.height, part.width), np.bool_)
    for window in _pieces(dataset, len(rendering.bands), part):
        top, left = window.row_off - part.row_off, window.col_off - part.col_off
        where = np.s_[top : top + window.height, left : left + window.width]
        pixels[where], valid[where] = _colours(dataset, rendering, {"window": window})
    return pixels, valid


def read_decimated_colours(dataset: DatasetReader, rendering: Rendering, shape: tuple[int, int]) -> Colours:
    """The whole dataset as `read_colours` gives it, averaged to (H, W) = `shape`, from overviews where it has them."""
    average = rendering.palette is None  # the mean of two indices is another colour
    resampling = Resampling.average if average else Resampling.nearest
    return _colours(dataset, rendering, {"out_shape": shape, "resampling": resampling})


def _colours(dataset: DatasetReader, rendering: Rendering, how: dict[str, Any]) -> Colours:
    # The alpha band in the same call: GDAL would fetch and decode the same blocks again for it. Not where GDAL
    # averages, as it weights by that band.
    also = [] if rendering.alpha is None or "out_shape" in how else [rendering.alpha]
    values = _read(dataset, [*rendering.bands, *also], how)
    ok = read_validity(dataset, rendering.bands, rendering.alpha, how, values[-1] if also else None)
    values = values[: len(rendering.bands)]
    if rendering.palette is not None:
        rgba = rendering.palette[values[0]]
        colours, ok = rgba[..., :3], ok & (rgba[..., 3] >= OPAQUE)
    elif rendering.stretch is None:
        colours = np.moveaxis(values, 0, -1)
        # Only with an alpha band: there, opaque black is what compression or a careless export left of
        # the collar. Without one, black may as well be a shadow or a tarred roof, and nothing says
        # that a collar exists, so such pixels stay valid unless the file names them nodata.
        if rendering.alpha is not None and len(rendering.bands) == 3:
            ok &= colours.max(axis=-1) > NEARLY_BLACK
    else:
        ok &= np.isfinite(values).all(axis=0)
        colours = np.moveaxis(_stretched(values, rendering.stretch), 0, -1)
    rgb = np.broadcast_to(colours, (*ok.shape, 3))  # grey has one band
    return np.where(ok[..., np.newaxis], rgb, np.uint8(0)).astype(np.uint8, copy=False), ok


def _read(dataset: DatasetReader, bands: list[int], how: dict[str, Any]) -> Any:
    """The bands (C, H, W), masked where `how` says so; its "out_shape" is (H, W)."""
    shape = how.get("out_shape")
    return dataset.read(bands, **{**how, "out_shape": (len(bands), *shape)} if shape else how)


def read_mask_values(dataset: DatasetReader) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The values of a mask image, in the file's dtype, and valid bool (H, W).

    Returns:
        (H, W) of values for one band, for grey and for a palette of class ids, whose colour of 0 is black;
        uint8 (H, W, 3) where the image is coloured.
    """
    bands, alpha, _ = choose_bands(dataset)
    values = dataset.read(bands)
    valid = read_validity(dataset, bands, alpha)
    palette = _palette(dataset)
    if palette is not None:
        used = palette[np.unique(values[0])]
        valid &= (palette[:, 3] >= OPAQUE)[values[0]]
        if _is_grey(used.T):
            return palette[..., :3].max(axis=-1)[values[0]], valid
        return (palette[..., :3][values[0]] if palette[0, :3].any() else values[0]), valid
    if len(bands) == 3 and values.dtype == np.uint8 and not _is_grey(values):
        return np.moveaxis(values, 0, -1), valid
    return values.max(axis=0), valid & np.isfinite(values).all(axis=0)


def _is_grey(colours: NDArray[np.uint8]) -> bool:
    """Whether red, green and blue (3, ...) are the same, but for lossy compression."""
    red, green, blue = colours[:3].astype(np.int16)
    return bool((np.maximum(abs(red - green), abs(green - blue)) > _GREY_TOLERANCE).mean() < _GREY_NOISE)


def choose_bands(dataset: DatasetReader) -> tuple[list[int], int | None, tuple[str, ...]]:
    """Which bands (from 1) to show: ([grey] or [red, green, blue], alpha or None, notes)."""
    meanings = list(dataset.colorinterp)
    if any(np.issubdtype(np.dtype(dtype), np.complexfloating) for dtype in dataset.dtypes):
        raise RasterError("The image holds complex numbers instead of colours. Convert it to 8-bit RGB.")
    alpha = meanings.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in meanings else None
    if alpha is None and dataset.count == 4 and _looks_like_alpha(dataset, 4):
        alpha = 4
        notes: tuple[str, ...] = (
            "The fourth band is not marked as transparency but looks like it, and is used as such.",
        )
    else:
        notes = ()
    colours = [band for band in range(1, dataset.count + 1) if band != alpha] or [1]
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(meaning in meanings for meaning in rgb):
        bands = [meanings.index(meaning) + 1 for meaning in rgb]
    elif len(colours) >= 3:
        bands = colours[:3]
    else:
        bands = colours[:1]
    if len(bands) < len(colours):
        roles = ("red", "green", "blue") if len(bands) == 3 else ("grey",)
        shown = ", ".join(f"{band} as {role}" for band, role in zip(bands, roles, strict=True))
        notes = (*notes, f"Of {len(colours)} bands, these are used: {shown}.")
    return bands, alpha if alpha not in bands else None, notes


def read_validity(
    dataset: DatasetReader,
    bands: list[int],
    alpha: int | None,
    how: Mapping[str, Any] = MappingProxyType({}),
    opacity: NDArray[Any] | None = None,
) -> NDArray[np.bool_]:
    """Which pixels hold a value: bool (H, W) from nodata values, mask and alpha band; `how` is for rasterio's read.

    `opacity` is what the alpha band holds, where it has been read already.

    A pixel with nodata in one of its bands only is valid: 0 is nodata in many files, and a colour without
    any blue is not a hole.
    """
    flags = [dataset.mask_flag_enums[band - 1] for band in bands]
    valid: NDArray[np.bool_] | None = None
    for band, flag in zip(bands, flags, strict=True):
        if MaskFlags.alpha in flag and alpha is not None:
            continue
        mask = dataset.read_masks(band, **how) >= OPAQUE
        valid = mask if valid is None else valid | mask
        if MaskFlags.per_dataset in flag:
            break
    if alpha is not None:
        opacity = dataset.read(alpha, **how) if opacity is None else opacity
        # Beyond 8 bits, full opacity is 1, 255, 32767 or 65535, depending on the program that wrote it.
        opaque = opacity >= (OPAQUE if opacity.dtype == np.uint8 else 1)
        valid = opaque if valid is None else valid & opaque
    assert valid is not None
    return valid


def _palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """The first band's colour table as RGBA uint8 (n, 4) for every value of its dtype, or None."""
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    table = np.zeros((np.iinfo(dataset.dtypes[0]).max + 1, 4), np.uint8)
    for index, rgba in dataset.colormap(1).items():
        table[index] = rgba
    return table


def _looks_like_alpha(dataset: DatasetReader, band: int) -> bool:
    """Whether nearly all values of an 8-bit band are (but for lossy compression) 0 or 255, and some 255."""
    if dataset.dtypes[band - 1] != "uint8" or dataset.dtypes[0] != "uint8":
        return False
    sample = dataset.read(band, **_sample(dataset))
    extreme = (sample < 16) | (sample >= 240)
    return bool(extreme.mean() > 0.99 and (sample >= 240).any())


def _sample(dataset: DatasetReader) -> dict[str, Any]:
    """What to give rasterio's read for about a million pixels of the whole image.

    Of its middle where that would decode a large file without overviews, which takes minutes.
    """
    height, width = dataset.height, dataset.width
    if height * width > _SAMPLED_PX and not dataset.overviews(1):
        side = min(height, width, round(_SAMPLE_PX**0.5))
        return {"window": Window((width - side) // 2, (height - side) // 2, side, side)}
    step = max(1.0, (height * width / _SAMPLE_PX) ** 0.5)
    return {"out_shape": (max(1, int(height / step)), max(1, int(width / step)))}


def _pieces(dataset: DatasetReader, bands: int, part: Window) -> Iterator[Window]:
    """Windows of whole blocks, so that every block is decoded once and memory stays bounded."""
    block_rows, block_columns = dataset.block_shapes[0]
    rows = max(1, _PIECE_VALUES // (part.width * bands * block_rows)) * block_rows
    columns = max(1, _PIECE_VALUES // (rows * bands * block_columns)) * block_columns
    for top, bottom in _cuts(part.row_off, part.row_off + part.height, block_rows, rows):
        for left, right in _cuts(part.col_off, part.col_off + part.width, block_columns, columns):
            yield Window(left, top, right - left, bottom - top)


def _cuts(start: int, stop: int, block: int, length: int) -> Iterator[tuple[int, int]]:
    """Stretches of `length`, a multiple of `block`, that begin at blocks but for the first one."""
    while start < stop:
        end = min(stop, (start // block) * block + length)
        yield start, end
        start = end


def _stretch_range(dataset: DatasetReader, bands: list[int], alpha: int | None) -> tuple[float, float]:
    """The values that become 0 and 255, from a decimated sample of about a million pixels."""
    how = _sample(dataset)
    sample = _read(dataset, bands, {**how, "masked": True})
    keep = ~np.ma.getmaskarray(sample) & np.isfinite(sample.data)
    if alpha is not None:
        keep &= dataset.read(alpha, **how) > 0
    values = sample.data[keep].astype(np.float64)
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, STRETCH_PERCENTILES)
    if low == high:  # nearly constant: a few values must not be lost
        low, high = values.min(), values.max()
    if low == high:  # constant: mid-grey
        low, high = low - 1.0, high + 1.0
    return float(low), float(high)


def _stretched(values: NDArray[Any], stretch: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = stretch
    fraction = (values.astype(np.float64) - low) / (high - low)
    return np.rint(255.0 * np.clip(np.nan_to_num(fraction), 0.0, 1.0)).astype(np.uint8)


def _stretch_note(dtype: str, stretch: tuple[float, float]) -> str:
    low, high = STRETCH_PERCENTILES
    return (
        f"{dtype} values were stretched to 8 bits from {stretch[0]:.4g}..{stretch[1]:.4g}, "
        f"their {low:g}th and {high:g}th percentiles."
    )
