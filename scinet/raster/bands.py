"""From the bands of an open raster file to 8-bit RGB and a map of the valid pixels."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scinet.raster.choice import ImageChoice
from scinet.raster.collar import find_collar
from scinet.raster.mask_bands import read_bands
from scinet.raster.nodata import unmarked_nodata
from scinet.raster.roles import choose_bands
from scinet.raster.sample import is_whole, sample_place
from scinet.raster.stretch import stretch_note, stretch_range, stretched

OPAQUE = 128
# Nodata of RGBA orthophotos after lossy compression: black that is no longer quite black.
NEARLY_BLACK = 10
_COMPARED_PX = 4_000_000  # at a time
_GREY_TOLERANCE = 32
_GREY_NOISE = 0.001
_PIECE_VALUES = 8_000_000

Colours = tuple[NDArray[np.uint8], NDArray[np.bool_]]


@dataclass(frozen=True)
class Rendering:
    """How the values of a file become colours, the same for all of its windows.

    Attributes:
        bands: The bands (from 1) that are shown: [grey] or [red, green, blue].
        alpha: The band of transparency.
        palette: RGBA uint8 (n, 4) for every value of the first band's dtype.
        stretch: The values that become 0 and 255; the first is the larger where the file stores a negative.
        nodata: Values of pixels that hold nothing, besides what the file says.
        nodata_within: How far a pixel's values may be from one of `nodata`.
        own_nodata: Whether what the file says of nodata counts.
        notes: What was chosen, in sentences for the reader.
    """

    bands: list[int]
    alpha: int | None
    palette: NDArray[np.uint8] | None
    stretch: tuple[float, float] | None
    nodata: tuple[float, ...]
    nodata_within: float
    own_nodata: bool
    notes: tuple[str, ...]


def choose_rendering(dataset: DatasetReader, choice: ImageChoice) -> Rendering:
    """How to show a dataset; reads at most a few decimated samples of about a million pixels.

    8-bit values are left as they are, palettes are expanded; all other types are stretched linearly from
    their 2nd and 98th percentile, taken over the valid pixels of all three bands together so that colours
    keep their hue. Beyond 8 bits, nodata that the file does not mark is told by its value.

    Args:
        dataset: The open file.
        choice: What the reader says about it.

    Raises:
        RasterError: The values are complex numbers, or a chosen band does not exist. Errors of rasterio pass through.
    """
    bands, alpha, notes = choose_bands(dataset, choice.bands)
    palette = _palette(dataset) if bands == [1] else None
    is_negative = palette is None and len(bands) == 1 and _is_min_is_white(dataset)
    own_nodata = choice.nodata is None
    nodata: tuple[float, ...] = () if choice.nodata is None or math.isnan(choice.nodata) else (choice.nodata,)
    nodata_within = 0.0
    stretch = choice.stretch
    if palette is None and any(dataset.dtypes[band - 1] != "uint8" for band in bands):
        sample, held = _read_held(dataset, bands, alpha, own_nodata)
        if own_nodata:
            nodata = tuple(unmarked_nodata(sample, np.asarray(held.any(axis=0)), is_whole(dataset)))
        if stretch is None:
            stretch = stretch_range(sample[held & ~np.isin(sample, _in_dtype(nodata, sample.dtype))])
            notes = (*notes, stretch_note(dataset.dtypes[bands[0] - 1], stretch))
    else:
        if own_nodata and palette is None and alpha is None:
            value, nodata_within = find_collar(dataset, bands)
            nodata = () if value is None else (value,)
        if is_negative and stretch is None:
            stretch = (0.0, 255.0)
    if own_nodata:
        notes = (*map(_nodata_note, nodata), *notes)
    if is_negative and stretch is not None:
        stretch = stretch[1], stretch[0]
    return Rendering(bands, alpha, palette, stretch, nodata, nodata_within, own_nodata, notes)


def stretch_sample(dataset: DatasetReader, choice: ImageChoice) -> NDArray[Any] | None:
    """Valid values (n,) that tell the stretch of a file; None where it is shown as it is."""
    bands, alpha, _ = choose_bands(dataset, choice.bands)
    if (bands == [1] and _palette(dataset) is not None) or all(dataset.dtypes[band - 1] == "uint8" for band in bands):
        return None
    rendering = choose_rendering(dataset, choice)
    sample, held = _read_held(dataset, bands, alpha, rendering.own_nodata)
    valid: NDArray[Any] = sample[held & ~np.isin(sample, _in_dtype(rendering.nodata, sample.dtype))]
    return valid


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
    opacity = values[-1] if also else None
    ok = read_validity(dataset, rendering.bands, rendering.alpha, how, opacity, rendering.own_nodata)
    values = values[: len(rendering.bands)]
    for value in _in_dtype(rendering.nodata, values.dtype):
        ok &= _differs(values, value, rendering.nodata_within)
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
        colours = np.moveaxis(stretched(values, rendering.stretch), 0, -1)
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
    values = read_bands(dataset, bands)
    if len(bands) == 1 and _palette(dataset) is None and _is_min_is_white(dataset) and values.max() >= OPAQUE:
        values = np.iinfo(values.dtype).max - values if values.dtype.kind == "u" else values
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
    flat = colours[:3].reshape(3, -1)
    coloured = 0
    for start in range(0, flat.shape[1], _COMPARED_PX):
        red, green, blue = flat[:, start : start + _COMPARED_PX].astype(np.int16)
        coloured += int((np.maximum(abs(red - green), abs(green - blue)) > _GREY_TOLERANCE).sum())
    return coloured < _GREY_NOISE * flat.shape[1]


def read_validity(
    dataset: DatasetReader,
    bands: list[int],
    alpha: int | None,
    how: Mapping[str, Any] = MappingProxyType({}),
    opacity: NDArray[Any] | None = None,
    own_nodata: bool = True,
) -> NDArray[np.bool_]:
    """Which pixels hold a value: bool (H, W) from nodata values, mask and alpha band; `how` is for rasterio's read.

    `opacity` is what the alpha band holds, where it has been read already; without `own_nodata`, the file's nodata
    values do not count.

    A pixel with nodata in one of its bands only is valid: 0 is nodata in many files, and a colour without
    any blue is not a hole.
    """
    flags = [dataset.mask_flag_enums[band - 1] for band in bands]
    valid: NDArray[np.bool_] | None = None
    for band, flag in zip(bands, flags, strict=True):
        # Where the band marked as transparency is data, its mask means nothing.
        if MaskFlags.alpha in flag or (MaskFlags.nodata in flag and not own_nodata):
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
    if valid is None:
        window = how.get("window")
        valid = np.ones(how.get("out_shape") or (window and (window.height, window.width)) or dataset.shape, np.bool_)
    return valid


def _is_min_is_white(dataset: DatasetReader) -> bool:
    """Whether the file stores a negative that GDAL gives as it is; one of a few bits comes with a palette."""
    return bool(dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES")


def _palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """The first band's colour table as RGBA uint8 (n, 4) for every value of its dtype, or None."""
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    table = np.zeros((np.iinfo(dataset.dtypes[0]).max + 1, 4), np.uint8)
    for index, rgba in dataset.colormap(1).items():
        table[index] = rgba
    return table


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


def _read_held(
    dataset: DatasetReader, bands: list[int], alpha: int | None, own_nodata: bool
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A sample (C, H, W) of the bands, and which of its values the file holds to be valid."""
    how = sample_place(dataset)
    sample = _read(dataset, bands, {**how, "masked": own_nodata})
    held = np.isfinite(np.ma.getdata(sample)) & ~np.ma.getmaskarray(sample)
    if alpha is not None:
        held &= dataset.read(alpha, **how) > 0
    return np.ma.getdata(sample), held


def _differs(values: NDArray[Any], value: Any, within: float) -> NDArray[np.bool_]:
    """Which pixels (H, W) of values (C, H, W) are not of a value in all of their bands."""
    if not within:
        return np.asarray((values != value).any(axis=0))
    return np.asarray((np.abs(values.astype(np.int16) - value) > within).any(axis=0))


def _in_dtype(values: tuple[float, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values as an array that compares with one of a dtype: float32 holds -3.4e38 with fewer digits than a text."""
    return np.array(values, dtype if dtype.kind == "f" else np.float64)


def _nodata_note(value: float) -> str:
    return (
        f"The value {value:.8g} counts as nodata, though the file does not mark it. "
        "If it is data, choose --nodata none, or the right value."
    )
