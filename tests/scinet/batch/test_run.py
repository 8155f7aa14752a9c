"""Many scenes in one run: what fails, what is killed and what goes on."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import rasterio

from scinet.cli.main import main
from scinet.raster.raster import Raster
from tests.conftest import PROJECT
from tests.faults.disk import files_of_at_most

PRINTED = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _checkpoints(random_checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))


@pytest.fixture
def flight(tmp_path: Path, noise_raster: Raster) -> Path:
    """Five images; the third is none."""
    folder = tmp_path / "flight"
    folder.mkdir()
    profile = {"driver": "GTiff", "width": 128, "height": 96, "count": 3, "dtype": "uint8"}
    for name in "abde":
        pixels = np.roll(noise_raster.pixels, ord(name), axis=1)
        path = folder / f"{name}.tif"
        with rasterio.open(path, "w", transform=noise_raster.transform, crs=noise_raster.crs, **profile) as file:
            file.write(pixels.transpose(2, 0, 1))
    (folder / "c.tif").write_bytes(b"no image")
    return folder


def rows(folder: Path, name: str = "manifest.jsonl") -> dict[str, dict[str, Any]]:
    lines = (folder / name).read_text().splitlines()
    found = {row["scene"]: row for row in map(json.loads, lines)}
    assert len(found) == len(lines)  # one line per scene
    return found


def command(flight: Path, out: Path, *more: object) -> list[str]:
    return ["segment", str(flight), "--to", str(out), "--model", "unet", "--device", "cpu", *map(str, more)]


def mask(path: Path) -> Any:
    with rasterio.open(path) as file:
        return file.read(1)


def test_one_scene_that_fails_stops_no_other_and_the_manifest_says_why(
    flight: Path, tmp_path: Path, capsys: PRINTED
) -> None:
    out = tmp_path / "masks"
    assert main(command(flight, out, "--footprints", tmp_path / "polygons")) == 3
    found = rows(out)
    assert {name: row["state"] for name, row in found.items()} == dict.fromkeys("abde", "done") | {"c": "failed"}
    assert "c.tif" in found["c"]["error"] and found["c"]["error"] in capsys.readouterr().err
    assert all(row["seconds"] >= 0 and len(row["sha256"]) == 64 for row in found.values() if row["state"] == "done")
    assert len(list((tmp_path / "polygons").glob("*.gpkg"))) == 4
    assert main(["segment", str(flight / "a.tif"), str(tmp_path / "a.tif"), "--model", "unet", "--device", "cpu"]) == 0
    assert (mask(out / "a.tif") == mask(tmp_path / "a.tif")).all()


def test_resume_does_what_is_not_done_and_nothing_twice(flight: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    assert main(command(flight, out)) == 3
    shutil.copy(flight / "a.tif", flight / "c.tif")
    (out / "b.tif").unlink()  # lost
    (out / "d.tif").write_bytes(b"damaged")
    written = {name: (out / f"{name}.tif").stat().st_mtime_ns for name in "ae"}
    assert main(command(flight, out, "--resume")) == 0
    assert {name: (out / f"{name}.tif").stat().st_mtime_ns for name in "ae"} == written
    assert {row["state"] for row in rows(out).values()} == {"done"}
    assert {row["sha256"] for row in rows(out).values()} == {_sha256(path) for path in out.glob("*.tif")}


def test_other_options_do_not_go_on_with_a_run(flight: Path, tmp_path: Path, capsys: PRINTED) -> None:
    out = tmp_path / "masks"
    assert main(command(flight, out)) == 3
    before = (out / "manifest.jsonl").read_bytes()
    assert main(command(flight, out, "--resume", "--threshold", 0.4)) == 2
    assert "made with another model or other options" in capsys.readouterr().err
    assert (out / "manifest.jsonl").read_bytes() == before


def test_the_first_error_ends_the_run_where_that_is_wanted(flight: Path, tmp_path: Path) -> None:
    assert main(command(flight, tmp_path / "masks", "--on-error", "stop")) == 3
    assert [row["state"] for row in rows(tmp_path / "masks").values()] == ["done", "done", "failed", *2 * ["pending"]]


def test_array_jobs_share_a_folder(flight: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    assert main(command(flight, out, "--job", "2/2")) == 0
    assert main(command(flight, out, "--job", "1/2")) == 3
    assert list(rows(out, "manifest-1-of-2.jsonl")) == ["a", "c", "e"]
    assert list(rows(out, "manifest-2-of-2.jsonl")) == ["b", "d"]
    written = (out / "a.tif").stat().st_mtime_ns
    assert main(command(flight, out, "--resume")) == 3
    assert (out / "a.tif").stat().st_mtime_ns == written and list(rows(out)) == list("abcde")


@pytest.mark.parametrize("bands", [2, 5])
def test_bands_join_without_a_seam(bands: int, flight: Path, tmp_path: Path) -> None:
    (flight / "c.tif").unlink()
    assert main(command(flight, tmp_path / "whole", "--cm-per-px", 3)) == 0
    assert main(command(flight, tmp_path / "bands", "--cm-per-px", 3, "--bands-per-scene", bands)) == 0
    for name in "abde":
        assert (mask(tmp_path / "whole" / f"{name}.tif") == mask(tmp_path / "bands" / f"{name}.tif")).all()
    assert sorted(path.name for path in (tmp_path / "bands").iterdir()) == [
        *(f"{name}.tif" for name in "abde"),
        "manifest.jsonl",
    ]


def test_a_scene_that_fails_in_bands_stops_no_other(flight: Path, tmp_path: Path) -> None:
    assert main(command(flight, tmp_path / "masks", "--bands-per-scene", 2)) == 3
    assert {row["state"] for name, row in rows(tmp_path / "masks").items() if name != "c"} == {"done"}


@pytest.mark.parametrize(
    "wrong",
    [["--job", "3/2"], ["--job", "0/2"], ["--job", "one"], ["--workers", "0"], ["--engine", "slurm"]],
)
def test_impossible_options_are_one_sentence(wrong: list[str], flight: Path, tmp_path: Path, capsys: PRINTED) -> None:
    assert main(command(flight, tmp_path / "masks", *wrong)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "masks").exists()


def test_options_of_many_scenes_need_a_folder(flight: Path, tmp_path: Path, capsys: PRINTED) -> None:
    one = ["segment", str(flight / "a.tif"), str(tmp_path / "a.tif"), "--model", "unet", "--workers", "2"]
    assert main(one) == 2
    assert "--to DIR" in capsys.readouterr().err
    assert main(["segment", *(str(flight / f"{name}.tif") for name in "abd"), "--model", "unet"]) == 2
    assert "--to DIR" in capsys.readouterr().err


def workers_of(process: psutil.Process) -> Iterator[psutil.Process]:
    """The processes that segment: those that write pieces or have a model open."""
    for child in process.children(recursive=True):
        try:
            if child.memory_info().rss > 250e6:
                yield child
        except psutil.Error:
            continue


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_worker_that_is_killed_costs_nothing(
    engine: str, flight: Path, tmp_path: Path, random_checkpoints: Path
) -> None:
    if engine != "local":
        pytest.importorskip("distributed")
    out = tmp_path / "masks"
    options = command(flight, out, "--engine", engine, "--workers", 2, "--cm-per-px", 2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-m", "scinet", *options], cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True
    ) as run:
        watched = psutil.Process(run.pid)
        while not list(out.glob("*.part/mask-*.tif")):
            assert run.poll() is None, run.stderr and run.stderr.read()
            time.sleep(0.05)
        for worker in list(workers_of(watched))[:1]:
            worker.send_signal(signal.SIGKILL)
        messages = run.communicate()[1]
    assert run.returncode == 3, messages
    found = rows(out)
    assert {name: row["state"] for name, row in found.items()} == dict.fromkeys("abde", "done") | {"c": "failed"}
    whole = tmp_path / "whole"
    assert main(command(flight, whole, "--cm-per-px", 2)) == 3
    for name in "abde":
        assert found[name]["sha256"] == rows(whole)[name]["sha256"]
    assert not list(out.glob("*.part"))


def test_a_disk_that_is_too_full_for_one_scene_stops_no_other(flight: Path, tmp_path: Path) -> None:
    with rasterio.open(flight / "a.tif") as file:
        profile = file.profile
    pixels = np.random.default_rng(0).integers(0, 256, (3, 512, 512), np.uint8)
    with rasterio.open(flight / "c.tif", "w", **{**profile, "width": 512, "height": 512}) as file:
        file.write(pixels)
    out = tmp_path / "masks"
    floats = ("--probability", "float32")  # which do not compress
    with files_of_at_most(100_000):
        assert main(command(flight, out, *floats)) == 3
    found = rows(out)
    assert {name: row["state"] for name, row in found.items()} == dict.fromkeys("abde", "done") | {"c": "failed"}
    assert "c.tif" in found["c"]["error"] and not (out / "c.tif").exists()
    written = {name: (out / f"{name}.tif").stat().st_mtime_ns for name in "abde"}
    assert main(command(flight, out, *floats, "--resume")) == 0
    assert {name: (out / f"{name}.tif").stat().st_mtime_ns for name in "abde"} == written
    assert {row["sha256"] for row in rows(out).values()} == {_sha256(path) for path in out.glob("*.tif")}


@pytest.mark.slow
def test_a_scheduler_that_stops_ends_the_run_and_resume_finishes_it(flight: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    out = tmp_path / "masks"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT), "DASK_SCHEDULER_ADDRESS": address}
    dask = [sys.executable, "-m", "dask"]
    quiet: dict[str, Any] = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL}
    with ExitStack() as stack:
        scheduler, worker = (
            stack.enter_context(subprocess.Popen([*dask, *of], **quiet, stderr=subprocess.DEVNULL))
            for of in (
                ["scheduler", "--host", address, "--no-dashboard"],
                ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
            )
        )
        stack.callback(worker.kill)
        stack.callback(scheduler.kill)
        options = command(flight, out, "--engine", "dask", "--cm-per-px", 2)
        run = stack.enter_context(
            subprocess.Popen([sys.executable, "-m", "scinet", *options], **quiet, stderr=subprocess.PIPE, text=True)
        )
        stack.callback(run.kill)
        while not list(out.glob("*.tif")):
            assert run.poll() is None, run.stderr and run.stderr.read()
            time.sleep(0.05)
        scheduler.send_signal(signal.SIGKILL)
        messages = run.communicate()[1]
    assert run.returncode == 2 and "The Dask scheduler has stopped." in messages, messages
    done = {name for name, row in rows(out).items() if row["state"] == "done"}
    assert len(done) < 4  # the others are pending
    assert {name: rows(out)[name]["sha256"] for name in done} == {name: _sha256(out / f"{name}.tif") for name in done}
    written = {name: (out / f"{name}.tif").stat().st_mtime_ns for name in done}
    assert main(command(flight, out, "--cm-per-px", 2, "--resume")) == 3  # of c, which is not an image
    assert {name: (out / f"{name}.tif").stat().st_mtime_ns for name in done} == written
    assert [row["state"] for row in rows(out).values()] == ["done", "done", "failed", "done", "done"]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
