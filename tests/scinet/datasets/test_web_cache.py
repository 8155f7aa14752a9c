import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scinet.datasets.web_cache import DiskCache, cached_file, default_cache, open_cached_scene
from scinet.errors import DownloadError, NodataError, RasterError, SciNetError
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene
from tests.published import publish, town_scene
from tests.range_server import FOREVER, RangeServer, serve_files

IMAGE = "/train_tier_1/ptn/f49f31/f49f31.tif"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    rgba, polygons = town_scene(3)
    rgba[:, :300] = 0
    publish(folder, "ptn", "f49f31", rgba, polygons)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[RangeServer]:
    with serve_files(folder=folder) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache", 100_000_000)


def test_what_was_seen_is_there_without_a_network(server: RangeServer, folder: Path, cache: DiskCache) -> None:
    local, url = open_scene(folder / IMAGE[1:]), server.address + IMAGE
    for _ in range(2):
        scene = open_cached_scene(url, cache)
        assert (scene.width, scene.height, scene.block, scene.overviews) == (1024, 1024, (512, 512), (2, 4, 8))
        assert scene.cm_per_px == pytest.approx(local.cm_per_px) and scene.is_remote and scene.name == "f49f31.tif"
        for kept, there in (
            (scene.overview(256), local.overview(256)),
            (scene.window(250, 30, 300, 200), local.window(250, 30, 300, 200)),
        ):
            assert (kept.pixels == there.pixels).all() and (kept.valid == there.valid).all()
            assert kept.transform == there.transform and kept.crs == there.crs and kept.notes == there.notes
        server.fail(IMAGE, "503", FOREVER)  # the second time, nothing is asked
    with pytest.raises(RasterError, match=r"f49f31\.tif cannot be opened: the server is busy"):
        scene.window(500, 30, 300, 200)


def test_nodata_is_not_blamed_on_the_network(server: RangeServer, cache: DiskCache) -> None:
    scene = open_cached_scene(server.address + IMAGE, cache)
    with pytest.raises(NodataError, match="Move it"):
        scene.window(0, 0, 200, 200)


def test_a_scene_that_is_not_there_leaves_nothing(server: RangeServer, cache: DiskCache) -> None:
    with pytest.raises(RasterError, match="no such file"):
        open_cached_scene(f"{server.address}/other.tif", cache)
    with pytest.raises(DownloadError, match="no such file"):
        cached_file(f"{server.address}/other.geojson", cache)
    assert list(cache.folder.iterdir()) == []


def test_labels_are_fetched_once(server: RangeServer, folder: Path, cache: DiskCache) -> None:
    path = "train_tier_1/ptn/f49f31-labels/f49f31.geojson"
    for _ in range(2):
        kept = cached_file(f"{server.address}/{path}", cache)
        assert kept.suffix == ".geojson" and kept.read_bytes() == (folder / path).read_bytes()
        server.fail(f"/{path}", "404", FOREVER)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 2500)

    def use(name: str, at_s: int) -> None:
        path = cache.file(name * 32, lambda to: to.write_bytes(bytes(1000)))
        os.utime(path, (at_s, at_s))

    (tmp_path / "thesis.docx").write_bytes(bytes(5000))
    (tmp_path / ("f" * 32)).mkdir()
    os.utime(tmp_path / "thesis.docx", (0, 0))
    others = {"thesis.docx", "f" * 32}  # what the cache did not write stays
    for at_s, name in enumerate(("a", "b")):
        use(name, at_s)
    use("a", 5)
    use("c", 6)
    assert {path.name for path in tmp_path.iterdir()} == {"a" * 32, "c" * 32} | others
    cache.file("d" * 32, lambda to: to.write_bytes(bytes(9000)))  # larger than all may have, and still given
    assert {path.name for path in tmp_path.iterdir()} == {"d" * 32} | others


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_of_a_kept_raster_is_a_miss(noise_raster: Raster, cache: DiskCache, seed: int) -> None:
    name = "0" * 32
    cache.raster(name, lambda: noise_raster)
    path = cache.folder / f"{name}.npz"
    content = bytearray(path.read_bytes())
    chance = np.random.default_rng(seed)
    for place in (*chance.integers(0, 300, 6), *chance.integers(len(content) - 900, len(content), 6)):
        content[place] = chance.integers(256)
    path.write_bytes(content)
    assert cache.raster(name, lambda: noise_raster).valid.shape


def test_what_is_damaged_is_read_again(server: RangeServer, cache: DiskCache) -> None:
    url = server.address + IMAGE
    window = open_cached_scene(url, cache).window(400, 400, 64, 64)
    for path in cache.folder.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:500])
    assert (open_cached_scene(url, cache).window(400, 400, 64, 64).pixels == window.pixels).all()
    for path in cache.folder.glob("*.npz"):  # a pickle is not opened
        np.savez(path, pixels=np.array({}, dtype=object))
    assert (open_cached_scene(url, cache).window(400, 400, 64, 64).pixels == window.pixels).all()
    next(cache.folder.glob("*.json")).write_text("{")
    with pytest.raises(RasterError, match="Try again"):
        open_cached_scene(url, cache)
    assert open_cached_scene(url, cache).width == 1024


def test_a_cache_that_cannot_be_written(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SciNetError, match="Set SCINET_CACHE"):
        open_cached_scene(server.address + IMAGE, DiskCache(tmp_path / "file" / "cache", 1000))


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCINET_CACHE", raising=False)
    monkeypatch.delenv("SCINET_CACHE_GB", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == DiskCache(tmp_path / "scinet", 2_000_000_000)
    monkeypatch.setenv("SCINET_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("SCINET_CACHE_GB", "0.5")
    assert default_cache() == DiskCache(tmp_path / "other", 500_000_000)
    for text in ("much", "-1", "nan"):
        monkeypatch.setenv("SCINET_CACHE_GB", text)
        with pytest.raises(SciNetError, match="SCINET_CACHE_GB"):
            default_cache()
