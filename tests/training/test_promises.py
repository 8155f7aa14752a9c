"""Conformal promises on rows of tiles."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scinet.models.promise import THRESHOLDS, Promise
from scinet.models.scaling import logit_histogram
from training.promises import check_promised, fit_promised, mean_at, tried


def tile(random: np.random.Generator, place: str, shift: float = 0.0) -> dict[str, Any]:
    """A tile of 2,000 px of a model that is too unsure of buildings by a shift of its logits."""
    true = random.normal(random.uniform(-2, 0), 3, 2000)
    is_building = random.random(2000) < 1 / (1 + np.exp(-true))
    probability = (1 / (1 + np.exp(-(true - shift)))).astype(np.float32)
    histograms = logit_histogram(probability).tolist(), logit_histogram(probability, is_building).tolist()
    return {"place": place, "cm_per_px": 10.0, "all": histograms[0], "buildings": histograms[1]}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame([tile(random, place) for place in "abc" for _ in range(60)])


def test_promises_hold_on_other_tiles_of_such_places_and_give_little_away(rows: pd.DataFrame) -> None:
    (fitted,) = fit_promised(rows)
    random = np.random.default_rng(1)
    others = pd.DataFrame([tile(random, "d") for _ in range(300)])
    for promise in (Promise("recall", 0.9), Promise("precision", 0.8)):
        threshold = fitted.threshold(promise)
        assert threshold is not None
        assert promise.least - 0.01 <= mean_at(others, promise.quantity, threshold) <= promise.least + 0.08


def test_promises_go_one_way_with_the_threshold_and_never_exceed_what_few_tiles_can_show(rows: pd.DataFrame) -> None:
    (fitted,) = fit_promised(rows.groupby("place").head(9))
    assert (np.diff(fitted.recall) <= 0).all() and (np.diff(fitted.precision) >= 0).all()
    assert max(*fitted.recall, *fitted.precision) <= 1 - 1 / 10 + 1e-3


def test_the_strangest_place_decides(rows: pd.DataFrame) -> None:
    random = np.random.default_rng(2)
    strange = pd.DataFrame([tile(random, "s", shift=2.0) for _ in range(60)])
    promise = Promise("recall", 0.8)
    usual, careful = (fit_promised(each)[0].threshold(promise) for each in (rows, pd.concat([rows, strange])))
    assert usual is not None and careful is not None and careful < usual


def test_a_promise_is_tried_in_each_place_without_it_in_the_fit(rows: pd.DataFrame) -> None:
    random = np.random.default_rng(2)
    strange = pd.DataFrame([tile(random, "s", shift=2.0) for _ in range(60)])
    checked = check_promised(pd.concat([rows, strange], ignore_index=True))
    at = checked[(checked["quantity"] == "recall") & (checked["least"] == 0.8)].set_index("place")["found"]
    assert at["s"] < 0.8 and (at[["a", "b", "c"]] > 0.8).all()
    row = next(each for each in tried(checked) if (each.quantity, each.least) == ("recall", 0.8))
    assert row.worst == pytest.approx(at.min(), abs=1e-3) and row.mean == pytest.approx(at.mean(), abs=1e-3)


def test_tiles_without_buildings_say_nothing_of_recall(rows: pd.DataFrame) -> None:
    empty = tile(np.random.default_rng(0), "a") | {"buildings": [0] * 64}
    assert fit_promised(pd.concat([rows, pd.DataFrame([empty] * 50)], ignore_index=True)) == fit_promised(rows)


def test_nothing_above_the_threshold_is_nothing_wrong(rows: pd.DataFrame) -> None:
    faint = rows.head(1).assign(all=[[1000] + [0] * 63], buildings=[[100] + [0] * 63])
    assert mean_at(faint, "precision", THRESHOLDS[-1]) == 1
    assert mean_at(faint, "recall", THRESHOLDS[-1]) == 0
