"""`scinet benchmark`: rows of test tiles in a file that the page Benchmark opens."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scinet.batch import tile_scores
from scinet.cli.main import STOPPED, main
from scinet.evaluation.benchmark_rows import read_rows
from scinet.evaluation.tile_scoring import score_tile, tiles_to_score
from scinet.models.checkpoint import load_model

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def folder(scene: Path, truth: Path, tmp_path: Path) -> Path:
    """Two test tiles, and one of the training."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(scene, folder / f"{name}.tif")
    shutil.copy(truth, folder / "truth.geojson")
    rows = [f"{name}.tif,truth.geojson,mine,Town,{split}" for name, split in (("a", "test"), ("b", ""), ("c", "train"))]
    (folder / "index.csv").write_text("\n".join(["image,mask,dataset,city,split", *rows]) + "\n")
    return folder


def run(folder: Path, out: Path, *more: str) -> int:
    options = ["--data", str(folder), "--out", str(out), "--strategy", "direct", "--device", "cpu", *more]
    return main(["benchmark", "--model", "unet", *options])


def test_the_file_has_the_rows_of_every_test_tile(folder: Path, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "mine.parquet"
    assert run(folder, out) == 0
    rows = read_rows(out.read_bytes(), out.name)
    assert set(rows["image"]) == {"a.tif", "b.tif"} and set(rows["model"]) == {"unet"}
    expected = pd.DataFrame(score_tile(load_model("unet"), folder, ["direct"], tiles_to_score(folder)[0]))
    found = rows[rows["image"] == "a.tif"].reset_index(drop=True)
    assert found[["cm_per_px", "grid", "shared", "predicted"]].equals(
        expected[["cm_per_px", "grid", "shared", "predicted"]]
    )
    assert "mine: micro-IoU" in capsys.readouterr().out and not list(tmp_path.glob("*.part"))


def test_an_interrupted_run_goes_on_where_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    scored: list[str] = []

    def stops_at(name: str) -> Callable[..., list[dict[str, Any]]]:
        def score(model: Any, folder: Path, strategies: Any, tile: Any) -> list[dict[str, Any]]:
            if tile.image.name == name:
                raise KeyboardInterrupt
            scored.append(tile.image.name)
            return score_tile(model, folder, strategies, tile)

        return score

    out = tmp_path / "mine.parquet"
    monkeypatch.setattr(tile_scores, "score_tile", stops_at("b.tif"))
    assert run(folder, out) == STOPPED
    assert not out.exists() and (tmp_path / "mine.parquet.part").is_file()
    monkeypatch.setattr(tile_scores, "score_tile", stops_at(""))
    assert run(folder, out, "--resume") == 0
    assert scored == ["a.tif", "b.tif"]
    assert set(pd.read_parquet(out)["image"]) == {"a.tif", "b.tif"}


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda folder: (folder / "index.csv").unlink(), "tiles contains no index.csv"),
        (lambda folder: (folder / "index.csv").write_text("image,split\na.tif,val\n"), "has no tile with a mask"),
    ],
)
def test_a_folder_without_test_tiles_is_said(
    folder: Path, tmp_path: Path, change: Callable[[Path], Any], said: str, capsys: Printed
) -> None:
    change(folder)
    assert run(folder, tmp_path / "mine.parquet") == 2
    assert said in capsys.readouterr().err


def test_array_jobs_share_the_tiles_and_their_files_are_joined(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine.parquet"
    assert run(folder, out, "--job", "1/2") == run(folder, out, "--job", "2/2") == 0
    parts = [pd.read_parquet(tmp_path / f"mine-{number}-of-2.parquet") for number in (1, 2)]
    assert [set(rows["image"]) for rows in parts] == [{"a.tif"}, {"b.tif"}] and not out.exists()
    monkeypatch.setattr(tile_scores, "score_tile", lambda *_: pytest.fail("scored twice"))
    assert run(folder, out, "--resume") == 0
    assert len(pd.read_parquet(out)) == sum(map(len, parts))


def test_a_tile_that_fails_stops_no_other_and_is_tried_again(folder: Path, tmp_path: Path, capsys: Printed) -> None:
    out, whole = tmp_path / "mine.parquet", (folder / "a.tif").read_bytes()
    (folder / "a.tif").write_bytes(b"no image")
    assert run(folder, out) == 3
    said = capsys.readouterr().err
    assert "scinet: a: a.tif" in said and "1 of 2 tiles could not be scored" in said
    assert not out.exists() and set(pd.read_parquet(tmp_path / "mine.parquet.part")["image"]) == {"b.tif"}
    (folder / "a.tif").write_bytes(whole)
    assert run(folder, out, "--resume") == 0
    assert set(pd.read_parquet(out)["image"]) == {"a.tif", "b.tif"} and not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_two_workers_give_the_rows_of_one(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "one.parquet") == run(folder, tmp_path / "two.parquet", "--workers", "2") == 0
    one, two = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)
