import json
import shutil
from contextlib import suppress

import pandas as pd
import pytest

from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark import ALL_SETS, read_benchmark, same_tiles, tile_sets
from scinet.evaluation.scores import Counts, iou
from scinet.models.card import REPOSITORY_FOLDER


@pytest.fixture
def copy(tmp_path):
    for name in ("benchmark.json", "benchmark.parquet"):
        shutil.copy(REPOSITORY_FOLDER / name, tmp_path)
    return tmp_path


def test_scores_are_those_of_the_tiles():
    benchmark = read_benchmark(REPOSITORY_FOLDER)
    rows = benchmark.at("unet", 10.0)
    assert set(rows["dataset"]) == set(benchmark.baseline)
    tiles = benchmark.tiles
    tiles = tiles[(tiles["model"] == "unet") & (tiles["cm_per_px"] == 10) & (tiles["grid"] == "working")]
    for row in rows.itertuples():
        shared, true, predicted = (
            int(tiles.loc[tiles["dataset"] == row.dataset, name].sum()) for name in ("shared", "true", "predicted")
        )
        assert row.micro_iou == pytest.approx(iou(Counts(shared, predicted - shared, true - shared)), abs=1e-5)
        assert row.omission == pytest.approx(1 - shared / true, abs=1e-5)


def test_a_gsd_takes_the_nearest_step_or_none():
    benchmark = read_benchmark(REPOSITORY_FOLDER)
    assert set(benchmark.at("sci-net", 11.0)["cm_per_px"]) == {10.0}
    assert set(benchmark.at("sci-net", 9.0, "native")["grid"]) == {"native"}
    assert benchmark.at("sci-net", 100.0).empty
    assert benchmark.at("no such model", 10.0).empty
    assert benchmark.scores["is_native"].sum() == len(benchmark.models) * len(benchmark.baseline) * 2


def test_a_missing_benchmark_is_not_an_error(tmp_path):
    assert read_benchmark(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": 1}', "\udce9"])
def test_a_damaged_benchmark_is_said(copy, text):
    (copy / "benchmark.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BenchmarkError, match=r"benchmark\.json"):
        read_benchmark(copy)


def test_missing_tiles_are_said(copy):
    pd.DataFrame({"model": ["unet"]}).to_parquet(copy / "benchmark.parquet")
    with pytest.raises(BenchmarkError, match="city"):
        read_benchmark(copy)
    (copy / "benchmark.parquet").write_text(json.dumps({}))
    with pytest.raises(BenchmarkError):
        read_benchmark(copy)


def test_sets_hold_the_same_ground_once():
    tiles = read_benchmark(REPOSITORY_FOLDER).tiles
    sets = tile_sets(tiles)
    first, *others = sets
    assert first == ALL_SETS
    assert sorted(image for name in others for image in sets[name]) == sorted(tiles["image"].unique())
    chosen = tiles[tiles["image"].isin(sets[ALL_SETS])]
    assert chosen["dataset"].nunique() == 4
    assert (chosen.groupby("dataset")["native_cm_per_px"].nunique() == 1).all()


def test_a_curve_of_the_same_tiles_has_all_of_them_at_every_step():
    benchmark = read_benchmark(REPOSITORY_FOLDER)
    tiles, steps = benchmark.tiles, benchmark.steps_cm_per_px
    rows = same_tiles(tiles[tiles["image"].isin(tile_sets(tiles)[ALL_SETS])], steps)
    assert sorted(rows["cm_per_px"].unique()) == [7.5, 10, 15, 20, 30, 40, 60]  # 13.23 cm/px tiles have no 5.18
    assert rows.groupby("cm_per_px")["image"].nunique().nunique() == 1
    banepa = same_tiles(tiles[tiles["dataset"] == "banepa"], steps)
    assert sorted(banepa["cm_per_px"].unique())[:3] == [7.5, 10, 13.23]


ODD = [None, True, 0, -1, 10**400, 1e999, "x", [], {}, [[]], {"a": 1}]


def test_any_value_anywhere_in_a_benchmark_is_read_or_a_sentence(copy):
    content = json.loads((copy / "benchmark.json").read_text())
    row, cost = content["rows"][0], content["costs"]["unet"]
    content |= {"rows": [row], "costs": {"unet": cost}, "estimates": []}
    changed = [content | {key: odd} for key in content for odd in ODD]
    changed += [content | {"rows": [row | {key: odd}]} for key in row for odd in ODD]
    changed += [content | {"rows": [row | {"micro": row["micro"] | {"iou": odd}}]} for odd in ODD]
    changed += [content | {"costs": {"unet": cost | {key: odd}}} for key in cost for odd in ODD]
    for value in changed:
        (copy / "benchmark.json").write_text(json.dumps(value))
        with suppress(BenchmarkError):
            read = read_benchmark(copy)
            assert set(read.models) <= {row["model"], "x"}
            assert read.at("unet", 10.0).empty


@pytest.mark.parametrize("text", ["[" * 5000, '{"threshold": ' * 5000])
def test_a_deeply_nested_benchmark_is_said(copy, text):
    (copy / "benchmark.json").write_text(text)
    with pytest.raises(BenchmarkError, match="nested too deeply"):
        read_benchmark(copy)


def test_tiles_of_another_type_are_said(copy):
    tiles = pd.read_parquet(copy / "benchmark.parquet")
    tiles.assign(pixels="many").to_parquet(copy / "benchmark.parquet")
    with pytest.raises(BenchmarkError, match="pixels does not hold numbers"):
        read_benchmark(copy)
