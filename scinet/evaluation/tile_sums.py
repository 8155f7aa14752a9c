"""The sums of a tile that object scores are made of, as columns of a table with one row per tile.

Sums of tiles add up, so scores of any tiles together follow from them, and so do bootstrap intervals. Only average
precision needs more than sums of numbers: the components by their confidence, in CONFIDENCE_STEPS steps of 0.02.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinet.evaluation.object_scores import MATCH_IOU, ObjectTally, Ranking

SIZE_CLASSES = ("under_20_m2", "20_to_50_m2", "50_to_200_m2", "over_200_m2")
CONFIDENCE_STEPS = 25  # from 0.5, the threshold of the benchmark, to 1
NUMBERS = (
    "buildings",
    "components",
    "matches",
    "match_iou",
    *(f"matches_{size}" for size in SIZE_CLASSES),
    *(f"buildings_{size}" for size in SIZE_CLASSES),
    "boundary_tp",
    "boundary_fp",
    "boundary_fn",
    "merged_touching_px",
)
RANKED = ("ranked_matches", "ranked_others")  # int (CONFIDENCE_STEPS,), the most confident first
OBJECT_METRICS = (
    "object_f1",
    "object_precision",
    "object_recall",
    "object_average_precision",
    "object_panoptic_quality",
    "object_boundary_iou",
    *(f"object_recall_{size}" for size in SIZE_CLASSES),
    "object_count_error",
)

Floats = NDArray[np.float64]


def object_sums(tally: ObjectTally) -> dict[str, Any]:
    """The columns of a tile, NUMBERS and RANKED, from its tally."""
    assert tally.boundary is not None and tally.ranking is not None
    values = [
        tally.buildings,
        tally.components,
        tally.counts(MATCH_IOU).tp,
        round(tally.iou, 3),
        *tally.matches_by_size.tolist(),
        *tally.buildings_by_size.tolist(),
        tally.boundary.tp,
        tally.boundary.fp,
        tally.boundary.fn,
        tally.merged_touching_px,
    ]
    return {**dict(zip(NUMBERS, values, strict=True)), **_ranked(tally.ranking)}


def sums_matrix(tiles: pd.DataFrame) -> Floats:
    """NUMBERS and then both of RANKED, float64 (rows, columns); NaN in rows of a table that does not know them."""
    width = len(NUMBERS) + len(RANKED) * CONFIDENCE_STEPS
    if not {*NUMBERS, *RANKED} <= set(tiles.columns):
        return np.broadcast_to(np.nan, (len(tiles), width))
    matrix = np.full((len(tiles), width), np.nan)
    known = tiles["buildings"].notna().to_numpy()
    rows = tiles[known]
    matrix[np.ix_(known, range(len(NUMBERS)))] = rows[list(NUMBERS)].to_numpy(float)
    for index, name in enumerate(RANKED):
        start = len(NUMBERS) + index * CONFIDENCE_STEPS
        if len(rows):
            matrix[known, start : start + CONFIDENCE_STEPS] = np.stack(rows[name].to_list())
    return matrix


def object_scores_of(sums: Floats) -> dict[str, Floats]:
    """OBJECT_METRICS from sums float64 (..., columns of `sums_matrix`); NaN where there is nothing to score.

    The scores are those of `ObjectTally.scores`, but that average precision ranks the components in steps.
    """
    names = dict(zip(NUMBERS, np.moveaxis(sums[..., : len(NUMBERS)], -1, 0), strict=True))
    ranked = sums[..., len(NUMBERS) :]
    matches, buildings, components = names["matches"], names["buildings"], names["components"]
    nothing = buildings + components == 0
    partners = (buildings + components) / 2
    boundary = names["boundary_tp"] + names["boundary_fp"] + names["boundary_fn"]
    return {
        "object_f1": np.where(nothing, 1.0, _ratio(matches, partners)),
        "object_precision": _ratio(matches, components),
        "object_recall": _ratio(matches, buildings),
        "object_average_precision": _average_precision(
            ranked[..., :CONFIDENCE_STEPS], ranked[..., CONFIDENCE_STEPS:], buildings
        ),
        "object_panoptic_quality": np.where(nothing, 1.0, _ratio(names["match_iou"], partners)),
        "object_boundary_iou": np.where(boundary == 0, 1.0, _ratio(names["boundary_tp"], boundary)),
        **{
            f"object_recall_{size}": _ratio(names[f"matches_{size}"], names[f"buildings_{size}"])
            for size in SIZE_CLASSES
        },
        "object_count_error": _ratio(components - buildings, buildings),
    }


def _ranked(ranking: Ranking) -> dict[str, Any]:
    step = np.clip(np.ceil((1 - ranking.confidence) * 2 * CONFIDENCE_STEPS) - 1, 0, CONFIDENCE_STEPS - 1).astype(int)
    counted = [
        np.bincount(step[chosen], minlength=CONFIDENCE_STEPS) for chosen in (ranking.is_match, ~ranking.is_match)
    ]
    return dict(zip(RANKED, (counts.tolist() for counts in counted), strict=True))


def _average_precision(matches: Floats, others: Floats, buildings: Floats) -> Floats:
    """Of components in steps of confidence, (..., steps): the mean highest precision at the recalls 0, 0.01, ..., 1."""
    found, wrong = np.cumsum(matches, axis=-1), np.cumsum(others, axis=-1)
    precision = np.nan_to_num(_ratio(found, found + wrong))
    best = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    reached = np.floor(100 * _ratio(found, np.broadcast_to(buildings[..., np.newaxis], found.shape)) + 1e-9) + 1
    newly = np.diff(reached, axis=-1, prepend=0)  # recalls that a step is the first to reach
    scores: Floats = (best * newly).sum(axis=-1) / 101
    return scores


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
