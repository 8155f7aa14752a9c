"""What a sweep keeps of an image at many resolutions, and the rows and verdicts that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import nan
from typing import Any

from scinet.camera.camera import Camera, round_height_m
from scinet.errors import TargetError
from scinet.evaluation.diagnose import Shares, Tally
from scinet.evaluation.evaluate import Evaluation
from scinet.evaluation.grading import Grid
from scinet.evaluation.object_scores import ObjectScores
from scinet.evaluation.partial import without_unlabelled
from scinet.evaluation.parts import Sums, figure_of, sums_by_part
from scinet.evaluation.scores import Scores
from scinet.evaluation.smallest_found import smallest_found_m2
from scinet.evaluation.target import Target, Verdict, estimated_verdict, verdict
from scinet.models.confidence import Estimate
from scinet.models.familiarity import Distance, unlike_text

OBJECT_COLUMNS = {name: f"object_{name}" for name in ObjectScores._fields}
FIGURES = (*Scores._fields, *Shares._fields, *OBJECT_COLUMNS.values(), "found_over_20_m2", "smallest_found_m2")
COLUMNS = ("model", "cm_per_px", "grid", *FIGURES, "building_area_m2", "components", "agreement")


@dataclass(frozen=True)
class SweepPoint:
    """What a sweep keeps of a model at one resolution.

    Attributes:
        model: The model's title.
        cm_per_px: The working resolution.
        building_area_m2: Predicted building area, on the working grid.
        components: Number of predicted components, on the working grid.
        tallies: Pixel counts by grid; empty without reference buildings.
        objects: Object scores by grid; empty without reference buildings.
        smallest_found_m2: By grid the smallest building that is still found, see `smallest_found_m2`; empty likewise.
        parts: By grid the sums in each part of the image, see `sums_by_part`; empty likewise.
        is_partial: Whether the reference does not name every building.
        agreement: IoU with the model's own mask at the native resolution; NaN where that has not run.
        estimates: Scores that are likely, by name, where there is no reference and they can be estimated.
        distance: How far the image is from the model's training, where that is known and the image has no reference.
    """

    model: str
    cm_per_px: float
    building_area_m2: float
    components: int
    tallies: Mapping[Grid, Tally] = field(default_factory=dict)
    objects: Mapping[Grid, ObjectScores] = field(default_factory=dict)
    smallest_found_m2: Mapping[Grid, float] = field(default_factory=dict)
    parts: Mapping[Grid, Sums] = field(default_factory=dict)
    is_partial: bool = False
    agreement: float = nan
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    distance: Distance | None = None

    @classmethod
    def of(
        cls, model: str, cm_per_px: float, evaluations: Mapping[Grid, Evaluation], *, is_partial: bool = False
    ) -> "SweepPoint":
        """The point of a model's evaluations by grid, as `evaluate_on_grids` gives them; without the agreement."""
        working = evaluations["working"]
        return cls(
            model,
            cm_per_px,
            working.building_area_m2,
            working.predicted.sizes_px.size,
            {grid: found.diagnosis.tally for grid, found in evaluations.items() if found.diagnosis is not None},
            {grid: found.objects.tally.scores for grid, found in evaluations.items() if found.objects is not None},
            {
                grid: smallest_found_m2(found.diagnosis.buildings)
                for grid, found in evaluations.items()
                if found.diagnosis is not None
            },
            {
                grid: sums_by_part(found.diagnosis, found.objects)
                for grid, found in evaluations.items()
                if found.diagnosis is not None and found.objects is not None
            },
            is_partial,
        )


def sweep_rows(points: Iterable[SweepPoint]) -> list[dict[str, Any]]:
    """One row per model, resolution and grid with `COLUMNS`: models in their order, finest resolution first.

    Scores and shares are in [0, 1]; NaN where there is nothing to score. Where a point has estimates, there are more
    columns, such as estimated_iou, estimated_iou_low and estimated_iou_high.
    """
    points = list(points)
    order = list(dict.fromkeys(point.model for point in points))
    rows = []
    for point in sorted(points, key=lambda point: (order.index(point.model), point.cm_per_px)):
        mask = {
            "building_area_m2": point.building_area_m2,
            "components": point.components,
            "agreement": point.agreement,
        }
        estimated = {
            f"estimated_{name}{end}": value
            for name, estimate in point.estimates.items()
            for end, value in zip(("", "_low", "_high"), estimate[:3], strict=True)
        }
        for grid in ("native", "working"):
            row = {"model": point.model, "cm_per_px": point.cm_per_px, "grid": grid}
            rows.append({**row, **_figures(point, grid), **mask, **estimated})
    return rows


def unlike_note(points: Iterable[SweepPoint]) -> list[str]:
    """What to say of the models to which the image is unlike their training at some resolution: no sentence or one."""
    farthest: dict[str, Distance | None] = {}
    for point in points:
        known = farthest.get(point.model)
        if point.distance is not None and (known is None or point.distance.value > known.value):
            farthest[point.model] = point.distance
    text = unlike_text(farthest)
    return [text] if text else []


def verdicts(
    points: Iterable[SweepPoint], target: Target, native_cm_per_px: float, grid: Grid = "working"
) -> list[Verdict]:
    """Down to which resolution each model keeps a target, in the models' order; see `verdict`.

    Without a reference it is by estimates, of the models that have them; see `estimated_verdict`.

    Raises:
        TargetError: The points have neither reference buildings nor estimates, or none of which the target speaks.
    """
    points = list(points)
    estimated = {point.model for point in points if point.estimates and grid not in point.parts}
    if estimated:
        return [
            estimated_verdict(
                model,
                {point.cm_per_px: point.estimates for point in points if point.model == model},
                target,
                native_cm_per_px,
            )
            for model in dict.fromkeys(point.model for point in points)
            if model in estimated
        ]
    parts_at: dict[str, dict[float, Sums]] = {}
    for point in points:
        if grid not in point.parts:
            raise TargetError("A target needs reference buildings to judge by. Give them, or leave the target out.")
        if point.is_partial and target.figure != "found_over_20_m2":
            raise TargetError(
                "Not every building is labelled, so only a target on the share found can be judged. Choose that one."
            )
        parts_at.setdefault(point.model, {})[point.cm_per_px] = point.parts[grid]
    return [verdict(model, parts, target, native_cm_per_px) for model, parts in parts_at.items()]


def _figures(point: SweepPoint, grid: Grid) -> dict[str, float]:
    figures = dict.fromkeys(FIGURES, nan)
    if grid in point.tallies:
        of_pixels = Scores.of(point.tallies[grid].counts)._asdict() | point.tallies[grid].shares._asdict()
        figures |= without_unlabelled(of_pixels) if point.is_partial else of_pixels
    if grid in point.objects:
        of_objects = point.objects[grid]._asdict()
        of_objects = without_unlabelled(of_objects) if point.is_partial else of_objects
        figures |= {OBJECT_COLUMNS[name]: value for name, value in of_objects.items()}
    if grid in point.parts:
        figures["found_over_20_m2"] = float(figure_of(point.parts[grid].sum(axis=0), "found_over_20_m2"))
    if grid in point.smallest_found_m2:
        figures["smallest_found_m2"] = point.smallest_found_m2[grid]
    return figures


def sweep_content(
    image: str,
    notes: Sequence[str],
    native_cm_per_px: float,
    points: Sequence[SweepPoint],
    target: Target | None,
    camera: Camera | None = None,
) -> dict[str, Any]:
    """Everything that is known of a sweep: plain values, ready for `to_json`.

    Args:
        image: What to call the image.
        notes: How its files were understood.
        native_cm_per_px: Its own resolution.
        points: What has run.
        target: What the reader needs; without reference buildings, verdicts on it are by estimates.
        camera: Whose flying heights go with the verdicts.
    """
    found = _verdicts_if_any(points, target, native_cm_per_px)
    return {
        "image": image,
        "notes": list(notes),
        "native_cm_per_px": native_cm_per_px,
        "target": target and {"figure": target.figure, "least": target.least},
        "verdicts": {each.model: each.as_values() | flying_height(each, camera) for each in found},
        "rows": sweep_rows(points),
    }


def flying_height(found: Verdict, camera: Camera | None) -> dict[str, float]:
    """The flying height that gives the resolution to which a model keeps its target; empty where there is none."""
    if camera is None or found.kept is None:
        return {}
    return {"flying_height_m": round_height_m(camera.height_m(found.kept))}


def _verdicts_if_any(points: Sequence[SweepPoint], target: Target | None, native_cm_per_px: float) -> list[Verdict]:
    with suppress(TargetError):
        return [] if target is None else verdicts(points, target, native_cm_per_px)
    return []
