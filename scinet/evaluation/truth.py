"""The reference buildings of an image, from a mask image or from footprints, on any grid over its extent."""

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
from scinet.raster.open import MAX_PIXELS, Source, open_raster, place, source_name
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_mask
from scinet.raster.scene import Scene
from scinet.vector.footprints import Footprints, check_overlap, rasterize
from scinet.vector.read import is_vector, read_footprints, read_window_footprints

# Footprints, or a bool mask (H, W) on the image's native grid.
Truth = Footprints | NDArray[np.bool_]

_HEAD_BYTES = 1024
_MIN_COVERED_FRACTION = 0.01


def read_truth(source: str | Path | bytes | BinaryIO, like: Raster, name: str) -> Truth:
    """Read the reference buildings of an image; the content tells whether it is a mask image or a vector file.

    Args:
        source: Path, bytes or open binary file: a mask image, GeoJSON or GeoPackage, in any CRS.
        like: The image.
        name: What to call the source in a message.

    Returns:
        `Footprints`, or a mask bool (H, W) on the image's grid.

    Raises:
        TruthError: It cannot be read, or belongs elsewhere.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from scinet.raster.geotiff import write_mask
        >>> metres = Affine(0.1, 0, 0, 0, -0.1, 0)
        >>> image = Raster(np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), bool), metres, None)
        >>> mask = np.zeros((40, 60), np.uint8)
        >>> mask[10:20, 10:30] = 1
        >>> with TemporaryDirectory() as folder:
        ...     write_mask(f"{folder}/mask.tif", mask, image)
        ...     reference = read_truth(f"{folder}/mask.tif", image, "mask.tif")
        >>> reference.shape, int(reference.sum())
        ((40, 60), 200)
    """
    file = source if isinstance(source, bytes) else _path_or_bytes(source, name)
    if not is_vector(_head(file, name)):
        return read_mask(file, like, name=name)
    footprints = read_footprints(file, name=name)
    check_overlap(footprints, like)
    return footprints


def read_window_truth(source: Path | bytes, window: Raster, scene: Scene, name: str) -> Truth:
    """Read the reference buildings of a window of a scene: footprints cut at its edges, or the part of a mask.

    Of a vector file only what touches the window is held in memory. Where the scene has footprints but the window
    has none, the result is a mask without a building.

    Args:
        source: Path or bytes: a georeferenced mask image, GeoJSON or GeoPackage, in any CRS.
        window: The part of the scene.
        scene: The whole scene.
        name: What to call the source in a message.

    Raises:
        TruthError: It cannot be read, or belongs elsewhere.
    """
    if not is_vector(_head(source, name)):
        return read_mask(source, window, name=name)
    footprints = read_window_footprints(source, window.grid, scene.grid, name)
    return np.zeros(window.shape, np.bool_) if footprints is None else footprints


def truth_labels(truth: Truth, raster: Raster) -> NDArray[np.int32]:
    """The reference buildings as labels int32 (H, W) on `raster`'s grid, which has the extent of their image.

    Footprints are rasterized there and keep their ids (index + 1). Each 4-connected part of a mask is a building;
    parts are told apart on the native grid and resampled as labels (nearest neighbour). So buildings that a coarse
    grid cannot separate stay two in the reference, and a mask that fuses them is found to do so.
    """
    if isinstance(truth, Footprints):
        return rasterize(truth, raster)
    return resample_mask(label(truth), raster.shape)


def read_mask(
    source: Source, like: Raster, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> NDArray[np.bool_]:
    """Read a reference mask on the grid of an image.

    A mask with a georeference is warped to the grid (nearest neighbour), False where it does not reach; one without,
    or for an image without, must have the image's size and counts pixel for pixel. Of two values the larger is
    building; of more, any in an image of ids, and the bright half in a grey or lossily compressed one. Nodata is not
    building.

    Args:
        source: Path, bytes or open binary file.
        like: The image.
        name: What to call the source in a message; by default the file's name.
        max_pixels: The most pixels that it may have.

    Returns:
        bool (H, W) on the grid of `like`, True = building.

    Raises:
        TruthError: The file cannot be read, has another size, or lies elsewhere.
    """
    name = name or source_name(source)
    try:
        with open_raster(source, name, max_pixels=max_pixels) as dataset:
            values, valid = read_brightness(dataset)
            transform, crs = place(dataset)
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


def _head(source: str | Path | bytes, name: str) -> bytes:
    """The first bytes, which tell the kind of file."""
    if isinstance(source, bytes):
        return source[:_HEAD_BYTES]
    try:
        with Path(source).open("rb") as file:
            return file.read(_HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise _cannot_be_opened(error, name) from None


def _path_or_bytes(source: str | Path | BinaryIO, name: str) -> Path | bytes:
    if isinstance(source, str | Path):
        return Path(source)
    try:
        source.seek(0)
        return source.read()
    except (OSError, ValueError) as error:
        raise _cannot_be_opened(error, name) from None


def _cannot_be_opened(error: OSError | ValueError, name: str) -> TruthError:
    reason = (isinstance(error, OSError) and error.strerror) or "no such file"
    return TruthError(f"{name} cannot be opened: {reason}.")


def _is_building(values: NDArray[Any], valid: NDArray[np.bool_], name: str) -> NDArray[np.bool_]:
    found = np.unique(values[valid])
    if len(found) <= 2:
        return np.asarray(values == found[1] if len(found) == 2 else values != 0)
    if values.dtype.kind == "f" and found[0] >= 0 and found[-1] <= 1:
        return np.asarray(values > 0.5)
    if values.dtype == np.uint8 and found[-1] >= 128:
        between = (values[valid] > 48) & (values[valid] < 208)
        if between.mean() > 0.25:
            raise TruthError(f"{name} looks like a photo, not a mask. Give an image that is white on buildings.")
        return np.asarray(values >= 128)
    return np.asarray(values != 0)


def _on_grid(mask: NDArray[np.bool_], transform: Affine, crs: CRS, like: Raster, name: str) -> NDArray[np.bool_]:
    """Warp a mask to `like`'s grid; raise TruthError where it covers less than a hundredth of it."""
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
    if (warped > 0).mean() < _MIN_COVERED_FRACTION:
        raise TruthError(f"{name} lies elsewhere on the earth than the image. Give the mask of its place.")
    return np.asarray(warped == 2)
