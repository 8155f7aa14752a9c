"""Results in an object store: a local server that speaks S3."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from scinet.cli.main import main
from scinet.errors import WriteError
from scinet.raster.raster import Raster
from scinet.upload import check_store, upload
from tests.s3_server import S3Server, serve_s3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with serve_s3() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
        yield server


def test_a_file_of_many_parts_arrives_whole(server: S3Server, tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(25_000_000)
    (tmp_path / "mask.tif").write_bytes(content)
    upload(tmp_path / "mask.tif", "s3://maps/accra/")
    assert server.objects == {"accra/mask.tif": content} and not server.parts


def test_a_file_that_a_store_refuses_does_not_appear(server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "mask.tif").write_bytes(bytes(1000))
    server.is_full = True
    with pytest.raises(WriteError, match=r"mask.tif cannot be uploaded to s3://maps/accra") as caught:
        upload(tmp_path / "mask.tif", "s3://maps/accra")
    assert not server.objects and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("s3://maps/accra", ""),
        ("s3://maps", ""),
        ("s3://other/accra", "There is no bucket other"),
        ("/maps/accra", "not a folder of a store"),
        ("s3:///accra", "not a folder of a store"),
        ("ftp://maps/accra", "not a folder of a store"),
    ],
)
def test_a_store_is_looked_for_before_the_work(address: str, says: str, server: S3Server) -> None:
    if not says:
        check_store(address)
        return
    with pytest.raises(WriteError, match=says):
        check_store(address)


def test_many_scenes_are_uploaded_with_their_footprints_and_the_manifest(
    server: S3Server, tmp_path: Path, noise_raster: Raster, random_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    (tmp_path / "flight").mkdir()
    profile = {"driver": "GTiff", "width": 128, "height": 96, "count": 3, "dtype": "uint8"}
    place = {"transform": noise_raster.transform, "crs": noise_raster.crs}
    for name in "ab":
        with rasterio.open(tmp_path / "flight" / f"{name}.tif", "w", **profile, **place) as file:
            file.write(noise_raster.pixels.transpose(2, 0, 1))
    out = tmp_path / "masks"
    command = ["segment", str(tmp_path / "flight"), "--to", str(out), "--model", "unet", "--device", "cpu"]
    command += ["--footprints", str(tmp_path / "roofs"), "--upload", "s3://maps/accra"]
    assert main(command) == 0
    names = {f"accra/{name}" for name in ("a.tif", "b.tif", "a.gpkg", "b.gpkg", "manifest.jsonl")}
    assert set(server.objects) == names
    assert server.objects["accra/a.tif"] == (out / "a.tif").read_bytes()
    rows = [json.loads(line) for line in server.objects["accra/manifest.jsonl"].splitlines()]
    assert [row["state"] for row in rows] == ["done", "done"]
    server.is_full = True
    with pytest.raises(WriteError):
        upload(out / "a.tif", "s3://maps/accra")
    assert main(command) == 2  # the manifest cannot be uploaded either
    assert [json.loads(line)["state"] for line in (out / "manifest.jsonl").read_text().splitlines()] == 2 * ["failed"]
    server.is_full = False
    assert main([*command, "--resume"]) == 0
