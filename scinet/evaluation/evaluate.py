"""What a probability comes to: the mask on a grid of the image, and its errors where there are reference buildings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.boundary import boundary_counts, boundary_width_px
from scinet.evaluation.diagnose import Diagnosis, diagnose
from scinet.evaluation.grading import Grid, mask_on, on_finer_grid
from scinet.evaluation.objects import Objects, find_objects
from scinet.evaluation.truth import Truth, judged_part, truth_labels
from scinet.raster.components import Spans, components
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_probability
from scinet.vector.area import Area
from scinet.vector.footprints import Footprints

# Reference buildings as `read_truth` gives them, or what gives their labels int32 (H, W) on a raster's grid
Reference = Truth | Footprints | NDArray[np.bool_] | Callable[[Raster], NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's mask on one grid of an image, and its errors.

    Attributes:
        raster: The image on that grid.
        prediction: bool (H, W), True where the model sees a building.
        diagnosis: What is wrong with it; None without reference buildings.
        objects: Its components matched with the reference buildings, with confidences and boundaries; None without
            reference buildings.
        threshold: Probability in (0, 1) above which a pixel is building.
        min_area_m2: Smaller predicted components were dropped.
    """

    raster: Raster
    prediction: NDArray[np.bool_]
    diagnosis: Diagnosis | None
    objects: Objects | None
    threshold: float
    min_area_m2: float

    @cached_property
    def predicted(self) -> Spans:
        """The mask's 4-connected components, without those that lie in nodata."""
        return components(self.prediction) if self.diagnosis is None else self.diagnosis.predicted

    @cached_property
    def predicted_labels(self) -> NDArray[np.int32]:
        """The mask's components as labels int32 (H, W), 0 is background."""
        return self.predicted.pixels()

    @property
    def building_area_m2(self) -> float:
        """Predicted building area."""
        return int(np.count_nonzero(self.prediction)) * self.raster.pixel_area_m2


def evaluate(
    probability: NDArray[np.float32] | NDArray[np.bool_],
    raster: Raster,
    reference: Reference | None = None,
    *,
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    area: Area | None = None,
) -> Evaluation:
    """Make a mask of a probability on a grid of the image, and compare it with the reference buildings.

    Args:
        probability: float32 (h, w) in [0, 1] over the extent of `raster`. It is brought to the raster's grid. A mask
            bool will do too; its components then have no confidence.
        raster: The image at the working resolution, or the image itself.
        reference: Reference buildings as `read_truth` gives them, footprints or a mask bool (H, W); or a function
            that gives their labels int32 (H, W) on the grid of a raster, -1 where nobody judged what is there.
        threshold: Pixels above it are building.
        min_area_m2: Smaller predicted components are dropped.
        area: The part of the image that counts: outside it there is neither mask nor reference.

    Returns:
        The mask and, where there is a reference, its diagnosis and objects.

    Example:
        >>> from scinet import evaluate, load_model, make_town, segment
        >>> town = make_town(seed=3, size_m=30)
        >>> working, probability = segment(town.render(cm_per_px=50), load_model("unet"))
        >>> evaluation = evaluate(probability, working, town.footprints)
        >>> evaluation.prediction.shape, evaluation.diagnosis.buildings.kind.size == len(town.footprints.polygons)
        ((60, 60), True)
    """
    if area is not None:
        raster = replace(raster, valid=raster.valid & area.inside(raster.grid))
    is_mask = probability.dtype == np.bool_
    probability = resample_probability(probability.astype(np.float32, copy=False), raster.shape)
    prediction = mask_on(raster, probability, threshold, min_area_m2)
    diagnosis, objects = None, None
    if reference is not None:
        labels = reference(raster) if callable(reference) else truth_labels(reference, raster)
        labels, valid = judged_part(labels, raster.valid)
        diagnosis = diagnose(labels, prediction, valid=valid, pixel_area_m2=raster.pixel_area_m2)
        width_px = boundary_width_px(raster.pixel_area_m2)
        boundary = boundary_counts(labels, prediction, width_px=width_px, valid=valid)
        objects = find_objects(diagnosis, probability=None if is_mask else probability, boundary=boundary)
    return Evaluation(raster, prediction, diagnosis, objects, threshold, min_area_m2)


def evaluate_on_grids(
    probability: NDArray[np.float32],
    working: Raster,
    native: Raster,
    reference: Reference | None = None,
    *,
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    area: Area | None = None,
) -> dict[Grid, Evaluation]:
    """Evaluate on the working grid and on the image's own.

    The working grid shows what the model can be blamed for, the native one what is lost by flying higher.

    Args:
        probability: float32 (H, W) in [0, 1] on the working grid.
        working: The image at the working resolution.
        native: The image itself.
        reference: As for `evaluate`.
        threshold: As for `evaluate`.
        min_area_m2: As for `evaluate`.
        area: As for `evaluate`.

    Returns:
        The evaluations by grid; the same one twice where the working resolution is the native one.
    """

    def on(raster: Raster, probability: NDArray[np.float32]) -> Evaluation:
        return evaluate(probability, raster, reference, threshold=threshold, min_area_m2=min_area_m2, area=area)

    on_working = on(working, probability)
    if working.shape == native.shape:
        return {"working": on_working, "native": on_working}
    return {"working": on_working, "native": on(native, on_finer_grid(probability, working, native.shape))}
