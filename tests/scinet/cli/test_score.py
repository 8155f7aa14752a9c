"""`scinet score` and `scinet sweep`: the figures of masks."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from scinet.cli.main import main
from scinet.evaluation.sweep_rows import COLUMNS
from scinet.evaluation.truth import read_truth, truth_labels
from scinet.raster.scene import read_raster
from scinet.vector.read import read_footprints
from tests.scinet.evaluation.test_partial import area_file

Printed = pytest.CaptureFixture[str]
RunJson = Callable[..., Any]

NATIVE_AND_12_5 = ["--from", "9", "--to", "13", "--device", "cpu"]


def test_at_the_native_resolution_both_grids_have_the_same_scores(scene: Path, truth: Path, run_json: RunJson) -> None:
    content = run_json("score", scene, "--truth", truth, "--model", "unet", "--threshold", 0.45, "--device", "cpu")
    assert content["settings"] == {
        "strategy": "best-scale",
        "places": "unknown",
        "flips": False,
        "scales": [1.0],
        "threshold": 0.45,
        "min_area_m2": 0.0,
    }
    assert content["truth"]["counts_px"]["tp"] > 0
    assert content["native"] == {
        "grid": "native",
        **{key: content["truth"][key] for key in ("scores", "shares", "objects")},
    }


def test_at_a_coarser_resolution_the_native_grid_is_scored_too(scene: Path, truth: Path, run_json: RunJson) -> None:
    command = ["score", scene, "--truth", truth, "--model", "unet", "--cm-per-px", 17]
    content = run_json(*command, "--min-area-m2", 0.05)
    assert content["working"]["width_px"] == 75 and content["image"]["width_px"] == 128
    assert content["settings"]["min_area_m2"] == 0.05
    assert content["native"]["scores"]["iou"] != content["truth"]["scores"]["iou"]


def test_a_window_is_scored_alone(scene: Path, truth: Path, run_json: RunJson, capsys: Printed) -> None:
    command = ["score", scene, "--truth", truth, "--model", "unet"]
    part = run_json(*command, "--window", 20, 0, 80, 60)
    assert (part["image"]["width_px"], part["image"]["height_px"]) == (80, 60)
    assert main([*map(str, command), "--window", "0", "0", "500", "500"]) == 2
    assert "reaches beyond" in capsys.readouterr().err


def test_people_get_lines_of_text(scene: Path, truth: Path, capsys: Printed) -> None:
    assert main(["score", str(scene), "--truth", str(truth), "--model", "unet"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("iou", "omission", "working", "native", "found", "missed"))


def test_a_sweep_has_the_figures_of_score(scene: Path, truth: Path, run_json: RunJson) -> None:
    command = ["--truth", truth, "--model", "unet", "--device", "cpu"]
    swept = run_json("sweep", scene, *command, "--from", "9", "--to", "13")
    assert all(tuple(row) == COLUMNS for row in swept["rows"])
    steps = sorted({row["cm_per_px"] for row in swept["rows"]})
    assert len(steps) == 2 and swept["native_cm_per_px"] in steps and swept["verdicts"] == {}
    for step in steps:
        scored = run_json("score", scene, *command, "--cm-per-px", step)
        for row in (row for row in swept["rows"] if row["cm_per_px"] == step):
            block = scored["truth" if row["grid"] == "working" else "native"]
            figures = block["scores"] | block["shares"]
            figures |= {f"object_{name}": value for name, value in block["objects"].items()}
            assert {name: row[name] for name in figures} == {
                name: None if value is None else pytest.approx(value) for name, value in figures.items()
            }
            assert row["components"] == scored["mask"]["components"]


def test_a_sweep_prints_csv_without_json(scene: Path, truth: Path, run_json: RunJson, capsys: Printed) -> None:
    command = ["sweep", str(scene), "--truth", str(truth), "--model", "unet", *NATIVE_AND_12_5]
    rows = run_json(*command)["rows"]
    assert main(command) == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["iou"]) for row in printed] == pytest.approx([row["iou"] for row in rows])


def test_a_sweep_of_two_models_scores_each_as_alone(
    scene: Path, truth: Path, tmp_path: Path, run_json: RunJson
) -> None:
    """With a mask image as reference."""
    raster = read_raster(scene)
    mask = tmp_path / "mask.png"
    Image.fromarray((truth_labels(read_truth(truth, raster, truth.name), raster) > 0).astype(np.uint8) * 255).save(mask)
    command = ["sweep", scene, "--truth", mask, *NATIVE_AND_12_5]
    both = run_json(*command, "--model", "sci-net", "--model", "unet")
    alone = [run_json(*command, "--model", name)["rows"] for name in ("sci-net", "unet")]
    assert both["rows"] == alone[0] + alone[1]
    assert all(0 <= row["omission"] <= 1 for row in both["rows"])


def test_a_sweep_without_reference_has_the_agreement(scene: Path, run_json: RunJson) -> None:
    content = run_json("sweep", scene, "--model", "unet", *NATIVE_AND_12_5)
    assert {row["iou"] for row in content["rows"]} == {None}
    native = [row for row in content["rows"] if row["cm_per_px"] == content["native_cm_per_px"]]
    assert [row["agreement"] for row in native] == [1.0, 1.0]


def test_the_finest_resolution_comes_first(scene: Path, capsys: Printed) -> None:
    assert main(["sweep", str(scene), "--model", "unet", "--from", "40", "--to", "20"]) == 2
    assert "give the finest first" in capsys.readouterr().err


def test_a_target_gives_a_verdict_with_its_flying_height(
    scene: Path, truth: Path, run_json: RunJson, capsys: Printed
) -> None:
    command = ["sweep", scene, "--truth", truth, "--model", "unet", *NATIVE_AND_12_5]
    command += ["--camera", "FC6310R", "--threshold", "0.3"]
    found = run_json(*command, "--target", "f1=0.01")["verdicts"]["UNet"]
    assert found["kept_to_cm_per_px"] == 12.5 and found["flying_height_m"] == 460
    assert "keeps your target to 12.5 cm/px" in found["sentence"]
    assert run_json(*command, "--target", "f1=0.99")["verdicts"]["UNet"]["kept_to_cm_per_px"] is None
    assert main([*map(str, command), "--target", "f1=0.01"]) == 0
    assert "That is 460 m above the ground with DJI Phantom 4 RTK." in capsys.readouterr().err


@pytest.mark.parametrize(
    "target, reason", [("iou", "is not a target"), ("speed=1", "is not a target"), ("iou=2", "cannot be met")]
)
def test_a_target_that_means_nothing_is_refused(
    scene: Path, truth: Path, capsys: Printed, target: str, reason: str
) -> None:
    assert main(["sweep", str(scene), "--truth", str(truth), "--model", "unet", "--target", target]) == 2
    assert reason in capsys.readouterr().err


def test_a_degradation_has_rows_by_amount_with_the_relative_drop(
    scene: Path, truth: Path, run_json: RunJson, capsys: Printed
) -> None:
    command = ["sweep", scene, "--truth", truth, "--model", "unet", "--threshold", 0.45, "--device", "cpu"]
    rows = run_json(*command, "--degrade", "noise")["rows"]
    assert [row["amount"] for row in rows] == [0, 2, 5, 10, 20, 40] and rows[0]["drop_iou"] == 0.0
    clean = run_json("score", scene, "--truth", truth, "--model", "unet", "--threshold", 0.45, "--device", "cpu")
    assert rows[0]["iou"] == pytest.approx(clean["truth"]["scores"]["iou"])
    assert rows[-1]["drop_iou"] == pytest.approx((rows[0]["iou"] - rows[-1]["iou"]) / rows[0]["iou"])
    kernels = run_json(*command, "--degrade", "kernel", "--cm-per-px", 20)["rows"]
    assert [row["amount"] for row in kernels] == ["area", "bilinear", "cubic", "lanczos", "nearest"]
    assert main([*map(str, command), "--degrade", "noise", "--target", "iou=0.5"]) == 2
    assert "leave them out" in capsys.readouterr().err
    assert main([*map(str, command), "--cm-per-px", "20"]) == 2
    assert "resolution of --degrade" in capsys.readouterr().err


def test_an_area_and_missing_labels_change_what_is_scored(
    scene: Path, truth: Path, tmp_path: Path, run_json: RunJson, capsys: Printed
) -> None:
    area = area_file(tmp_path, read_raster(scene), 20, 5, 70, 45)
    command = ["score", scene, "--truth", truth, "--model", "unet", "--threshold", 0.3]
    whole, part = run_json(*command), run_json(*command, "--area", area)
    assert part["mask"]["building_area_m2"] < whole["mask"]["building_area_m2"]
    assert part["truth"]["objects"]["buildings"] == 1 < whole["truth"]["objects"]["buildings"]
    partly = run_json(*command, "--not-all-labelled")["truth"]
    assert partly["scores"]["iou"] is None and partly["scores"]["recall"] > 0 and partly["shares"]["false_area"] is None
    assert main([*map(str, command), "--area", str(tmp_path / "none.gpkg")]) == 2
    assert "none.gpkg" in capsys.readouterr().err


def test_footprints_are_traced_inside_the_area_alone(scene: Path, tmp_path: Path) -> None:
    raster = read_raster(scene)
    area = area_file(tmp_path, raster, 20, 5, 70, 45)
    out, vector = tmp_path / "mask.tif", tmp_path / "buildings.gpkg"
    command = ["segment", scene, out, "--model", "unet", "--threshold", 0.05, "--footprints", vector, "--area", area]
    assert main(list(map(str, command))) == 0
    with rasterio.open(out) as file:
        mask = file.read(1)
    assert (mask[5:45, 20:70] != 255).all() and (np.delete(mask.ravel(), np.flatnonzero(_box(mask.shape))) == 255).all()
    assert sum(polygon.area for polygon in read_footprints(vector).polygons) <= 50 * 40 * 0.01 + 1e-6


def _box(shape: tuple[int, int]) -> NDArray[np.bool_]:
    box = np.zeros(shape, bool)
    box[5:45, 20:70] = True
    return box


def test_ctrl_c_has_no_hint_to_resume(
    scene: Path, truth: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(bar: object, done: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scinet.cli.bar.Bar.show", stop)
    assert main(["score", str(scene), "--truth", str(truth), "--model", "unet"]) == 130
    message = capsys.readouterr().err
    assert message.endswith("scinet: Stopped.\n") and "--resume" not in message
