import numpy as np
import pandas as pd
import pytest

from scinet.evaluation.boundary import boundary_counts
from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.object_scores import ObjectTally
from scinet.evaluation.objects import find_objects
from scinet.evaluation.tile_sums import NUMBERS, OBJECT_METRICS, RANKED, object_scores_of, object_sums, sums_matrix


def tally(seed: int) -> ObjectTally:
    """Of buildings on a grid, and of a mask that misses some, moves some and invents some."""
    random = np.random.default_rng(seed)
    truth, probability = np.zeros((120, 120), bool), np.full((120, 120), 0.1, np.float32)
    for y in range(4, 110, 15):
        for x in range(4, 110, 15):
            height, width = random.integers(3, 12, 2)
            if random.random() < 0.8:
                truth[y : y + height, x : x + width] = True
            if random.random() < 0.8:
                shift = random.integers(0, 3)
                probability[y + shift : y + height, x : x + width] = random.uniform(0.51, 1)
    mask = probability > 0.5
    diagnosis = diagnose(truth, mask, pixel_area_m2=1.0)
    return find_objects(diagnosis, probability=probability, boundary=boundary_counts(truth, mask, width_px=1)).tally


def test_scores_of_summed_tiles_are_those_of_the_added_tallies():
    tallies = [tally(seed) for seed in range(6)]
    tiles = pd.DataFrame([object_sums(each) for each in tallies])
    found = object_scores_of(sums_matrix(tiles).sum(axis=0))
    expected = sum(tallies, ObjectTally()).scores._asdict()
    assert set(found) == set(OBJECT_METRICS)
    for name, value in found.items():
        tolerance = 0.02 if name == "object_average_precision" else 1e-3
        assert float(value) == pytest.approx(expected[name.removeprefix("object_")], abs=tolerance, nan_ok=True), name
    assert 0.2 < found["object_average_precision"] < 0.9


def test_average_precision_of_one_confidence_per_step_is_exact():
    tallies = [tally(seed) for seed in range(3)]
    for each in tallies:
        each.ranking.confidence[:] = np.ceil(each.ranking.confidence * 50) / 50 - 0.01
    tiles = pd.DataFrame([object_sums(each) for each in tallies])
    pooled = sum(tallies, ObjectTally())
    # Components of one confidence have no order; the scores agree where the matches among them come last
    order = np.lexsort((pooled.ranking.is_match, -pooled.ranking.confidence))
    matches = np.cumsum(pooled.ranking.is_match[order])
    last_of_step = np.append(np.diff(pooled.ranking.confidence[order]) != 0, True)
    precision = (matches / np.arange(1, matches.size + 1))[last_of_step]
    recall = matches[last_of_step] / pooled.buildings
    expected = np.mean([max(precision[recall >= level - 1e-9], default=0) for level in np.linspace(0, 1, 101)])
    assert float(object_scores_of(sums_matrix(tiles).sum(axis=0))["object_average_precision"]) == pytest.approx(
        expected
    )


def test_nothing_to_find_and_nothing_found_is_perfect_and_the_rest_undefined():
    sums = sums_matrix(pd.DataFrame([object_sums(ObjectTally())]))[0]
    scores = object_scores_of(sums)
    perfect = {name for name, value in scores.items() if value == 1}
    assert perfect == {"object_f1", "object_panoptic_quality", "object_boundary_iou"}
    assert all(np.isnan(scores[name]) for name in set(scores) - perfect)


def test_rows_of_a_table_without_objects_are_unknown():
    known = object_sums(tally(0))
    tiles = pd.DataFrame([known, dict.fromkeys([*NUMBERS, *RANKED])])
    matrix = sums_matrix(tiles)
    assert not np.isnan(matrix[0]).any()
    assert np.isnan(matrix[1]).all()
    assert np.isnan(sums_matrix(pd.DataFrame({"true": [1, 2]}))).all()
