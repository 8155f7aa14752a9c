"""The account of one mask as JSON: what was asked, what came out, and what is wrong with it."""

import json
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.diagnose import BUILDING_KINDS, COMPONENT_KINDS, Diagnosis
from scinet.evaluation.scores import Scores
from scinet.models.card import Card
from scinet.raster.components import components
from scinet.raster.raster import Raster
from scinet.segmentation.strategies import Strategy


def report(
    image: str,
    native: Raster,
    working: Raster,
    card: Card,
    mask: NDArray[np.bool_],
    diagnosis: Diagnosis | None,
    *,
    strategy: Strategy,
    threshold: float,
    min_area_m2: float = 0.0,
) -> dict[str, Any]:
    """Everything that is known of `mask`, bool (H, W) on `working`'s grid: plain values, ready for `to_json`.

    `image` is what to call it. Scores and shares are those of the working grid, in [0, 1], NaN where there
    is nothing to score; "truth" is None where there is no diagnosis.
    """
    return {
        "image": {"name": image, **_grid(native), "crs": _crs_name(native), "notes": list(native.notes)},
        "model": {"name": card.name, "architecture": card.architecture, "sha256": card.sha256},
        "settings": {"strategy": strategy, "threshold": threshold, "min_area_m2": min_area_m2},
        "working": {**_grid(working), "pixel_area_m2": working.pixel_area_m2},
        "mask": {
            "building_area_m2": int(mask.sum()) * working.pixel_area_m2,
            "share_of_valid_pixels": float(mask.sum() / working.valid.sum()) if working.valid.any() else float("nan"),
            "components": (components(mask) if diagnosis is None else diagnosis.predicted).sizes_px.size,
        },
        "truth": None if diagnosis is None else _against_truth(diagnosis),
    }


def to_json(content: dict[str, Any]) -> str:
    """A report as JSON text; NaN, which JSON does not know, becomes null."""
    return json.dumps(_without_nan(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _against_truth(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "grid": "working",
        "counts_px": {"tp": diagnosis.counts.tp, "fp": diagnosis.counts.fp, "fn": diagnosis.counts.fn},
        "scores": Scores.of(diagnosis.counts)._asdict(),
        "shares": diagnosis.shares._asdict(),
        "buildings": _by_kind(diagnosis.buildings.kind, BUILDING_KINDS),
        "components": _by_kind(diagnosis.components.kind, COMPONENT_KINDS),
    }


def _by_kind(kinds: NDArray[np.str_], names: Sequence[str]) -> dict[str, int]:
    counted = Counter(kinds.tolist())
    return {name: counted[name] for name in names}


def _grid(raster: Raster) -> dict[str, Any]:
    return {"width_px": raster.width, "height_px": raster.height, "cm_per_px": raster.cm_per_px}


def _crs_name(raster: Raster) -> str | None:
    """Its code ("EPSG:32630"), else its WKT."""
    return raster.crs.to_string() if raster.crs else None


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
