"""The true buildings of an image, from a mask image or from footprints, on any grid over its extent."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scinet.clip import read_clipped_footprints
from scinet.components import label
from scinet.errors import TruthError
from scinet.footprints import Footprints, check_overlap, is_vector, rasterize, read_footprints
from scinet.raster import Raster, read_mask
from scinet.resample import resample_mask
from scinet.scene import Scene

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
