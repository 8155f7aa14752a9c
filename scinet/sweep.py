"""One image at many resolutions: which ones, how a mask scores on both grids, and how far a model holds."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np

from scinet.components import without_small
from scinet.diagnose import Tally, diagnose
from scinet.raster import Raster
from scinet.resample import resample_probability
from scinet.resolution import STEPS_CM_PER_PX
from scinet.scores import Counts, iou

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


def grade(
    probability: np.ndarray,
    threshold: float,
    *,
    working: Raster,
    native: Raster,
    labels_on: Callable[[Raster], np.ndarray],
    min_area_m2: float = 0.0,
) -> dict[Grid, Tally]:
    """The tally of a probability float32 (H, W) on the working grid and, brought back, on the image's own.

    ``labels_on`` gives the truth's labels int32 on a raster's grid; predicted components below ``min_area_m2`` are
    dropped. The working grid shows what the model can be blamed for, the native one what is lost by flying higher.
    """

    def on(raster: Raster, values: np.ndarray) -> Tally:
        mask = without_small((values > threshold) & raster.valid, min_area_m2, raster.pixel_area_m2)
        return diagnose(labels_on(raster), mask, valid=raster.valid, pixel_area_m2=raster.pixel_area_m2).tally

    on_working = on(working, probability)
    if working.shape == native.shape:
        return {"working": on_working, "native": on_working}
    return {"working": on_working, "native": on(native, resample_probability(probability, native.shape))}


def agreement(
    probability: np.ndarray, threshold: float, native_mask: np.ndarray, native: Raster, min_area_m2: float = 0.0
) -> float:
    """IoU of a mask from another resolution with a model's own mask bool (H, W) at the native GSD.

    No truth is needed: it tells how much the answer depends on the resolution, not whether it is right.
    """
    back = (resample_probability(probability, native.shape) > threshold) & native.valid
    back = without_small(back, min_area_m2, native.pixel_area_m2)
    return iou(Counts.of(native_mask, back, native.valid))


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
