"""One image at one resolution, degraded step by step: how far each score falls."""

from collections.abc import Sequence
from math import nan
from typing import Any

from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.sweep_rows import SweepPoint, sweep_rows
from scinet.evaluation.truth import Truth
from scinet.models.model import Model
from scinet.progress import ReportProgress
from scinet.raster.degrade import AMOUNTS, Amount, Degradation, DegradationName
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy, StrategyName
from scinet.vector.area import Area
from scinet.vector.footprints import Footprints

DROPS = ("iou", "f1", "object_f1")  # the figures whose relative drop is told


def degradation_rows(
    raster: Raster,
    truth: Truth | Footprints | None,
    models: Sequence[Model],
    name: DegradationName,
    cm_per_px: float,
    *,
    strategy: Strategy | StrategyName = "best-scale",
    threshold: float = 0.5,
    area: Area | None = None,
    progress: ReportProgress | None = None,
) -> list[dict[str, Any]]:
    """Segment and evaluate an image at one resolution under one degradation of rising amount.

    The relative drop of a figure is (clean - degraded) / clean.

    Args:
        raster: The image.
        truth: Its reference buildings; without them, rows have areas and components alone.
        models: The models.
        name: What is degraded, on the working grid.
        cm_per_px: The working resolution.
        strategy: What the models see; see `segment`.
        threshold: Pixels with a higher probability are building.
        area: The part of the image that counts.
        progress: Called with the share that is done, in [0, 1].

    Returns:
        The rows of `rows_of`.

    Raises:
        RasterError: A kernel would have nothing to do at the image's own resolution.
        ResolutionError: The image does not fit in memory at this resolution.
    """
    amounts = AMOUNTS[name]
    points = []
    for number, model in enumerate(models):
        for i, amount in enumerate(amounts):
            image = Degradation(name, amount).at(raster, cm_per_px)
            probability = segment(image, model, strategy=Strategy.of(strategy)).probability
            found = evaluate(probability, image, truth, threshold=threshold, area=area)
            is_partial = isinstance(truth, Truth) and truth.is_partial
            point = SweepPoint.of(
                model.card.title, cm_per_px, {"working": found, "native": found}, is_partial=is_partial
            )
            points.append((amount, point))
            if progress:
                progress((number * len(amounts) + i + 1) / (len(models) * len(amounts)))
    return rows_of(name, points)


def rows_of(name: DegradationName, points: Sequence[tuple[Amount, SweepPoint]]) -> list[dict[str, Any]]:
    """One row per model and amount, in the order of the points.

    Args:
        name: What is degraded.
        points: Amounts with what a model scored there.

    Returns:
        Rows with the columns of `sweep_rows` on the working grid, "degradation", "amount", and "drop_iou" and so on,
        which are NaN where the model has not run on the image as it is.
    """
    rows = []
    for amount, point in points:
        figures = next(row for row in sweep_rows([point]) if row["grid"] == "working")
        rows.append({"degradation": name, "amount": amount, **figures})
    clean = {row["model"]: row for row in rows if row["amount"] == AMOUNTS[name][0]}
    for row in rows:
        as_it_is = clean.get(row["model"], {})
        row |= {f"drop_{figure}": _drop(as_it_is.get(figure, nan), row[figure]) for figure in DROPS}
    return rows


def _drop(clean: float, degraded: float) -> float:
    """The relative drop; NaN where there was nothing to lose."""
    return (clean - degraded) / clean if clean > 0 else nan
