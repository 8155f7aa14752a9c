"""The true buildings of an image, from a mask image or from footprints, on any grid over its extent."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.warp import reproject

from scinet.errors import RasterError, TruthError
from scinet.raster.bands import read_brightness
from scinet.raster.components import label
from scinet.raster.open import MAX_PIXELS, Source, _place, open_raster, source_name
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_mask
from scinet.raster.scene import Scene
from scinet.vector.footprints import Footprints, check_overlap, is_vector, rasterize, read_footprints
from scinet.vector.read import read_clipped_footprints

# Footprints, or a bool mask (H, W) on the image's native grid.
Truth = Footprints | NDArray[np.bool_]


def read_truth(source: str | Path | bytes | BinaryIO, like: Raster, name: str) -> Truth:
    """Read the truth of the image `like`; the content tells whether it is a mask image or a vector file.

    `name` is what to call it in a message. Raises TruthError where it cannot be read or belongs elsewhere.
    """
    content = _content(source, name)
    if not is_vector(content):
        return read_mask(content, like, name=name)
    footprints = read_footprints(content, name=name)
    check_overlap(footprints, like)
    return footprints


def read_window_truth(source: Path | bytes, window: Raster, scene: Scene, name: str) -> Truth:
    """Read the truth of a window of a scene: footprints cut at its edges, or the part of a georeferenced mask.

    Of a vector file only what touches the window is held in memory; where the scene has footprints but the window
    has none, the truth is a mask without a building. `name` is what to call the source in a message.

    Raises TruthError where it cannot be read or belongs elsewhere.
    """
    if not is_vector(_head(source, name)):
        return read_mask(source, window, name=name)
    footprints = read_clipped_footprints(source, window, scene, name)
    return np.zeros(window.shape, np.bool_) if footprints is None else footprints


def truth_labels(truth: Truth, raster: Raster) -> NDArray[np.int32]:
    """The buildings as labels int32 (H, W) on `raster`'s grid, which covers the extent of the truth's image.

    Footprints are rasterized there and keep their ids (index + 1). Each 4-connected part of a mask is a building;
    parts are told apart on the native grid and resampled as labels (nearest neighbour), so that buildings which
    a coarse grid cannot part stay two in the truth, and a mask that fuses them is said to.
    """
    if isinstance(truth, Footprints):
        return rasterize(truth, raster)
    return resample_mask(label(truth), raster.shape)


def _head(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source[:1024]
    try:
        with source.open("rb") as file:
            return file.read(1024)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise TruthError(f"{name} cannot be opened: {reason}.") from None


def _content(source: str | Path | bytes | BinaryIO, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        if isinstance(source, str | Path):
            return Path(source).read_bytes()
        source.seek(0)
        return source.read()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise TruthError(f"{name} cannot be opened: {reason}.") from None


def read_mask(
    source: Source, like: Raster, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> NDArray[np.bool_]:
    """Read a truth mask, bool (H, W) on `like`'s grid, True = building.

    A mask with a georeference is warped to the grid (nearest neighbour), False where it does not reach;
    one without, or for an image without, must have the image's size and counts pixel for pixel. Of two
    values the larger is building; of more, any in an image of ids, and the bright half in a grey or lossily
    compressed one. Nodata is no building. `name` is what to call the source in a message.

    Raises TruthError where the file cannot be read, has another size or lies elsewhere.
    """
    name = name or source_name(source)
    try:
        with open_raster(source, name, max_pixels=max_pixels) as dataset:
            values, valid = read_brightness(dataset)
            transform, crs = _place(dataset)
    except RasterError as error:
        raise TruthError(str(error)) from None
    mask = _is_building(values, valid, name) & valid
    if crs is not None and like.crs is not None:
        return _on_grid(mask, transform, crs, like, name)
    if mask.shape != like.shape:
        raise TruthError(
            f"{name} is {mask.shape[1]} x {mask.shape[0]} px, the image {like.width} x {like.height} px. "
            "Give a mask of the same size, or a georeferenced one for a georeferenced image."
        )
    return mask


def _is_building(values: NDArray[Any], valid: NDArray[np.bool_], name: str) -> NDArray[np.bool_]:
    found = np.unique(values[valid])
    if len(found) <= 2:
        return (values == found[1]) if len(found) == 2 else (values != 0)
    if values.dtype.kind == "f" and found[0] >= 0 and found[-1] <= 1:
        return values > 0.5
    if values.dtype == np.uint8 and found[-1] >= 128:
        between = (values[valid] > 48) & (values[valid] < 208)
        if between.mean() > 0.25:
            raise TruthError(f"{name} looks like a photo, no mask. Give an image that is white on buildings.")
        return values >= 128
    return values != 0


def _on_grid(mask: NDArray[np.bool_], transform: Affine, crs: CRS, like: Raster, name: str) -> NDArray[np.bool_]:
    """Warp a mask to `like`'s grid, and refuse one that covers less than a hundredth of it."""
    source = mask.astype(np.uint8) + 1  # 1 = ground, 2 = building, and 0 stays for what is not covered
    warped = np.zeros(like.shape, np.uint8)
    try:
        reproject(
            source,
            warped,
            src_transform=transform,
            src_crs=crs,
            dst_transform=like.transform,
            dst_crs=like.crs,
            resampling=Resampling.nearest,
        )
    except (RasterioError, CPLE_BaseError):
        warped[:] = 0
    if (warped > 0).mean() < 0.01:
        raise TruthError(f"{name} lies elsewhere on the earth than the image. Give the mask of its place.")
    return warped == 2
