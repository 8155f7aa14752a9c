"""One image at many resolutions: which ones, how a mask scores on both grids, and how far a model holds."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.diagnose import Diagnosis, diagnose
from scinet.evaluation.scores import Counts, iou
from scinet.raster.components import without_small
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_probability
from scinet.raster.resolution import STEPS_CM_PER_PX

Grid = Literal["working", "native"]
GRIDS: tuple[Grid, ...] = get_args(Grid)

SAME_GSD = 0.02  # a step this close to the native GSD stands for it
HOLDS_SHARE = 0.95  # of the native score, the least that still counts as holding


def steps_around(native_cm_per_px: float) -> list[float]:
    """The usual steps in cm/px with the native GSD among them, in place of a step that is nearly the same.

    >>> steps_around(10.1)[6:9]
    [8.0, 10.1, 12.5]
    """
    others = [step for step in STEPS_CM_PER_PX if abs(step / native_cm_per_px - 1) > SAME_GSD]
    return sorted([*others, native_cm_per_px])


def step_title(cm_per_px: float, native_cm_per_px: float) -> str:
    """What a step is called on pages and in their addresses.

    >>> step_title(5.18, 5.18), step_title(10.0, 5.18)
    ('5.18 cm/px native', '10 cm/px')
    """
    return f"{cm_per_px:.3g} cm/px native" if cm_per_px == native_cm_per_px else f"{cm_per_px:g} cm/px"


def mask_on(
    raster: Raster, probability: NDArray[np.float32], threshold: float, min_area_m2: float = 0.0
) -> NDArray[np.bool_]:
    """A probability (h, w) of a raster's extent as mask bool (H, W) on its grid, without components that are small."""
    mask = (resample_probability(probability, raster.shape) > threshold) & raster.valid
    return without_small(mask, min_area_m2, raster.pixel_area_m2)


def diagnose_on(raster: Raster, mask: NDArray[np.bool_], truth_labels: NDArray[np.int32]) -> Diagnosis:
    """The diagnosis of a mask against the truth's labels, both (H, W) on a raster's grid."""
    return diagnose(truth_labels, mask, valid=raster.valid, pixel_area_m2=raster.pixel_area_m2)


class Graded(NamedTuple):
    """A mask bool (H, W) on a grid, and what is wrong with it where there is a truth."""

    mask: NDArray[np.bool_]
    diagnosis: Diagnosis | None


def grade(
    probability: NDArray[np.float32],
    threshold: float,
    *,
    working: Raster,
    native: Raster,
    labels_on: Callable[[Raster], NDArray[np.int32]] | None,
    min_area_m2: float = 0.0,
) -> dict[Grid, Graded]:
    """The mask of a probability float32 (H, W) on the working grid and, brought back, on the image's own.

    ``labels_on`` gives the truth's labels int32 on a raster's grid; predicted components below ``min_area_m2`` are
    dropped. The working grid shows what the model can be blamed for, the native one what is lost by flying higher.
    """

    def on(raster: Raster) -> Graded:
        mask = mask_on(raster, probability, threshold, min_area_m2)
        return Graded(mask, diagnose_on(raster, mask, labels_on(raster)) if labels_on else None)

    on_working = on(working)
    return {"working": on_working, "native": on_working if working.shape == native.shape else on(native)}


def agreement(mask: NDArray[np.bool_], native_mask: NDArray[np.bool_], native: Raster) -> float:
    """IoU of a mask from another resolution, brought back, with a model's own at the native GSD, both bool (H, W).

    No truth is needed: it tells how much the answer depends on the resolution, not whether it is right.
    """
    return iou(Counts.of(native_mask, mask, native.valid))


def holds_to(score_at: Mapping[float, float], native_cm_per_px: float) -> float | None:
    """The coarsest GSD in cm/px down to which every step keeps HOLDS_SHARE of the native score.

    None where the native score is not there or not above 0. Steps finer than native count nothing.

    >>> holds_to({5: 0.80, 10: 0.79, 20: 0.70, 40: 0.78}, native_cm_per_px=5)
    10
    """
    least = HOLDS_SHARE * score_at.get(native_cm_per_px, 0.0)
    if not least > 0:
        return None
    held = native_cm_per_px
    for cm_per_px in sorted(step for step in score_at if step > native_cm_per_px):
        if not score_at[cm_per_px] >= least:
            break
        held = cm_per_px
    return held
