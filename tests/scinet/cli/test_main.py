import csv
import io
import json
import subprocess
import sys
from math import isnan

import numpy as np
import pyogrio
import pytest
import rasterio
from PIL import Image

from pages.app import runs
from pages.app.subject import Subject
from pages.views.explore.downloads import files
from pages.views.sweep.rows import table as sweep_table
from scinet.cli.main import main
from scinet.evaluation.truth import read_truth, truth_labels
from scinet.models.card import list_models
from scinet.raster.scene import read_raster
from scinet.vector.footprint_file import write_footprints


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
        ["--strategy", "guessing"],
        ["--probability", "float64"],
        ["--nonsense"],
        ["--square"],
        ["--footprints", "out.shp"],
        ["--footprints", "none/out.gpkg"],
    ],
)
def test_bad_options_are_one_sentence_and_no_file(scene, tmp_path, wrong, capsys):
    out = tmp_path / "mask.tif"
    assert main(["segment", str(scene), str(out), "--model", "unet", *wrong]) == 2
    message = capsys.readouterr().err
    last = message.rstrip("\n").rpartition("\n")[2]
    assert last.startswith("scinet: ") and "Traceback" not in message
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"a text", b"<VRTDataset rasterXSize='9' rasterYSize='9'/>"])
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


@pytest.fixture
def truth(scene, tmp_path):
    """Footprints of some blocks on the scene, in longitude and latitude."""
    labels = np.zeros((96, 128), np.int32)
    labels[10:40, 30:60], labels[50:90, 40:110] = 1, 2
    path = tmp_path / "truth.geojson"
    write_footprints(path, labels > 0, read_raster(scene))
    return path


def run_json(capsys, *arguments):
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def the_apps(scene, truth, cm_per_px):
    """What the app has of the same image: the subject, and the run of the UNet."""
    raster = read_raster(scene)
    subject = Subject("cli", scene.name, raster, read_truth(truth, raster, truth.name))
    card = next(card for card in list_models() if card.name == "unet")
    return subject, runs.run(runs.Task(subject, card, cm_per_px or raster.cm_per_px, "direct"), lambda done: None)


@pytest.mark.parametrize("cm_per_px", [None, 17.0])
def test_score_gives_the_apps_figures(scene, truth, cm_per_px, capsys):
    options = ["--model", "unet", "--threshold", 0.45, "--min-area-m2", 0.05, "--device", "cpu"]
    asked = [] if cm_per_px is None else ["--cm-per-px", cm_per_px]
    ours = run_json(capsys, "score", scene, "--truth", truth, *options, *asked)
    _, run = the_apps(scene, truth, cm_per_px)
    evaluation = runs.evaluate(run, runs.MaskSettings(0.45, 0.05))
    (button,) = [file for file in files(evaluation) if file.name.endswith(".json")]
    theirs = json.loads(button.make())
    native = ours["native"]
    assert ours == theirs
    assert ours["truth"]["counts_px"]["tp"] > 0
    if cm_per_px is None:
        assert native["scores"] == ours["truth"]["scores"] and native["shares"] == ours["truth"]["shares"]
    else:
        assert native["scores"]["iou"] != ours["truth"]["scores"]["iou"]


def test_sweep_gives_the_apps_figures(scene, truth, capsys):
    options = ["--model", "unet", "--from", "9", "--to", "13", "--device", "cpu"]
    ours = run_json(capsys, "sweep", scene, "--truth", truth, *options)
    gsds = sorted({row["cm_per_px"] for row in ours["rows"]})
    assert len(gsds) == 2 and ours["native_cm_per_px"] in gsds
    table = sweep_table([the_apps(scene, truth, gsd)[1] for gsd in gsds], runs.MaskSettings(0.5))
    for row, (_, theirs) in zip(ours["rows"], table.iterrows(), strict=True):
        assert set(theirs.index) <= set(row)
        for name in theirs.index:
            value = row[name]
            if value is None:
                assert isnan(theirs[name])
            else:
                assert value == (theirs[name] if isinstance(value, str) else pytest.approx(theirs[name])), name
    assert main(["sweep", str(scene), "--truth", str(truth), *options]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["iou"]) for row in rows] == pytest.approx([row["iou"] for row in ours["rows"]])


def test_a_sweep_of_two_models_scores_each_as_alone(scene, truth, tmp_path, capsys):
    """With a mask image as truth."""
    raster = read_raster(scene)
    mask = tmp_path / "mask.png"
    Image.fromarray((truth_labels(read_truth(truth, raster, truth.name), raster) > 0).astype(np.uint8) * 255).save(mask)
    command = ["sweep", scene, "--truth", mask, "--from", "9", "--to", "13"]
    both = run_json(capsys, *command, "--model", "sci-net", "--model", "unet")
    alone = [run_json(capsys, *command, "--model", name)["rows"] for name in ("sci-net", "unet")]
    assert both["rows"] == alone[0] + alone[1]
    assert all(0 <= row["omission"] <= 1 for row in both["rows"])


def test_a_sweep_without_truth_has_the_agreement(scene, capsys):
    ours = run_json(capsys, "sweep", scene, "--model", "unet", "--from", "9", "--to", "13")
    assert {row["iou"] for row in ours["rows"]} == {None}
    native = [row for row in ours["rows"] if row["cm_per_px"] == ours["native_cm_per_px"]]
    assert [row["agreement"] for row in native] == [1.0, 1.0]


def test_a_window_is_scored_as_the_app_does(scene, truth, capsys):
    command = ["score", scene, "--truth", truth, "--model", "unet"]
    part = run_json(capsys, *command, "--window", 20, 0, 80, 60)
    assert (part["image"]["width_px"], part["image"]["height_px"]) == (80, 60)
    assert main([*map(str, command), "--window", "0", "0", "500", "500"]) == 2
    assert "reaches beyond" in capsys.readouterr().err


def test_text_for_people(scene, truth, capsys):
    assert main(["score", str(scene), "--truth", str(truth), "--model", "unet"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("iou", "omission", "working", "native", "found", "missed"))


def test_a_folder_is_segmented_image_by_image(scene, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        (folder / name).write_bytes(scene.read_bytes())
    (folder / "broken.tif").write_bytes(b"cannot be read as an image")
    command = ["segment", str(folder), str(out), "--model", "unet", "--footprints", str(tmp_path / "polygons")]
    assert main(command) == 2
    message = capsys.readouterr().err
    assert "broken: broken.tif cannot be read as an image" in message and "1 of 3 images" in message
    assert sorted(path.name for path in out.iterdir()) == ["a.tif", "b.tif"]
    assert pyogrio.read_info(tmp_path / "polygons" / "b.gpkg")["features"] >= 0
    (folder / "broken.tif").unlink()
    (out / "b.tif").unlink()
    former = (out / "a.tif").stat().st_mtime_ns
    assert main([*command, "--resume"]) == 0
    assert (out / "b.tif").exists() and (out / "a.tif").stat().st_mtime_ns == former
    assert main(["segment", str(folder), str(tmp_path / "one.tif"), "--model", "unet"]) == 2
    assert "has to be one too" in capsys.readouterr().err


def test_the_image_itself_is_not_overwritten(scene, capsys):
    before = scene.read_bytes()
    assert main(["segment", str(scene), str(scene), "--model", "unet"]) == 2
    assert "is the image itself" in capsys.readouterr().err
    assert scene.read_bytes() == before


def test_stopped_by_ctrl_c(scene, tmp_path, capsys, monkeypatch):
    out = tmp_path / "mask.tif"
    command = ["segment", str(scene), str(out), "--model", "unet", "--cm-per-px", "2"]
    ended = []

    def stop(bar, done):
        ended.append(done)
        if done > 0.5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("scinet.cli.options.Bar.show", stop)
        assert main(command) == 130
    assert "--resume" in capsys.readouterr().err
    assert not out.exists() and (tmp_path / "mask.tif.part").is_dir()
    assert main([*command, "--resume"]) == 0
    assert out.exists() and not (tmp_path / "mask.tif.part").exists()


def test_tiles_lists_a_folder(scene, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"cannot be read as an image")
    listed = run_json(capsys, "tiles", tmp_path)["tiles"]
    assert [row["name"] for row in listed] == ["broken", "scene"]
    assert "cannot be read as an image" in listed[0]["problem"]
    assert (listed[1]["width_px"], listed[1]["crs"]) == (128, "EPSG:32630")
    assert main(["tiles", str(tmp_path)]) == 0
    assert "128 x 96 px, 9.99 cm/px" in capsys.readouterr().out
    assert main(["tiles", str(tmp_path), "--city", "Atlantis"]) == 2
    assert main(["tiles", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize(
    "command", [[], ["segment"], ["score", "a.tif"], ["dance"], ["sweep", "none.tif", "--model", "unet"]]
)
def test_bad_commands_are_one_sentence(command, capsys):
    assert main(command) == 2
    message = capsys.readouterr().err
    assert message.startswith("scinet: ") and message.count("\n") == 1 and "Traceback" not in message


@pytest.mark.parametrize("command", ["segment", "score", "sweep", "models", "tiles", "export"])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert len(text) > 150
    if command in ("segment", "score", "sweep"):
        assert f"python -m scinet {command}" in text.split("examples:")[1]


@pytest.mark.slow
def test_a_command_loads_what_it_needs():
    """The list of scenes comes at once, without torch; a mask needs no geopandas, which takes 100 MB."""
    for command, unneeded in (("main(['ocaic', 'list'])", "torch"), ("_parser(['segment'])", "geopandas")):
        code = (
            f"import sys; from scinet.cli.main import _parser, main; {command}; sys.exit({unneeded!r} in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
