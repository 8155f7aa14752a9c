"""References that do not name every building: what can be said near the buildings that they do name."""

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scinet.evaluation.diagnose import Diagnosis
from scinet.raster.raster import Raster

if TYPE_CHECKING:  # it needs the reference, which needs this module
    from scinet.evaluation.evaluate import Evaluation

NEAR_M = 2.0  # of a given building: farther away, nobody has said what is there
FAR_M = 5.0  # from any given building
MOST_FAR_SHARE = 1 / 3  # of the mask; with more, the reference hardly names every building
# Figures that count what lies outside the given buildings as wrong
NEEDS_ALL_LABELLED = frozenset(
    {"iou", "f1", "precision", "false_area", "boundary_iou", "count_error", "panoptic_quality", "average_precision"}
    | {f"{name}{suffix}" for name in ("precision", "f1") for suffix in ("_25", "_75")}
)


def near_buildings(labels: NDArray[np.int32], raster: Raster) -> NDArray[np.bool_]:
    """The pixels within NEAR_M of a building, bool (H, W).

    Args:
        labels: The reference buildings on the raster's grid, 0 where there is none.
        raster: The image on that grid.
    """
    return _metres_to_buildings(labels > 0, raster) <= NEAR_M


def without_unlabelled(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures by name, NaN in place of those that would need every building to be labelled.

    >>> without_unlabelled({"iou": 0.4, "recall": 0.8})
    {'iou': nan, 'recall': 0.8}
    """
    return {name: nan if name in NEEDS_ALL_LABELLED else value for name, value in figures.items()}


def far_share(diagnosis: Diagnosis, raster: Raster) -> float:
    """The share of a mask that lies more than FAR_M from any reference building; 0 for an empty mask."""
    predicted = diagnosis.predicted_labels > 0
    if not predicted.any():
        return 0.0
    far = _metres_to_buildings(diagnosis.truth_labels > 0, raster)[predicted] > FAR_M
    return float(far.mean())


def labels_note(evaluation: "Evaluation", is_partial: bool) -> list[str]:
    """What to say to a reader whose reference hardly names every building: no sentence or one.

    Args:
        evaluation: On the image's own grid.
        is_partial: Whether the reader has said so.
    """
    if is_partial or evaluation.diagnosis is None:
        return []
    share = far_share(evaluation.diagnosis, evaluation.raster)
    if share <= MOST_FAR_SHARE:
        return []
    return [
        f"{100 * share:.0f} % of the mask lies more than {FAR_M:g} m from any reference building. If the reference "
        "does not name every building, say so (--not-all-labelled): else all of that counts as false."
    ]


def _metres_to_buildings(buildings: NDArray[np.bool_], raster: Raster) -> NDArray[np.float64]:
    if not buildings.any():
        return np.full(buildings.shape, np.inf)
    x_m, y_m = raster.metres_per_px
    return np.asarray(distance_transform_edt(~buildings, sampling=(y_m, x_m)))
