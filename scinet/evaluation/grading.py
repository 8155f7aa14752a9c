"""One image at many resolutions: which ones, and how its masks agree."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scinet.errors import ResolutionError
from scinet.evaluation.scores import Counts, iou
from scinet.raster.components import without_small
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_mask, resample_probability
from scinet.raster.resolution import STEPS_CM_PER_PX

Grid = Literal["working", "native"]
GRIDS: tuple[Grid, ...] = get_args(Grid)

SAME_GSD = 0.02  # the native resolution replaces a step this close to it


def steps_around(native_cm_per_px: float) -> list[float]:
    """The usual steps in cm/px, with the native resolution in place of a step that is nearly the same.

    >>> steps_around(10.1)[6:9]
    [8.0, 10.1, 12.5]
    """
    others = [step for step in STEPS_CM_PER_PX if abs(step / native_cm_per_px - 1) > SAME_GSD]
    return sorted([*others, native_cm_per_px])


def steps_within(native_cm_per_px: float, finest: float | None, coarsest: float) -> list[float]:
    """The usual steps from the finest, by default the native one, to the coarsest, and the native one.

    Raises:
        ResolutionError: The finest is coarser than the coarsest.
    """
    finest = finest or native_cm_per_px
    check_order(finest, coarsest)
    steps = steps_around(native_cm_per_px)
    return [step for step in steps if finest <= step <= coarsest or step == native_cm_per_px]


def check_order(finest: float, coarsest: float) -> None:
    """Raise ResolutionError where the finest resolution in cm/px is coarser than the coarsest."""
    if finest > coarsest:
        raise ResolutionError(f"--from {finest:g} is coarser than --to {coarsest:g}: give the finest first.")


def two_digits(cm_per_px: float) -> float:
    """A native resolution to two digits: tiles of one flight differ a little.

    >>> two_digits(13.23), two_digits(5.176)
    (13.0, 5.2)
    """
    return float(f"{cm_per_px:.2g}")


def step_title(cm_per_px: float, native_cm_per_px: float) -> str:
    """What pages and their addresses call a step.

    >>> step_title(5.18, 5.18), step_title(10.0, 5.18)
    ('5.18 cm/px native', '10 cm/px')
    """
    return f"{cm_per_px:.3g} cm/px native" if cm_per_px == native_cm_per_px else f"{cm_per_px:g} cm/px"


def mask_on(
    raster: Raster, probability: NDArray[np.float32], threshold: float, min_area_m2: float = 0.0
) -> NDArray[np.bool_]:
    """A probability (h, w) of a raster's extent as mask bool (H, W) on its grid, without small components."""
    mask = (resample_probability(probability, raster.shape) > threshold) & raster.valid
    return without_small(mask, min_area_m2, raster.pixel_area_m2)


def on_finer_grid(probability: NDArray[np.float32], working: Raster, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A probability brought to a finer grid, where buildings that a model parted stay apart.

    The lines between them are one pixel wide and 0: interpolated, they would close at their corners.

    Args:
        probability: float32 (h, w) on the working grid.
        working: The image on that grid; what is not valid is 0 as well, and is interpolated.
        shape: (H, W) of the finer grid over the same extent.
    """
    brought = resample_probability(probability, shape)
    lines = (probability == 0) & working.valid
    if shape[0] > lines.shape[0] and lines.any():
        brought[resample_mask(lines, shape)] = 0
    return brought


def agreement(mask: NDArray[np.bool_], native_mask: NDArray[np.bool_], native: Raster) -> float:
    """IoU of two masks of one model, both bool (H, W) on the native grid.

    It needs no reference buildings: it tells how much the result depends on the resolution, not whether it is right.

    Args:
        mask: The mask from another resolution, brought back to the native grid.
        native_mask: The mask at the native resolution.
        native: The image.
    """
    return iou(Counts.of(native_mask, mask, native.valid))
