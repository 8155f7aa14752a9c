"""`scinet segment`: files of one image or of a folder of images."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio

from scinet.cli.main import main
from scinet.evaluation.truth import read_truth
from scinet.models.familiarity import fit_familiarity
from scinet.models.promise import THRESHOLDS
from scinet.raster.raster import Raster
from scinet.raster.scene import read_raster
from tests.scinet.raster.pyramid.samples import tiles, write_folder

Printed = pytest.CaptureFixture[str]


@pytest.mark.parametrize(("cm_per_px", "size"), [(None, (128, 96)), ("20", (64, 48)), ("5", (256, 192))])
def test_the_mask_has_the_images_place_at_the_working_resolution(
    scene: Path, tmp_path: Path, cm_per_px: str | None, size: tuple[int, int], capsys: Printed
) -> None:
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
    printed = capsys.readouterr().out
    assert "cm/px" in printed and "pixels through the network per pixel" in printed


def test_an_image_without_georeference_needs_its_resolution(
    tmp_path: Path, noise_raster: Raster, capsys: Printed
) -> None:
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
        ["--promise", "recall"],
        ["--promise", "iou=0.7"],
        ["--promise", "recall=0.9"],  # nothing was measured for the model
        ["--promise", "recall=0.9", "--threshold", "0.4"],
        ["--device", "abacus"],
        ["--strategy", "guessing"],
        ["--probability", "float64"],
        ["--nonsense"],
        ["--square"],
        ["--footprints", "out.svg"],
        ["--footprints", "none/out.gpkg"],
    ],
)
def test_bad_options_are_one_sentence_and_no_file(
    scene: Path, tmp_path: Path, wrong: list[str], capsys: Printed
) -> None:
    out = tmp_path / "mask.tif"
    assert main(["segment", str(scene), str(out), "--model", "unet", *wrong]) == 2
    message = capsys.readouterr().err
    last = message.rstrip("\n").rpartition("\n")[2]
    assert last.startswith("scinet: ") and "Traceback" not in message
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"no image", b"<VRTDataset rasterXSize='9' rasterYSize='9'/>"])
def test_bad_images_are_one_sentence(tmp_path: Path, content: bytes, capsys: Printed) -> None:
    path = tmp_path / "bad.tif"
    path.write_bytes(content)
    assert main(["segment", str(path), str(tmp_path / "mask.tif"), "--model", "unet"]) == 2
    assert "bad.tif" in capsys.readouterr().err
    assert main(["segment", str(tmp_path / "none.tif"), str(tmp_path / "mask.tif"), "--model", "unet"]) == 2


def test_a_folder_is_segmented_image_by_image(scene: Path, tmp_path: Path, capsys: Printed) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        (folder / name).write_bytes(scene.read_bytes())
    (folder / "broken.tif").write_bytes(b"no image")
    command = ["segment", str(folder), str(out), "--model", "unet", "--footprints", str(tmp_path / "polygons")]
    assert main(command) == 3
    message = capsys.readouterr().err
    assert "broken: broken.tif" in message and "1 of 3 images" in message
    assert sorted(path.name for path in out.iterdir()) == ["a.tif", "b.tif", "manifest.jsonl"]
    assert pyogrio.read_info(tmp_path / "polygons" / "b.gpkg")["features"] >= 0
    (folder / "broken.tif").unlink()
    (out / "b.tif").unlink()
    former = (out / "a.tif").stat().st_mtime_ns
    assert main([*command, "--resume"]) == 0
    assert (out / "b.tif").exists() and (out / "a.tif").stat().st_mtime_ns == former
    assert main(["segment", str(folder), str(tmp_path / "one.tif"), "--model", "unet"]) == 2
    assert "has to be a folder" in capsys.readouterr().err


def test_the_image_itself_is_not_overwritten(scene: Path, capsys: Printed) -> None:
    before = scene.read_bytes()
    assert main(["segment", str(scene), str(scene), "--model", "unet"]) == 2
    assert "is the image itself" in capsys.readouterr().err
    assert scene.read_bytes() == before


def test_after_ctrl_c_the_command_resumes(
    scene: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mask.tif"
    command = ["segment", str(scene), str(out), "--model", "unet", "--cm-per-px", "2"]

    def stop(bar: object, done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("scinet.cli.bar.Bar.show", stop)
        assert main(command) == 130
    assert "--resume" in capsys.readouterr().err
    assert not out.exists() and (tmp_path / "mask.tif.part").is_dir()
    assert main([*command, "--resume"]) == 0
    assert out.exists() and not (tmp_path / "mask.tif.part").exists()


def test_the_suffix_of_the_result_decides_its_format(scene: Path, tmp_path: Path, capsys: Printed) -> None:
    for name in ("mask.tif", "mask.png"):
        assert main(["segment", str(scene), str(tmp_path / name), "--model", "unet"]) == 0
    raster = read_raster(scene)
    with rasterio.open(tmp_path / "mask.png") as picture, rasterio.open(tmp_path / "mask.tif") as mask:
        assert picture.driver == "PNG"
        assert picture.transform.almost_equals(mask.transform, 1e-6)  # by the world file
        grey, alpha = picture.read()
        assert (grey == np.where(mask.read(1) == 1, 255, 0)).all()
        assert ((alpha == 255) == raster.valid).all()
    reference = read_truth(tmp_path / "mask.png", raster, "mask.png")
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert (reference.buildings == (mask.read(1) == 1)).all()
    for name, reason in (("mask.jpg", "JPG blurs masks"), ("mask.bmp", "ends in .tif or .png")):
        assert main(["segment", str(scene), str(tmp_path / name), "--model", "unet"]) == 2
        assert reason in capsys.readouterr().err
    assert main(["segment", str(scene), str(tmp_path / "p.png"), "--model", "unet", "--probability"]) == 2
    assert "PNG holds masks alone" in capsys.readouterr().err


def test_info_tells_how_files_are_read(scene: Path, truth: Path, run_json: Callable[..., Any], capsys: Printed) -> None:
    found = run_json("info", scene, "--truth", truth)
    assert (found["width_px"], found["height_px"], found["crs"]) == (128, 96, "EPSG:32630")
    assert found["reference"] == {"file": "truth.geojson", "buildings": 2, "judged_share": 1.0}
    assert main(["info", str(scene)]) == 0
    assert capsys.readouterr().out == "scene.tif: 128 x 96 px at 9.992 cm/px, EPSG:32630\n"
    assert main(["info", str(scene), "--page", "2"]) == 2


def test_a_folder_of_tiles_is_one_image(tmp_path: Path, capsys: Printed) -> None:
    folder = write_folder(tmp_path / "tiles", tiles())
    out = tmp_path / "mask.tif"
    command = ["segment", str(folder), str(out), "--model", "unet", "--device", "cpu", "--zoom", "17"]
    assert main([*command, "--bounds", "-0.298", "5.5755", "-0.2972", "5.577"]) == 0
    assert "count from the north" in capsys.readouterr().err
    with rasterio.open(out) as mask:
        assert mask.crs.to_epsg() == 3857 and mask.res[0] == pytest.approx(1.1943, abs=1e-3)


def test_a_promise_chooses_the_threshold_and_unlike_images_are_noted(
    scene: Path, tmp_path: Path, random_checkpoints: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(random_checkpoints, folder)
    card = json.loads((folder / "unet.json").read_text())
    shares = [0.99] * 10 + [0.5] * 23
    promised = {"cm_per_px": 10.0, "recall": shares, "precision": shares[::-1]}
    card["calibration"] = {"scalings": [[10, 1, 0]], "lines": {}, "coverage": 0.9, "promised": [promised]}
    card["familiarity"] = asdict(fit_familiarity(np.random.default_rng(0).normal(1, 1e-3, (9, 1008))))
    (folder / "unet.json").write_text(json.dumps(card))
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    out = tmp_path / "mask.tif"
    assert main(["segment", str(scene), str(out), "--model", "unet", "--device", "cpu", "--promise", "recall=0.9"]) == 0
    printed = capsys.readouterr()
    assert f"Threshold {THRESHOLDS[9]:.2f} for recall 0.9" in printed.err
    assert "unlike anything that was seen in the training and the trials of UNet" in printed.out
    with rasterio.open(out) as mask:
        assert f"threshold {THRESHOLDS[9]:g}" in mask.tags()["TIFFTAG_IMAGEDESCRIPTION"]
