"""The reference buildings of an image, from a mask image or from footprints, on any grid over its extent."""

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scinet.errors import TruthError
from scinet.evaluation.mask import read_mask
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.reference import Truth, judged_part, truth_labels
from scinet.local_file import open_regular
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene
from scinet.vector.footprints import Footprints, check_overlap
from scinet.vector.read import HEAD_BYTES, is_vector, names_crs, read_footprints, read_window_footprints

__all__ = ["Truth", "judged_part", "read_truth", "read_window_truth", "truth_labels"]


def read_truth(
    source: str | Path | bytes | BinaryIO, like: Raster, name: str, choice: MaskChoice | None = None
) -> Truth:
    """Read the reference buildings of an image; the content tells whether it is a mask image or a vector file.

    Args:
        source: Path, bytes or open binary file: a mask image or a vector file, in any CRS.
        like: The image.
        name: What to call the source in a message.
        choice: Which values of a mask image are building or ignored; by default the likeliest.

    Returns:
        Footprints, or a mask on the image's grid.

    Raises:
        TruthError: It cannot be read, or belongs elsewhere.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from scinet.raster.geotiff import write_mask
        >>> from rasterio.transform import Affine
        >>> metres = Affine(0.1, 0, 0, 0, -0.1, 0)
        >>> image = Raster(np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), bool), metres, None)
        >>> mask = np.zeros((40, 60), np.uint8)
        >>> mask[10:20, 10:30] = 1
        >>> with TemporaryDirectory() as folder:
        ...     write_mask(f"{folder}/mask.tif", mask, image)
        ...     reference = read_truth(f"{folder}/mask.tif", image, "mask.tif")
        >>> reference.buildings.shape, int(reference.buildings.sum())
        ((40, 60), 200)
    """
    file = source if isinstance(source, bytes) else _path_or_bytes(source, name)
    if not is_vector(_head(file, name)):
        return read_mask(file, like, name=name, choice=choice)
    footprints = read_footprints(file, name=name)
    if footprints.crs is None and like.crs is not None:
        return _placed_like(footprints, like, name)
    check_overlap(footprints, like)
    return Truth(footprints)


def read_window_truth(
    source: Path | bytes, window: Raster, scene: Scene, name: str, choice: MaskChoice | None = None
) -> Truth:
    """Read the reference buildings of a window of a scene: footprints cut at its edges, or the part of a mask.

    Of a vector file only what touches the window is held in memory. Where the scene has footprints but the window
    has none, the result is a mask without a building.

    Args:
        source: Path or bytes: a georeferenced mask image or a vector file, in any CRS.
        window: The part of the scene.
        scene: The whole scene.
        name: What to call the source in a message.
        choice: Which values of a mask image are building or ignored; by default the likeliest.

    Raises:
        TruthError: It cannot be read, or belongs elsewhere.
    """
    if not is_vector(_head(source, name)):
        return read_mask(source, window, name=name, choice=choice)
    footprints = read_window_footprints(source, window.grid, scene.grid, name)
    notes = () if scene.crs is None or names_crs(source, name) else (_assumed_crs(name),)
    return Truth(np.zeros(window.shape, np.bool_) if footprints is None else footprints, notes=notes)


def _placed_like(footprints: Footprints, like: Raster, name: str) -> Truth:
    """Footprints without a CRS, in the image's; TruthError where that does not put them on the image."""
    placed = replace(footprints, crs=like.crs)
    try:
        check_overlap(placed, like)
    except TruthError:
        check_overlap(footprints, like)  # says that there is no CRS
    return Truth(placed, notes=(_assumed_crs(name),))


def _assumed_crs(name: str) -> str:
    return f"{name} names no CRS; its coordinates fit the image's, which is assumed."


def _head(source: str | Path | bytes, name: str) -> bytes:
    """The first bytes, which tell the kind of file."""
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    try:
        with open_regular(source) as file:
            return file.read(HEAD_BYTES)
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
