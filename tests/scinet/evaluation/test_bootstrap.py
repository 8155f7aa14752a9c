from statistics import mean

import numpy as np
import pandas as pd
import pytest

from scinet.evaluation.bootstrap import (
    DRAWS,
    PIXEL_METRICS,
    bootstrap_scores,
    draws,
    estimates,
    interval,
    robustness,
    scale_gains,
)
from scinet.evaluation.scores import Counts, macro, micro
from scinet.evaluation.tile_sums import CONFIDENCE_STEPS, NUMBERS, OBJECT_METRICS, RANKED

STEPS = (10.0, 20.0, 40.0)


def tiles_of(models: dict[str, float], tiles: int = 40, loss_at_coarsest: float = 0.2) -> pd.DataFrame:
    """Rows of tiles whose IoU is a model's quality times the tile's own, falling in a straight line over log cm/px."""
    rng = np.random.default_rng(1)
    own, true = rng.uniform(0.8, 1.0, tiles), rng.integers(500, 5000, tiles)
    rows = []
    for model, quality in models.items():
        for i, cm_per_px in enumerate(STEPS):
            for tile in range(tiles):
                shared = round(true[tile] * own[tile] * (quality - loss_at_coarsest * i / (len(STEPS) - 1)))
                rows.append((model, f"{tile}.png", cm_per_px, int(true[tile]), shared, shared))
    return pd.DataFrame(rows, columns=["model", "image", "cm_per_px", "true", "predicted", "shared"])


def counts_at(table, model, cm_per_px):
    rows = table[(table["model"] == model) & (table["cm_per_px"] == cm_per_px)]
    return [Counts(r.shared, r.predicted - r.shared, r.true - r.shared) for r in rows.itertuples()]


def row(table, system, cm_per_px, metric):
    found = table[(table["system"] == system) & (table["cm_per_px"] == cm_per_px) & (table["metric"] == metric)]
    assert len(found) == 1
    return found.iloc[0]


def test_the_value_is_the_mean_of_the_seeds_scores():
    tiles = tiles_of({"sci-net": 0.9, "unet": 0.8, "unet-seed1": 0.7})
    table = estimates(tiles, "cm_per_px")
    counts = [counts_at(tiles, name, 20.0) for name in ("unet", "unet-seed1")]
    for metric, wanted in (
        ("micro_iou", [micro(c).iou for c in counts]),
        ("micro_f1", [micro(c).f1 for c in counts]),
        ("macro_iou", [macro(c).iou for c in counts]),
        ("macro_f1", [macro(c).f1 for c in counts]),
    ):
        found = row(table, "unet", 20.0, metric)
        assert found["value"] == pytest.approx(mean(wanted))
        assert (found["seed_low"], found["seed_high"]) == pytest.approx((min(wanted), max(wanted)))
        assert found["seeds"] == 2 and found["tiles"] == 40
        assert found["low"] < found["value"] < found["high"]


def test_paired_draws_find_a_difference_that_the_intervals_themselves_hide():
    rng = np.random.default_rng(0)
    true = np.full(30, 1000)
    shared = rng.integers(300, 900, 30)  # tiles differ much, systems little
    rows = [
        (model, f"{i}.png", 10.0, 1000, int(s), int(s))
        for model, less in (("sci-net", 0), ("unet", 20))
        for i, s in enumerate(shared - less)
    ]
    tiles = pd.DataFrame(rows, columns=["model", "image", "cm_per_px", "true", "predicted", "shared"])
    table = estimates(tiles, "cm_per_px")
    ours, theirs = (row(table, name, 10.0, "micro_iou") for name in ("sci-net", "unet"))
    assert ours["low"] < theirs["high"]
    assert theirs["change"] == pytest.approx(-20 / true[0], abs=1e-6)
    assert theirs["change_low"] <= theirs["change"] <= theirs["change_high"] < 0
    assert ours["change"] == ours["change_high"] == 0


def test_a_difference_is_sure_where_every_seed_agrees():
    qualities = {"sci-net": 0.9, "sci-net-seed1": 0.8, "unet": 0.7, "unet-seed1": 0.6, "manet": 0.85, "pspnet": 0.5}
    table = estimates(tiles_of(qualities), "cm_per_px")
    unet, manet, pspnet, ours = (row(table, name, 10.0, "micro_iou") for name in ("unet", "manet", "pspnet", "sci-net"))
    own = row(table, "sci-net", 10.0, "micro_iou")["value"] / 0.85  # what the tiles make of a quality of 1
    assert unet["change_seed_low"] == pytest.approx(-0.3 * own, abs=1e-3)
    assert unet["change_seed_high"] == pytest.approx(-0.1 * own, abs=1e-3)
    assert unet["sure"] and pspnet["sure"]
    assert not manet["sure"] and manet["change_seed_low"] < 0 < manet["change_seed_high"]
    assert not ours["sure"] and ours["change_seed_high"] == pytest.approx(0.1 * own, abs=1e-3)


def test_an_interval_is_as_wide_as_theory_says():
    """The mean of n tiles has a standard error of s / sqrt(n)."""
    shared = np.random.default_rng(2).integers(200, 800, (1, 400))
    true = np.full_like(shared, 1000)
    low, high = interval(bootstrap_scores(true, shared, shared)["macro_iou"][0])
    assert high - low == pytest.approx(2 * 1.96 * (shared / 1000).std() / 20, rel=0.1)


def test_draws_are_the_same_each_time_and_of_the_same_size():
    assert draws(7).shape == (DRAWS + 1, 7)
    assert (draws(7).sum(axis=1) == 7).all()
    draws.cache_clear()
    first = draws(7)
    draws.cache_clear()
    assert (draws(7) == first).all()


def test_without_the_reference_there_is_no_change():
    table = estimates(tiles_of({"unet": 0.8}), "cm_per_px")
    for name in ("change", "change_low", "change_seed_high"):
        assert table[name].isna().all()
    assert not table["sure"].any()


def test_a_seed_without_all_tiles_is_left_out():
    tiles = tiles_of({"unet": 0.8, "unet-seed1": 0.5})
    tiles = tiles[(tiles["model"] == "unet") | (tiles["image"] != "3.png")]
    assert set(estimates(tiles, "cm_per_px")["seeds"]) == {1}


def test_robustness_of_a_straight_line():
    tiles = tiles_of({"sci-net": 0.9, "unet": 0.9}, loss_at_coarsest=0.2)
    found = robustness(tiles).set_index("system").loc["unet"]
    scores = [micro(counts_at(tiles, "unet", gsd)).iou for gsd in STEPS]
    assert found["area"] == pytest.approx((scores[0] + 2 * scores[1] + scores[2]) / 4)
    assert found["area_low"] < found["area"] < found["area_high"]
    assert (found["best"], found["best_at"]) == (pytest.approx(scores[0]), 10.0)
    assert (found["finest"], found["coarsest"]) == (1.0, pytest.approx(scores[2] / scores[0]))


def with_objects(tiles: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The rows with ten buildings and eight components each, of which some match."""
    rng = np.random.default_rng(seed)
    matches = rng.integers(2, 8, len(tiles))
    ranked = [np.full(CONFIDENCE_STEPS, part) for part in (0, 0)]
    columns = dict.fromkeys(NUMBERS, 0) | {"buildings": 10, "components": 8}
    return tiles.assign(
        **columns, **{name: [part] * len(tiles) for name, part in zip(RANKED, ranked, strict=True)}
    ).assign(matches=matches)


def test_object_scores_have_intervals_too():
    tiles = with_objects(tiles_of({"sci-net": 0.9, "unet": 0.8}))
    table = estimates(tiles, "cm_per_px")
    assert set(table["metric"]) == {*PIXEL_METRICS, *OBJECT_METRICS}
    found = row(table, "unet", 20.0, "object_f1")
    matches = tiles[(tiles["model"] == "unet") & (tiles["cm_per_px"] == 20)]["matches"].sum()
    assert found["value"] == pytest.approx(matches / (40 * 9))
    assert found["low"] < found["value"] < found["high"]
    assert found["change_low"] <= found["change"] <= found["change_high"]


def test_a_model_without_object_sums_has_pixel_scores_alone():
    tiles = tiles_of({"sci-net": 0.9, "unet": 0.8})
    known = tiles["model"] == "unet"
    table = estimates(pd.concat([tiles[~known], with_objects(tiles[known])], ignore_index=True), "cm_per_px")
    assert set(table[table["system"] == "sci-net"]["metric"]) == set(PIXEL_METRICS)
    assert np.isnan(row(table, "unet", 20.0, "object_f1")["change"])
    assert not np.isnan(row(table, "unet", 20.0, "micro_iou")["change"])
    assert robustness(tiles, "object_f1").empty


def test_a_single_tile_has_a_score_but_no_interval():
    table = estimates(tiles_of({"sci-net": 0.9, "unet": 0.5}, tiles=1), "cm_per_px")
    found = row(table, "unet", 10.0, "micro_iou")
    assert 0 < found["value"] < 1 and found["change"] < 0
    assert table[["low", "high", "change_low", "change_high"]].isna().all(axis=None)
    assert not table["sure"].any()


def test_the_gain_of_a_strategy_is_paired_tile_by_tile():
    direct, best = tiles_of({"unet": 0.7, "unet-seed1": 0.7}), tiles_of({"unet": 0.8, "unet-seed1": 0.8})
    found = scale_gains(best, direct, "cm_per_px")
    gain = found[(found["cm_per_px"] == 10) & (found["metric"] == "micro_iou")].iloc[0]
    assert gain["gain"] == pytest.approx(gain["best"] - gain["direct"])
    assert 0 < gain["gain_low"] <= gain["gain"] <= gain["gain_high"]
    assert gain["gain_high"] - gain["gain_low"] < 0.01  # the tiles differ by far more
    assert scale_gains(best, direct[:0], "cm_per_px").empty
