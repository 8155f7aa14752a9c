import json
import shutil

import pandas as pd
import pytest

from scinet.benchmark import read_benchmark
from scinet.checkpoint import REPOSITORY_FOLDER
from scinet.errors import BenchmarkError
from scinet.scores import Counts, iou


@pytest.fixture
def copy(tmp_path):
    for name in ("benchmark.json", "benchmark.parquet"):
        shutil.copy(REPOSITORY_FOLDER / name, tmp_path)
    return tmp_path


def test_scores_are_those_of_the_tiles():
    benchmark = read_benchmark(REPOSITORY_FOLDER)
    rows = benchmark.at("unet", 10.0)
    assert set(rows["dataset"]) == set(benchmark.floor)
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
    assert benchmark.scores["is_native"].sum() == len(benchmark.models) * len(benchmark.floor) * 2


def test_nothing_there_is_no_error(tmp_path):
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
