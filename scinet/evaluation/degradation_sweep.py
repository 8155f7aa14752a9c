"""One image at one resolution, degraded step by step: how far each score falls."""

from collections.abc import Sequence
from math import nan
from typing import Any

from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.sweep_rows import SweepPoint, sweep_rows
from scinet.evaluation.truth import Truth
from scinet.models.model import Model
from scinet.progress import ReportProgress
from scinet.raster.degrade import AMOUNTS, Degradation, DegradationName
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
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
        Rows by model and amount, with the columns of `sweep_rows`, "degradation", "amount" and "drop_iou" and so on.

    Raises:
        ResolutionError: The image does not fit in memory at this resolution.
    """
    clean = resample(raster, cm_per_px)
    amounts = AMOUNTS[name]
    rows = []
    for number, model in enumerate(models):
        first: dict[str, Any] = {}
        for i, amount in enumerate(amounts):
            image = Degradation(name, amount).apply(clean)
            probability = segment(image, model, strategy=Strategy.of(strategy)).probability
            found = evaluate(probability, image, truth, threshold=threshold, area=area)
            is_partial = isinstance(truth, Truth) and truth.is_partial
            point = SweepPoint.of(
                model.card.title, cm_per_px, {"working": found, "native": found}, is_partial=is_partial
            )
            row = next(row for row in sweep_rows([point]) if row["grid"] == "working")
            first = first or row
            drops = {f"drop_{figure}": _drop(first[figure], row[figure]) for figure in DROPS}
            rows.append({"degradation": name, "amount": amount, **row, **drops})
            if progress:
                progress((number * len(amounts) + i + 1) / (len(models) * len(amounts)))
    return rows


def _drop(clean: float, degraded: float) -> float:
    """The relative drop; NaN where there was nothing to lose."""
    return (clean - degraded) / clean if clean > 0 else nan
