import json

import numpy as np
import pytest
import rasterio

from scinet.cli import main
from scinet.raster import read_raster


@pytest.fixture
def scene(tmp_path, noise_raster):
    """A GeoTIFF of the noise with a nodata collar."""
    path = tmp_path / "scene.tif"
    pixels = noise_raster.pixels.clip(1)
    pixels[:, :16] = 0
    profile = {"driver": "GTiff", "width": 128, "height": 96, "count": 3, "dtype": "uint8", "nodata": 0}
    with rasterio.open(path, "w", transform=noise_raster.transform, crs=noise_raster.crs, **profile) as file:
        file.write(pixels.transpose(2, 0, 1))
    return path


@pytest.fixture(autouse=True)
def checkpoints(random_checkpoints, monkeypatch):
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))


@pytest.mark.parametrize(("cm_per_px", "size"), [(None, (128, 96)), ("20", (64, 48)), ("5", (256, 192))])
def test_the_mask_has_the_images_place_at_the_working_gsd(scene, tmp_path, cm_per_px, size, capsys):
    out = tmp_path / "mask.tif"
    options = [] if cm_per_px is None else ["--cm-per-px", cm_per_px]
    assert main(["segment", str(scene), str(out), "--model", "unet", "--device", "cpu", *options]) == 0
    with rasterio.open(out) as mask, rasterio.open(scene) as image:
        assert (mask.width, mask.height) == size
        assert mask.crs == image.crs and mask.nodata == 255 and mask.dtypes == ("uint8",)
        np.testing.assert_allclose(mask.bounds, image.bounds, atol=1e-6)
        values = mask.read(1)
    assert (values[:, : size[0] // 8 - 2] == 255).all()
    assert set(np.unique(values)) <= {0, 1, 255}
    assert "cm/px" in capsys.readouterr().out


def test_an_image_without_georeference_wants_its_resolution(tmp_path, noise_raster, capsys):
    path = tmp_path / "plain.png"
    with rasterio.open(path, "w", driver="PNG", width=128, height=96, count=3, dtype="uint8") as file:
        file.write(noise_raster.pixels.transpose(2, 0, 1))
    command = ["segment", str(path), str(tmp_path / "mask.tif"), "--model", "unet"]
    assert main(command) == 2
    assert "cm/px" in capsys.readouterr().err
    assert main([*command, "--native-cm-per-px", "10", "--cm-per-px", "20"]) == 0
    assert read_raster(tmp_path / "mask.tif", cm_per_px=20).shape == (48, 64)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--cm-per-px", "0"],
        ["--cm-per-px", "-5"],
        ["--cm-per-px", "ten"],
        ["--cm-per-px", "nan"],
        ["--model", "nothing"],
        ["--threshold", "2"],
        ["--device", "abacus"],
    ],
)
def test_bad_options_are_one_sentence_and_no_file(scene, tmp_path, wrong, capsys):
    out = tmp_path / "mask.tif"
    assert main(["segment", str(scene), str(out), "--model", "unet", *wrong]) == 2
    message = capsys.readouterr().err
    assert message.startswith("scinet: ") and "Traceback" not in message and message.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"no image", b"<VRTDataset rasterXSize='9' rasterYSize='9'/>"])
def test_bad_images_are_one_sentence(tmp_path, content, capsys):
    path = tmp_path / "bad.tif"
    path.write_bytes(content)
    assert main(["segment", str(path), str(tmp_path / "mask.tif"), "--model", "unet"]) == 2
    assert "bad.tif" in capsys.readouterr().err
    assert main(["segment", str(tmp_path / "none.tif"), str(tmp_path / "mask.tif"), "--model", "unet"]) == 2


def test_models_lists_the_checkpoints(capsys, tmp_path, monkeypatch):
    assert main(["models"]) == 0
    assert "Sci-Net" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert [card["name"] for card in json.loads(capsys.readouterr().out)] == ["sci-net", "unet"]
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(tmp_path))
    assert main(["models"]) == 2
