"""The commands on a local server with generated scenes in the published layout, and on a real piece of one."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scinet import download, web
from scinet.cli.main import main
from scinet.datasets.open_cities import scenes_in
from scinet.errors import DownloadError
from scinet.raster.scene import open_scene, read_raster
from tests.published import publish, town_scene
from tests.range_server import FOREVER, RangeServer, serve_files

IMAGE = "/train_tier_1/ptn/f49f31/f49f31.tif"
LABELS = "/train_tier_1/ptn/f49f31-labels/f49f31.geojson"


@pytest.fixture(scope="module")
def pointe_noire(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two scenes of Pointe-Noire; f49f31 with nodata in its left 300 columns."""
    folder = tmp_path_factory.mktemp("published")
    for seed, name in ((3, "f49f31"), (4, "abe1a3")):
        rgba, polygons = town_scene(seed)
        rgba[:, : 300 if name == "f49f31" else 0] = 0
        publish(folder, "ptn", name, rgba, polygons)
    return folder


@pytest.fixture
def server(pointe_noire: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setattr(web, "READ_S", 0.5)
    with serve_files(folder=pointe_noire) as server:
        monkeypatch.setenv("SCINET_OCAIC_URL", server.address)
        yield server


def test_the_list_has_every_scene_with_city_size_and_gsd(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["ocaic", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 32 and lines[-1].startswith("31 scenes, about 33.9 GB.")
    accra = next(line for line in lines if line.startswith("d41d81"))
    assert accra.split()[1:3] == ["acc", "Accra"] and "5.18 cm/px" in accra and "40868 x  42719 px" in accra
    image = tmp_path / "train_tier_1" / "ptn" / "abe1a3" / "abe1a3.tif"
    image.parent.mkdir(parents=True)
    image.touch()
    assert main(["ocaic", "list", "pointe-noire", "--folder", str(tmp_path)]) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert "in the folder" in first and "in the folder" not in second
    assert main(["ocaic", "list", "ptn", "--json"]) == 0
    assert [scene["id"] for scene in json.loads(capsys.readouterr().out)] == ["abe1a3", "f49f31"]
    assert main(["ocaic", "list", "paris"]) == 2
    assert "'paris' is neither a scene nor a city" in capsys.readouterr().err


def test_a_city_is_fetched_with_its_labels(
    server: RangeServer, pointe_noire: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults[IMAGE] = ["", "truncate"]
    assert main(["ocaic", "fetch", "ptn", "--to", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 files, ") and said.count("its checksum is right") == 4
    found = scenes_in(tmp_path / "data")
    assert set(found) == {"f49f31", "abe1a3"}
    for scene in found.values():
        assert scene.labels is not None
        for path in (scene.image, scene.labels):
            assert path.read_bytes() == (pointe_noire / path.relative_to(tmp_path / "data")).read_bytes()
    assert not list((tmp_path / "data").rglob("*.part"))
    assert main(["ocaic", "fetch", "ptn", "--to", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out.count("already complete") == 4


def test_nothing_is_fetched_where_it_would_not_fit(
    server: RangeServer,
    pointe_noire: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_room(folder: Path, wanted_bytes: int) -> None:
        raise DownloadError(f"{wanted_bytes} bytes")

    monkeypatch.setattr("scinet.cli.open_cities.check_space", no_room)
    assert main(["ocaic", "fetch", "ptn", "--to", str(tmp_path)]) == 2
    total = sum(path.stat().st_size for path in pointe_noire.rglob("*.*"))
    assert f"{total} bytes" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("fault", "reason"), [("403", "refuses it"), ("503", "busy"), ("truncate", "breaking off")])
def test_what_a_server_refuses_is_said(
    server: RangeServer, tmp_path: Path, fault: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults[IMAGE] = [""] + [fault] * FOREVER
    if fault == "truncate":  # each time from the start
        server.faults[IMAGE] = [""] + ["whole-truncate"] * FOREVER
    assert main(["ocaic", "fetch", "f49f31", "--to", str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "f49f31.tif cannot be fetched" in said and reason in said and len(said) < 160
    assert set(scenes_in(tmp_path)) == set()


def test_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["fetch", "ptn", "--to", str(tmp_path)], ["window", "f49f31", str(tmp_path / "window.tif")]):
        assert main(["ocaic", *command, "--base-url", "http://127.0.0.1:9/published"]) == 2
        assert "127.0.0.1:9 cannot be reached. Check the address" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_window_straight_from_the_web(server: RangeServer, tmp_path: Path, pointe_noire: Path) -> None:
    out = tmp_path / "window.tif"
    place = ["--column", "200", "--row", "500", "--side", "300"]
    assert main(["ocaic", "window", "f49f31", str(out), *place]) == 0
    window, scene = read_raster(out), open_scene(pointe_noire / IMAGE[1:])
    expected = scene.window(200, 500, 300, 300)
    assert (window.pixels == expected.pixels).all() and (window.valid == expected.valid).all()
    assert 0 < window.valid.mean() < 1 and window.crs == expected.crs
    assert window.transform.almost_equals(expected.transform)
    assert main(["ocaic", "window", "f49f31", str(out), "--side", "256"]) == 0  # in the middle of the image
    assert read_raster(out).valid.all()
    assert {path for path, _ in server.asked} == {IMAGE}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ptn"], "ptn has 2 scenes"),
        (["f49f31", "--column", "3"], "both --column and --row"),
        (["f49f31", "--column", "0", "--row", "0", "--side", "200"], "nodata. Move it"),
        (["f49f31", "--column", "900", "--row", "0", "--side", "200"], "reaches beyond"),
    ],
)
def test_windows_that_cannot_be(
    server: RangeServer, tmp_path: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ocaic", "window", arguments[0], str(tmp_path / "window.tif"), *arguments[1:]]) == 2
    assert reason in capsys.readouterr().err


def test_the_real_piece_of_a_scene(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_files(folder=data_dir / "ocaic") as server:
        monkeypatch.setenv("SCINET_OCAIC_URL", server.address)
        out = tmp_path / "window.tif"
        assert main(["ocaic", "window", "d41d81", str(out), "--column", "3072", "--row", "1024"]) == 0
        window = read_raster(out)
        assert window.shape == (1024, 1024) and window.cm_per_px == pytest.approx(5.18, abs=0.01)
        assert np.ptp(window.pixels) > 100
        parts = [part.removeprefix("bytes=").split("-") for _, part in server.asked if part]
        read = sum(int(end) - int(start) + 1 for start, end in parts)
        assert read < 4_000_000 < (data_dir / "ocaic" / "train_tier_1/acc/d41d81/d41d81.tif").stat().st_size
