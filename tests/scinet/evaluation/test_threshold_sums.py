import numpy as np
import pandas as pd
import pytest
from rasterio.transform import Affine

from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.scores import Scores
from scinet.evaluation.threshold_sums import (
    THRESHOLDS,
    best_threshold,
    has_threshold_sums,
    scores_by_threshold,
    threshold_sums,
)
from scinet.raster.raster import Raster


def tile(seed: int, nodata_rows: int = 0) -> tuple[np.ndarray, Raster, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.zeros((40, 50), np.int32)
    labels[5:20, 5:25], labels[25:35, 30:45] = 1, 2
    labels[0, :4] = -1
    probability = np.clip(0.6 * (labels > 0) + random.normal(0.25, 0.2, labels.shape), 0, 1).astype(np.float32)
    valid = np.ones(labels.shape, bool)
    valid[:nodata_rows] = False
    return probability, Raster(np.zeros((40, 50, 3), np.uint8), valid, Affine(1, 0, 0, 0, -1, 0), None), labels


@pytest.mark.parametrize("min_area_m2", [0.0, 12.0])
def test_sums_at_the_benchmarks_threshold_are_those_of_the_diagnosis(min_area_m2: float) -> None:
    from scinet.evaluation.evaluate import evaluate

    probability, raster, labels = tile(0, nodata_rows=8)
    found = threshold_sums(probability, raster, labels, min_area_m2)
    at = THRESHOLDS.index(0.5)
    evaluation = evaluate(probability, raster, lambda _: labels, min_area_m2=min_area_m2)
    assert evaluation.diagnosis is not None
    tally = evaluation.diagnosis.tally
    assert (found["predicted_at"][at], found["shared_at"][at]) == (tally.predicted, tally.shared)
    assert found["predicted_at"] == sorted(found["predicted_at"], reverse=True)


def test_scores_of_pooled_sums_are_those_of_the_masks_at_that_threshold() -> None:
    rows, masks, truths = [], [], []
    for seed in range(3):
        probability, raster, labels = tile(seed)
        judged = labels >= 0
        rows.append({"true": int((labels > 0).sum()), **threshold_sums(probability, raster, labels)})
        masks.append((probability > 0.35) & judged)
        truths.append(labels > 0)
    table = scores_by_threshold(pd.DataFrame(rows)).set_index("threshold")
    whole = diagnose(np.concatenate(truths), np.concatenate(masks), pixel_area_m2=1.0)
    expected = Scores.of(whole.counts)
    assert table.loc[0.35].to_dict() == pytest.approx(expected._asdict(), abs=1e-9)
    assert table["recall"].is_monotonic_decreasing


def test_rows_without_sums_are_left_out() -> None:
    probability, raster, labels = tile(0)
    row = {"true": int((labels > 0).sum()), **threshold_sums(probability, raster, labels)}
    old = {"true": 1000, "predicted_at": None, "shared_at": None}
    both, one = pd.DataFrame([row, old]), pd.DataFrame([row])
    assert scores_by_threshold(both).equals(scores_by_threshold(one))
    assert has_threshold_sums(both) and not has_threshold_sums(pd.DataFrame([old]))
    assert not has_threshold_sums(pd.DataFrame({"true": [1]}))


def test_the_best_threshold_is_that_of_the_highest_score_and_its_gain_is_held_out() -> None:
    rows = []
    for seed in range(4):
        probability, raster, labels = tile(seed)
        sums = threshold_sums(probability * np.float32(0.6), raster, labels)  # a model that is too timid
        rows.append({"image": f"{seed}.png", "true": int((labels > 0).sum()), **sums})
    tiles = pd.DataFrame(rows)
    best = best_threshold(tiles, "iou")
    table = scores_by_threshold(tiles).set_index("threshold")["iou"]
    assert best.threshold == table.idxmax() < 0.5 and best.score == table.max()
    halves = [scores_by_threshold(tiles.iloc[half]).set_index("threshold")["iou"] for half in ([0, 2], [1, 3])]
    expected = np.mean([halves[1][halves[0].idxmax()], halves[0][halves[1].idxmax()]])
    assert best.held_out == pytest.approx(expected) and best.usual == pytest.approx(np.mean([h[0.5] for h in halves]))
    assert np.isnan(best_threshold(tiles.head(1), "iou").held_out)
