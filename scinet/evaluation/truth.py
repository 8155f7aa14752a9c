"""The reference buildings of an image, from a mask image or from footprints, on any grid over its extent."""

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
from scinet.vector.annotations import AnnotatedImage
from scinet.vector.choice import VectorChoice
from scinet.vector.footprints import check_overlap
from scinet.vector.read import HEAD_BYTES, is_vector, read_footprints, read_window_footprints

__all__ = ["Truth", "judged_part", "read_truth", "read_window_truth", "truth_labels"]


def read_truth(
    source: str | Path | bytes | BinaryIO,
    like: Raster,
    name: str,
    choice: MaskChoice | None = None,
    features: VectorChoice | None = None,
    image_name: str = "",
) -> Truth:
    """Read the reference buildings of an image; the content tells whether it is a mask image or a vector file.

    Args:
        source: Path, bytes or open binary file: a mask image or a vector file, in any CRS.
        like: The image.
        name: What to call the source in a message.
        choice: Which values of a mask image are building or ignored; by default the likeliest.
        features: The layer of a vector file, and which of its features are buildings; by default the likeliest.
        image_name: The image's file name, by which annotations know it.

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
    image = AnnotatedImage(image_name, like.grid, like.taken)
    footprints = read_footprints(file, name=name, choice=features, image=image)
    check_overlap(footprints, like)
    return Truth(footprints, notes=footprints.notes)


def read_window_truth(
    source: Path | bytes,
    window: Raster,
    scene: Scene,
    name: str,
    choice: MaskChoice | None = None,
    features: VectorChoice | None = None,
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
        features: The layer of a vector file, and which of its features are buildings; by default the likeliest.

    Raises:
        TruthError: It cannot be read, or belongs elsewhere.
    """
    if not is_vector(_head(source, name)):
        return read_mask(source, window, name=name, choice=choice)
    image = AnnotatedImage(scene.name, scene.grid, scene.taken)
    footprints = read_window_footprints(source, window.grid, image, name, features)
    return Truth(footprints if footprints.polygons else np.zeros(window.shape, np.bool_), notes=footprints.notes)


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
