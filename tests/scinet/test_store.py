"""Images in an object store: a local server that speaks S3."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as copy_raster

from scinet.batch.scenes import find_scenes
from scinet.cli.main import main
from scinet.errors import RasterError
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene, read_raster
from tests.s3_server import S3Server, serve_s3


@pytest.fixture(autouse=True)
def _environment(random_checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_HTTPS": "NO",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with serve_s3() as server:
        monkeypatch.setenv("AWS_S3_ENDPOINT", server.address.removeprefix("http://"))
        yield server


@pytest.fixture
def town(tmp_path: Path, noise_raster: Raster) -> Path:
    """A COG of 1024 x 768 px."""
    path, cog = tmp_path / "plain.tif", tmp_path / "town.tif"
    pixels = np.tile(noise_raster.pixels, (8, 8, 1)).transpose(2, 0, 1)
    profile = {"driver": "GTiff", "width": 1024, "height": 768, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", transform=noise_raster.transform, crs=noise_raster.crs, **profile) as file:
        file.write(pixels)
    copy_raster(path, cog, driver="COG", BLOCKSIZE=128, COMPRESS="NONE")
    return cog


def put(server: S3Server, path: Path) -> str:
    """The address of a file in the store; a new one, as GDAL remembers what it has read."""
    key = f"{uuid4().hex}/{path.name}"
    server.objects[key] = path.read_bytes()
    return f"s3://maps/{key}"


def test_only_what_is_shown_is_requested_and_requests_are_signed(server: S3Server, town: Path) -> None:
    scene = open_scene(put(server, town))
    assert scene.name == "town.tif" and scene.is_remote and scene.grid.shape == (768, 1024)
    part = scene.window(700, 500, 100, 80)
    np.testing.assert_array_equal(part.pixels, read_raster(town).pixels[500:580, 700:800])
    asked = [[int(end) for end in wanted.removeprefix("bytes=").split("-")] for wanted, _ in server.asked]
    assert sum(stop - start for start, stop in asked) < 0.8 * town.stat().st_size
    assert all("Credential=key/" in signature and "/eu-west-1/s3/" in signature for _, signature in server.asked)


def test_commands_take_images_from_a_store(server: S3Server, town: Path, tmp_path: Path) -> None:
    address = put(server, town)
    command = ["--model", "unet", "--device", "cpu", "--cm-per-px", "40"]
    assert main(["segment", address, str(tmp_path / "remote.tif"), *command]) == 0
    assert main(["segment", str(town), str(tmp_path / "local.tif"), *command]) == 0
    with rasterio.open(tmp_path / "remote.tif") as remote, rasterio.open(tmp_path / "local.tif") as local:
        np.testing.assert_array_equal(remote.read(1), local.read(1))
    assert main(["segment", address, "--to", str(tmp_path / "many"), *command]) == 0
    (row,) = map(json.loads, (tmp_path / "many" / "manifest.jsonl").read_text().splitlines())
    assert (row["scene"], row["source"], row["state"]) == ("town", address, "done")


def test_an_endpoint_for_uploads_is_that_of_images_too(
    server: S3Server, town: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_S3_ENDPOINT", "AWS_HTTPS", "AWS_VIRTUAL_HOSTING"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    assert open_scene(put(server, town)).width == 1024


def test_an_object_that_is_missing_or_no_geotiff_is_one_sentence(server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no image" * 100)
    for address in (f"s3://maps/{uuid4().hex}/text.tif", put(server, tmp_path / "text.tif")):
        with pytest.raises(RasterError, match=r"^text.tif cannot be read from its store as a GeoTIFF: check"):
            open_scene(address)


def test_scenes_of_a_list_may_be_in_a_store(tmp_path: Path) -> None:
    (tmp_path / "scenes.txt").write_text("s3://maps/a.tif\ngs://maps/b.tif\n")
    found = find_scenes([str(tmp_path / "scenes.txt")])
    assert [(scene.name, scene.source) for scene in found] == [("a", "s3://maps/a.tif"), ("b", "gs://maps/b.tif")]
