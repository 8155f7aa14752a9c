"""What a model's encoder makes of an image: the means of its channels over a few windows.

They tell whether the model has seen anything like the image; see `scinet.models.familiarity`.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scinet.errors import RasterError
from scinet.models.familiarity import Distance
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.raster.scene import Scene

WINDOW_PX = 256  # as large as the chips of the training
PER_SIDE = 2  # windows down, and across
MOST_NATIVE_PX = 4096  # per side of a window that is read from a scene
_MULTIPLE_PX = 32
_LEAST_VALID = 0.5  # of a window


def distance_of(raster: Raster, model: Model) -> Distance | None:
    """How far an image is from a model's training; None where its card or network does not tell, or it is too small.

    Args:
        raster: The image at the working resolution.
        model: What `load_model` returns.
    """
    return _distance(list(windows_of(raster)), model)


def distance_of_scene(scene: Scene, cm_per_px: float | None, model: Model) -> Distance | None:
    """As `distance_of`, of an image of any size at a working resolution, from a few windows that are read."""
    if model.card.familiarity is None:
        return None
    shrink = 1.0 if cm_per_px is None else cm_per_px / scene.cm_per_px
    side = min(round(WINDOW_PX * shrink), MOST_NATIVE_PX, scene.height, scene.width)
    found: list[NDArray[np.uint8]] = []
    places = [(left, top, side, side) for top, left in _corners((scene.height, scene.width), side)]
    for part in scene.windows(places):
        if isinstance(part, RasterError):  # nodata, or what the mask's own reading has told already
            continue
        found += list(windows_of(part if cm_per_px is None else resample(part, cm_per_px)))[:1]
    return _distance(found, model)


def windows_of(raster: Raster) -> Iterator[NDArray[np.uint8]]:
    """At most four windows of one size, evenly spaced over an image, uint8 (S, S, 3); without those of much nodata."""
    side = min(WINDOW_PX, *raster.shape) // _MULTIPLE_PX * _MULTIPLE_PX
    if not side:
        return
    for top, left in _corners(raster.shape, side):
        part = np.s_[top : top + side, left : left + side]
        if raster.valid[part].mean() >= _LEAST_VALID:
            yield raster.pixels[part]


def channel_means(model: Model, windows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64] | None:
    """The means of the channels of two stages of an encoder, float64 (N, C); None where the network has no encoder.

    Args:
        model: What `load_model` returns.
        windows: uint8 (S, S, 3) each, S a multiple of 32 and the same for all.
    """
    encoder = getattr(getattr(model.network, "network", None), "encoder", None)
    if encoder is None or not windows:
        return None
    from scinet.segmentation.torch_encoder import levelled_means  # PyTorch takes seconds to import

    return levelled_means(encoder, model, windows)


def _distance(windows: Sequence[NDArray[np.uint8]], model: Model) -> Distance | None:
    familiarity = model.card.familiarity
    if familiarity is None:
        return None
    means = channel_means(model, windows)
    if means is None or means.shape[1] != familiarity.channels:
        return None
    return familiarity.distance(means)


def _corners(shape: tuple[int, int], side: int) -> list[tuple[int, int]]:
    """The upper left corners of squares, evenly spaced: row and column."""
    starts = [
        np.unique(np.linspace(0, length - side, min(PER_SIDE, max(1, length // side))).round().astype(int))
        for length in shape
    ]
    return [(int(top), int(left)) for top, left in product(*starts)]
