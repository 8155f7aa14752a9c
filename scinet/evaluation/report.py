"""The account of one mask as JSON: what was asked, what came out, and what is wrong with it."""

import json
from collections import Counter
from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.diagnose import BUILDING_KINDS, COMPONENT_KINDS, Diagnosis
from scinet.evaluation.evaluate import Evaluation
from scinet.evaluation.partial import without_unlabelled
from scinet.evaluation.scores import Scores
from scinet.models.card import Card
from scinet.raster.raster import Raster
from scinet.segmentation.strategies import Strategy, StrategyName


def report(
    image: str,
    card: Card,
    strategy: Strategy | StrategyName,
    working: Evaluation,
    native: Evaluation,
    *,
    is_partial: bool = False,
) -> dict[str, Any]:
    """Everything that is known of a mask: plain values, ready for `to_json`.

    Args:
        image: What to call the image.
        card: The model's card.
        strategy: What the model saw.
        working: The evaluation on the working grid.
        native: The evaluation of the same probability on the image's own grid.
        is_partial: Whether the reference does not name every building: figures that would need that are left out.

    Returns:
        "image", "model", "settings", "working", "mask", and what needs reference buildings: "truth" has the working
        grid's scores, error shares, object scores and buildings by kind, "native" the scores of the mask brought back.
        Both are None without them. Scores and shares are in [0, 1], NaN where there is nothing to score.
    """
    strategy = Strategy.of(strategy)
    mask, raster, at_native = working.prediction, working.raster, native.raster
    return {
        "image": {"name": image, **_grid(at_native), "crs": _crs_name(at_native), "notes": list(at_native.notes)},
        "model": {"name": card.name, "architecture": card.architecture, "sha256": card.sha256},
        "settings": {
            "strategy": strategy.name,
            "places": strategy.places,
            "flips": strategy.flips,
            "scales": list(strategy.scales(card, raster.cm_per_px)),
            "threshold": working.threshold,
            "min_area_m2": working.min_area_m2,
        },
        "working": {**_grid(raster), "pixel_area_m2": raster.pixel_area_m2},
        "mask": {
            "building_area_m2": working.building_area_m2,
            "share_of_valid_pixels": float(mask.sum() / raster.valid.sum()) if raster.valid.any() else nan,
            "components": working.predicted.sizes_px.size,
        },
        "truth": None if working.diagnosis is None else _against_truth(working, working.diagnosis, is_partial),
        "native": None
        if native.diagnosis is None
        else {"grid": "native", **_scores(native, native.diagnosis, is_partial)},
    }


def to_json(content: dict[str, Any]) -> str:
    """A report as JSON text; NaN, which JSON does not know, becomes null."""
    return json.dumps(without_nan(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _against_truth(evaluation: Evaluation, diagnosis: Diagnosis, is_partial: bool) -> dict[str, Any]:
    return {
        "grid": "working",
        "counts_px": {"tp": diagnosis.counts.tp, "fp": diagnosis.counts.fp, "fn": diagnosis.counts.fn},
        **_scores(evaluation, diagnosis, is_partial),
        "buildings": _by_kind(diagnosis.buildings.kind, BUILDING_KINDS),
        "components": _by_kind(diagnosis.components.kind, COMPONENT_KINDS),
    }


def _scores(evaluation: Evaluation, diagnosis: Diagnosis, is_partial: bool) -> dict[str, Any]:
    assert evaluation.objects is not None
    figures = {
        "scores": Scores.of(diagnosis.counts)._asdict(),
        "shares": diagnosis.shares._asdict(),
        "objects": evaluation.objects.tally.scores._asdict(),
    }
    return {group: without_unlabelled(found) if is_partial else found for group, found in figures.items()}


def _by_kind(kinds: NDArray[np.str_], names: Sequence[str]) -> dict[str, int]:
    counted = Counter(kinds.tolist())
    return {name: counted[name] for name in names}


def _grid(raster: Raster) -> dict[str, Any]:
    return {"width_px": raster.width, "height_px": raster.height, "cm_per_px": raster.cm_per_px}


def _crs_name(raster: Raster) -> str | None:
    """Its code ("EPSG:32630"), else its WKT."""
    return raster.crs.to_string() if raster.crs else None


def without_nan(value: Any) -> Any:
    """A value of JSON, with None in place of each NaN in it."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
