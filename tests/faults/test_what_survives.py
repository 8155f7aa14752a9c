"""docs/durability.md row by row: what is left after a fault, and whether the same command continues from there."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rasterio.transform import Affine

from scinet import download, web
from scinet.cli.main import main
from scinet.datasets.web_cache import DiskCache
from scinet.download import find_file
from scinet.errors import DownloadError, SciNetError, WriteError
from scinet.models.model import Model
from scinet.raster import resample
from scinet.raster import scene as raster_scene
from scinet.raster.geotiff import write_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene
from scinet.segmentation.scene import segment_to_file
from scinet.vector.footprint_file import write_footprints
from tests.faults.disk import files_of_at_most
from tests.published import publish, town_scene
from tests.range_server import serve_files
from training import benchmark
from training.packed_tiles import labelled_tiles
from training.prepare.main import prepare

pytest.importorskip("resource", reason="the size of files is limited on Linux and macOS only")

PROJECT = Path(__file__).parents[2]
READ_ONLY = Path("/sys/kernel")  # refuses new files to everyone, root included
# Rows that other tests check
ELSEWHERE = {
    ("segment", "Ctrl-C"): "tests/scinet/cli/test_segment.py::test_after_ctrl_c_the_command_resumes",
    ("segment", "a second run writes the same result"): (
        "tests/scinet/test_output_lock.py::test_a_second_run_is_refused_until_the_first_is_killed"
    ),
    ("export", "the disk is full"): "tests/faults/test_full_disk.py::test_a_cut_file_never_gets_its_name",
    ("footprints", "the disk is full"): "tests/faults/test_full_disk.py::test_a_cut_file_never_gets_its_name",
    ("fetch", "Ctrl-C"): "tests/scinet/test_download.py::test_an_interrupted_download_resumes",
    ("fetch", "the file on the server changes"): (
        "tests/scinet/test_download.py::test_a_part_of_older_content_is_not_gone_on_with"
    ),
    ("prepare", "Ctrl-C"): "tests/training/prepare/test_prepare.py::test_a_preparation_that_was_stopped_resumes",
    ("prepare", "a scene changes"): (
        "tests/training/prepare/test_prepare.py::test_a_preparation_that_was_stopped_resumes"
    ),
    ("train", "the disk is full"): "tests/training/test_train.py::test_a_full_disk_loses_nothing",
    ("train", "Ctrl-C"): "tests/training/test_train.py::test_a_stopped_run_resumes_to_the_same_weights",
    ("train", "the process is killed"): "tests/training/test_train.py::test_a_stopped_run_resumes_to_the_same_weights",
    ("train", "the recipe changes"): "tests/training/test_train.py::test_another_runs_resume_file_is_refused",
    ("train", "the process is killed between a checkpoint's two files"): (
        "tests/scinet/models/test_checkpoint.py::test_a_checkpoint_whose_writing_ends_between_its_files_is_the_new_one"
    ),
    ("benchmark of an own model", "Ctrl-C"): (
        "tests/scinet/cli/test_benchmark.py::test_an_interrupted_run_goes_on_where_it_was"
    ),
    ("sweep", "Ctrl-C"): "tests/scinet/cli/test_score.py::test_ctrl_c_has_no_hint_to_resume",
    ("cache", "an entry is damaged"): "tests/scinet/datasets/test_web_cache.py::test_what_is_damaged_is_read_again",
}
Row = tuple[str, str]
CHECKS: dict[Row, Callable[..., None]] = {}


def survives(work: str, event: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Name the row of docs/durability.md that a function checks."""

    def register(check: Callable[..., None]) -> Callable[..., None]:
        CHECKS[work, event] = check
        return check

    return register


class Place:
    """A folder with an image of several pieces, and what a check needs."""

    def __init__(self, folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.model, self.monkeypatch = folder, model, monkeypatch
        self.image, self.out = folder / "image.tif", folder / "mask.tif"

    def draw(self, seed: int = 0) -> Raster:
        pixels = np.random.default_rng(seed).integers(0, 256, (400, 96, 3), np.uint8)
        like = Raster(pixels, np.ones((400, 96), bool), Affine(0.1, 0, 8e5, 0, -0.1, 6e5), None)
        write_raster(self.image, like)
        return like

    def segment(self, out: Path | None = None, **options: Any) -> bytes:
        scene = open_scene(self.image, cm_per_px=10)
        segment_to_file(scene, self.model, out or self.out, **options)
        return (out or self.out).read_bytes()

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def place(tmp_path: Path, brightness_model: Model, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(raster_scene, "_BAND_PX", 1)
    monkeypatch.setattr(resample, "_STRIPE_VALUES", 20_000)
    monkeypatch.setattr("scinet.segmentation.segment._MERGED_ROWS", 50)
    made = Place(tmp_path, brightness_model, monkeypatch)
    made.draw()
    return made


def rows_of_the_docs() -> list[Row]:
    lines = (PROJECT / "docs" / "durability.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [(work, event) for work, event, _ in cells if not work.startswith(("---", "work"))]


@survives("segment", "the disk is full")
def _(place: Place) -> None:
    whole = place.segment(place.folder / "whole.tif")
    calls: list[int] = []

    def full_later(done: float) -> None:
        calls.append(1)
        if done > 0.5:
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match="cannot be written"), files_of_at_most(2_000):
        place.segment(progress=None)
    assert "mask.tif" not in place.names()
    with pytest.raises(OSError, match="No space"):
        place.segment(progress=full_later)
    assert "mask.tif" not in place.names() and list((place.folder / "mask.tif.part").glob("mask-*.tif"))
    assert place.segment(resume=True) == whole
    assert place.names() == {"image.tif", "mask.tif", "whole.tif"}


@survives("segment", "the folder is read-only")
def _(place: Place) -> None:
    with pytest.raises(WriteError, match=r"mask\.tif.* cannot be written: Permission denied"):
        place.segment(READ_ONLY / "mask.tif")


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from scinet.models.card import Card
from scinet.models.model import Model
from scinet.raster import resample, scene
from scinet.raster.scene import open_scene
from scinet.segmentation import segment
from scinet.segmentation.scene import segment_to_file
from tests.conftest import MeanBrightness
scene._BAND_PX, resample._STRIPE_VALUES, segment._MERGED_ROWS = 1, 20_000, 50
card = Card("brightness", "unet", (5.0, 20.0), 64, scales={"unknown": ((10, 2, 1.5),)})
image, out = map(Path, sys.argv[1:])
kill = lambda done: os.kill(os.getpid(), signal.SIGKILL) if done > 0.5 else None
segment_to_file(
    open_scene(image, cm_per_px=10), Model(MeanBrightness(), card, torch.device("cpu")), out, progress=kill
)
"""


@survives("segment", "the process is killed")
def _(place: Place) -> None:
    whole = place.segment(place.folder / "whole.tif")
    command = [sys.executable, "-c", KILLED, str(place.image), str(place.out)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pieces = sorted((place.folder / "mask.tif.part").glob("mask-*.tif"))
    assert pieces and "mask.tif" not in place.names()
    kept = pieces[0].stat().st_mtime_ns
    seen: list[int] = []
    place.segment(
        resume=True, progress=lambda _: seen.append(pieces[0].stat().st_mtime_ns if pieces[0].exists() else kept)
    )
    assert set(seen) == {kept}  # it is not made again
    assert place.out.read_bytes() == whole


@survives("segment", "the image changes before `--resume`")
def _(place: Place) -> None:
    def stop(done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.segment(progress=stop)
    pieces = sorted((place.folder / "mask.tif.part").iterdir())
    place.draw(seed=1)
    with pytest.raises(WriteError, match="another image"):
        place.segment(resume=True)
    assert sorted((place.folder / "mask.tif.part").iterdir()) == pieces


@survives("segment", "the clock jumps")
def _(place: Place) -> None:
    whole = place.segment(place.folder / "whole.tif")
    now, jumps = time.time, iter(range(10**9))

    def jumping() -> float:
        return now() + (86_400 if next(jumps) % 2 else -86_400)

    place.monkeypatch.setattr(time, "time", jumping)
    assert place.segment() == whole


@survives("footprints", "Ctrl-C")
def _(place: Place) -> None:
    like, path = place.draw(), place.folder / "buildings.gpkg"
    mask = like.pixels[..., 0] > 128
    write_footprints(path, mask, like)
    before = path.read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    place.monkeypatch.setattr("scinet.vector.footprint_file._shaped", stop)
    with pytest.raises(KeyboardInterrupt):
        write_footprints(path, ~mask, like)
    assert path.read_bytes() == before and place.names() == {"image.tif", "buildings.gpkg"}


CONTENT = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setattr(web, "READ_S", 2.0)
    with serve_files({"/scene.tif": CONTENT}) as server:
        yield f"{server.address}/scene.tif"


@survives("fetch", "the disk is full")
def _(place: Place, address: str) -> None:
    found, to = find_file(address), place.folder / "scene.tif"
    with pytest.raises(DownloadError, match="What was fetched is kept"), files_of_at_most(1_000_000):
        download.download(found, to)
    assert not to.exists() and download.missing_bytes(found, to) == len(CONTENT) - 1_000_000
    download.download(found, to)
    assert to.read_bytes() == CONTENT and place.names() == {"image.tif", "scene.tif"}


@survives("fetch", "the folder is read-only")
def _(place: Place, address: str) -> None:
    place.monkeypatch.setattr(download, "check_space", lambda *_: None)  # there is none in that folder
    with pytest.raises(DownloadError, match="cannot be written: Permission denied"):
        download.download(find_file(address), READ_ONLY / "scene.tif")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    publish(folder, "ptn", "f49f31", *town_scene(3, size_m=51.2))
    return folder


@survives("prepare", "the disk is full")
def _(place: Place, scenes: Path) -> None:
    whole, out = place.folder / "whole", place.folder / "data"
    prepare(scenes, whole, "random", tile_px=128)
    tiles = sorted(path.stat().st_size for path in whole.rglob("*.jpg"))
    with pytest.raises(SciNetError, match="the same command resumes"), files_of_at_most(tiles[-1] - 1):
        prepare(scenes, out, "random", tile_px=128)
    assert not (out / "index.csv").exists()
    prepare(scenes, out, "random", tile_px=128)
    for path in (path for path in whole.rglob("*.*") if path.suffix in (".jpg", ".png", ".csv")):
        assert (out / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert not list(out.rglob(".*"))


@survives("prepare", "the folder is read-only")
def _(place: Place, scenes: Path) -> None:
    with pytest.raises(WriteError, match="cannot be written"):
        prepare(scenes, READ_ONLY / "data", "random", tile_px=128)


def scores(place: Place, name: str) -> pd.DataFrame:
    """The rows of a model on one tile."""
    data = place.folder / "data"
    data.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(data / "a.png")
    Image.fromarray(pixels[..., 0] > 128).save(data / "a_mask.png")
    (data / "index.csv").write_text(
        "image,mask,dataset,city,cm_per_px,width,height,split,licence\na.png,a_mask.png,a,A,40,64,64,test,CC0\n"
    )
    rows = pd.DataFrame(benchmark.evaluate(place.model, data, labelled_tiles(data, "test")))
    return rows.assign(model=name)


@survives("evaluate", "the disk is full")
def _(place: Place) -> None:
    out = place.folder / "out"
    out.mkdir()
    former = benchmark.merged(out / "benchmark.parquet", scores(place, "sci-net"))
    benchmark.write_benchmark(former, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(WriteError, match="cannot be written"), files_of_at_most(1000):
        benchmark.merged(out / "benchmark.parquet", former.assign(model="unet"))
    with pytest.raises(WriteError, match="cannot be written"), files_of_at_most(1000):
        benchmark.write_benchmark(former, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@survives("evaluate", "the process is killed between its two files")
def _(place: Place) -> None:
    out = place.folder / "out"
    out.mkdir()
    rows = scores(place, "sci-net")
    benchmark.write_benchmark(benchmark.merged(out / "benchmark.parquet", rows), out)
    benchmark.merged(out / "benchmark.parquet", rows.assign(model="unet"))  # killed before the JSON
    benchmark.main(["--out", str(out)])
    assert {row["model"] for row in json.loads((out / "benchmark.json").read_text())["rows"]} == {"sci-net", "unet"}


@survives("evaluate", "Ctrl-C")
def _(place: Place) -> None:
    data, out = place.folder / "data", place.folder / "out"
    rows = scores(place, "brightness").to_dict("records")
    loaded: list[str] = []

    def load(name: str, _: object) -> Model:
        if loaded:
            raise KeyboardInterrupt
        loaded.append(name)
        return place.model

    place.monkeypatch.setattr(benchmark, "load_model", load)
    place.monkeypatch.setattr(benchmark, "evaluate", lambda *_: rows)
    with pytest.raises(KeyboardInterrupt):
        benchmark.main(["--data", str(data), "--out", str(out), "--model", "brightness", "--model", "unet"])
    assert {row["model"] for row in json.loads((out / "benchmark.json").read_text())["rows"]} == {"brightness"}


@survives("benchmark of an own model", "the disk is full")
def _(place: Place, random_checkpoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    scores(place, "unet")
    out = place.folder / "mine.parquet"
    command = ["benchmark", "--model", "unet", "--data", str(place.folder / "data"), "--out", str(out)]
    command += ["--strategy", "direct", "--device", "cpu"]
    out.write_bytes(b"the former scores")
    with files_of_at_most(1000):
        assert main(command) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert out.read_bytes() == b"the former scores" and not list(place.folder.glob(".*"))
    assert main(command) == 0
    assert set(pd.read_parquet(out)["image"]) == {"a.png"}


@survives("sweep", "its output goes to a full disk")
def _(place: Place, random_checkpoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    command = ["sweep", str(place.image), "--native-cm-per-px", "10", "--model", "unet", "--from", "40", "--to", "40"]
    with Path("/dev/full").open("w") as full:
        place.monkeypatch.setattr(sys, "stdout", full)
        assert main(command) == 2
    assert capsys.readouterr().err.endswith("scinet: The output cannot be written: No space left on device.\n")


@survives("cache", "the disk is full")
def _(place: Place) -> None:
    cache, like = DiskCache(place.folder / "cache", 10**9), place.draw()
    with files_of_at_most(1000):
        found = cache.raster("0" * 32, lambda: like)
    assert found is like and not list(cache.folder.iterdir())
    assert (cache.raster("0" * 32, lambda: like).pixels == like.pixels).all()


def rows_to_test() -> list[Any]:
    slow = ("segment", "the process is killed")
    return [
        pytest.param(row, marks=pytest.mark.slow if row == slow else (), id=": ".join(row))
        for row in rows_of_the_docs()
    ]


@pytest.mark.parametrize("row", rows_to_test())
def test_what_the_docs_say_survives(row: Row, request: pytest.FixtureRequest) -> None:
    if row in ELSEWHERE:
        path, _, name = ELSEWHERE[row].partition("::")
        assert f"def {name}(" in (PROJECT / path).read_text(encoding="utf-8")
        return
    if "read-only" in row[1] and not READ_ONLY.is_dir():
        pytest.skip("there is no folder here that refuses new files to everyone")
    check = CHECKS[row]
    names = check.__code__.co_varnames[: check.__code__.co_argcount]
    check(*(request.getfixturevalue(name) for name in names))


def test_every_check_has_its_row() -> None:
    assert {*CHECKS, *ELSEWHERE} == set(rows_of_the_docs())
