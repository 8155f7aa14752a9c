"""`scinet sweep --out`: one table for many tiles."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scinet.batch import sweeps
from scinet.cli.main import STOPPED, main

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def tiles(scene: Path, truth: Path, tmp_path: Path) -> Path:
    """Two tiles with a reference, and one without."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(scene, folder / f"{name}.tif")
    shutil.copy(truth, folder / "truth.geojson")
    rows = ["a.tif,truth.geojson,Town,test", "b.tif,truth.geojson,Town,train", "c.tif,,Village,test"]
    (folder / "index.csv").write_text("\n".join(["image,mask,city,split", *rows]) + "\n")
    return folder


def command(tiles: Path, out: Path, *more: object) -> list[str]:
    limits = ["--from", "9", "--to", "13", "--device", "cpu", "--model", "unet"]
    return ["sweep", str(tiles), "--out", str(out), *limits, *map(str, more)]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def manifest(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_table_has_a_row_per_model_tile_and_resolution_with_the_figures_of_one_sweep(
    tiles: Path, tmp_path: Path, run_json: Any
) -> None:
    out = tmp_path / "sweep.csv"
    assert main(command(tiles, out, "--model", "sci-net")) == 0
    rows = table(out)
    assert len(rows) == len({(row["model"], row["tile"], row["cm_per_px"]) for row in rows}) == 2 * 3 * 2
    assert {(row["tile"], row["city"], row["split"]) for row in rows} == {
        *(("a", "Town", "test"), ("b", "Town", "train"), ("c", "Village", "test"))
    }
    alone = run_json("sweep", tiles / "a.tif", "--truth", tiles / "truth.geojson", *command(tiles, out)[4:])["rows"]
    for row in (row for row in rows if (row["tile"], row["model"]) == ("a", "UNet")):
        by_grid = {each["grid"]: each for each in alone if each["cm_per_px"] == float(row["cm_per_px"])}
        assert float(row["iou"]) == pytest.approx(by_grid["working"]["iou"])
        assert float(row["native_grid_object_f1"]) == pytest.approx(by_grid["native"]["object_f1"])
        assert float(row["building_area_m2"]) == pytest.approx(by_grid["working"]["building_area_m2"])
    assert {row["iou"] for row in rows if row["tile"] == "c"} == {""}
    said = manifest(tmp_path / "sweep.manifest.jsonl")
    assert len(said) == len(rows) and all(row["state"] == "done" and row["seconds"] >= 0 for row in said)


def test_no_table_is_announced_where_nothing_could_be_read(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "a.tif").write_bytes(b"no image")
    out = tmp_path / "sweep.csv"
    assert main(command(tmp_path / "a.tif", out)) == 3
    printed = capsys.readouterr()
    assert "1 of 1 jobs failed" in printed.err and printed.out == ""
    assert not out.exists()


def test_a_job_that_fails_stops_no_other_and_is_tried_again(tiles: Path, tmp_path: Path, capsys: Printed) -> None:
    out, whole = tmp_path / "sweep.parquet", (tiles / "a.tif").read_bytes()
    (tiles / "a.tif").write_bytes(b"no image")
    assert main(command(tiles, out)) == 3
    said = capsys.readouterr().err
    assert "scinet: a: a.tif" in said and "1 of 5 jobs failed" in said
    assert set(pd.read_parquet(out)["tile"]) == {"b", "c"}
    (tiles / "a.tif").write_bytes(whole)
    assert main(command(tiles, out, "--resume")) == 0
    found = pd.read_parquet(out)
    assert set(found["tile"]) == {"a", "b", "c"} and found["iou"].dtype == float


def test_an_interrupted_sweep_does_nothing_twice(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    out, swept = tmp_path / "sweep.csv", list[str]()
    sweep_tile = sweeps.sweep_tile

    def stops_at_b(job: sweeps.SweepJob) -> sweeps.Swept:
        if job.source.name == "b" and len(swept) == 2:
            raise KeyboardInterrupt
        swept.append(job.name)
        return sweep_tile(job)

    monkeypatch.setattr(sweeps, "sweep_tile", stops_at_b)
    assert main(command(tiles, out)) == STOPPED
    assert "--resume" in capsys.readouterr().err and not out.exists()
    assert [row["state"] for row in manifest(tmp_path / "sweep.manifest.jsonl")] == ["done"] * 2 + ["pending"] * 4
    swept.append("")
    assert main(command(tiles, out, "--resume")) == 0
    assert len(swept) == len({*swept}) == 7 and len(table(out)) == 6


def test_other_options_are_not_mixed_with_what_is_done(tiles: Path, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "sweep.csv"
    assert main(command(tiles, out)) == 0
    assert main(command(tiles, out, "--resume", "--threshold", "0.4")) == 2
    assert "was done with other options" in capsys.readouterr().err


def test_array_jobs_share_the_tiles_and_their_tables_are_joined(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sweep.csv"
    for number in (1, 2):
        assert main(command(tiles, out, "--job", f"{number}/2")) == 0
    parts = [table(tmp_path / f"sweep-{number}-of-2.csv") for number in (1, 2)]
    assert [{row["tile"] for row in rows} for rows in parts] == [{"a", "c"}, {"b"}] and not out.exists()
    monkeypatch.setattr(sweeps, "sweep_tile", lambda _: pytest.fail("swept twice"))
    assert main(command(tiles, out, "--resume")) == 0
    assert len(table(out)) == 6


def test_one_reference_can_be_that_of_all_tiles(tiles: Path, truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep.csv"
    assert main(command(tiles, out, "--truth", truth, "--not-all-labelled")) == 0
    assert all(row["recall"] and not row["iou"] for row in table(out))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--report", "x.html"], "are for a single image"),
        (["--from", "40", "--to", "20"], "give the finest first"),
        (["--model", "nothing"], "nothing"),
        (["--out", "sweep.xlsx"], "has to end with .csv or .parquet"),
        (["--out", "none/sweep.csv"], "its folder does not exist"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(
    tiles: Path, tmp_path: Path, more: list[str], said: str, capsys: Printed
) -> None:
    assert main(command(tiles, tmp_path / "sweep.csv", *more)) == 2
    assert said in capsys.readouterr().err


def test_engines_and_several_images_need_a_table(scene: Path, capsys: Printed) -> None:
    assert main(["sweep", str(scene), "--model", "unet", "--workers", "2"]) == 2
    assert "are for --out FILE" in capsys.readouterr().err
    assert main(["sweep", str(scene), str(scene), "--model", "unet"]) == 2
    assert "Give one image, or any number of tiles" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_give_the_table_of_one(tiles: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    assert main(command(tiles, one)) == main(command(tiles, two, "--workers", "2")) == 0
    assert table(one) == table(two)
