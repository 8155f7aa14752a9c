"""The reference buildings of an image, and which part of it they are known for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.partial import near_buildings
from scinet.raster.components import label
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_mask
from scinet.vector.footprints import Footprints, rasterize

NOT_JUDGED = -1  # among the labels of buildings


@dataclass(frozen=True, eq=False)
class Truth:
    """The reference buildings of an image.

    Attributes:
        buildings: Footprints, or a mask bool (H, W) on the image's native grid.
        judged: bool (H, W) on that grid, False where nobody judged what is there; None where all of it is judged.
        notes: How the file was understood, in sentences for the reader.
        is_partial: Whether other buildings may stand there too: then only what is near these is judged.
    """

    buildings: Footprints | NDArray[np.bool_]
    judged: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    is_partial: bool = False


def truth_labels(truth: Truth | Footprints | NDArray[np.bool_], raster: Raster) -> NDArray[np.int32]:
    """The reference buildings as labels int32 (H, W) on `raster`'s grid, which has the extent of their image.

    0 is ground, -1 what nobody judged.

    Footprints are rasterized there and keep their ids (index + 1). Each 4-connected part of a mask is a building;
    parts are told apart on the native grid and resampled as labels (nearest neighbour). So buildings that a coarse
    grid cannot separate stay two in the reference, and a mask that fuses them is found to do so.
    """
    if not isinstance(truth, Truth):
        truth = Truth(truth)
    if isinstance(truth.buildings, Footprints):
        labels = rasterize(truth.buildings, raster)
    else:
        labels = resample_mask(label(truth.buildings), raster.shape)
    if truth.judged is not None:
        labels[~resample_mask(truth.judged, raster.shape)] = NOT_JUDGED
    if truth.is_partial:
        labels[~near_buildings(labels, raster)] = NOT_JUDGED
    return labels


def judged_part(labels: NDArray[np.int32], valid: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Labels (H, W) without `NOT_JUDGED`, and which of the valid pixels (H, W) are judged."""
    if labels.size and labels.min() >= 0:
        return labels, valid
    return np.maximum(labels, 0), valid & (labels >= 0)
