"""``scinet sweep`` of an image without a reference: estimates, and verdicts by them."""

import csv
import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from scinet.cli.main import main
from scinet.models.card import read_card
from scinet.models.confidence import Calibration, Line
from scinet.models.named import open_model
from scinet.models.scaling import logit_histogram
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from tests.scinet.cli.conftest import RunJson

Printed = pytest.CaptureFixture[str]
CALIBRATION = Calibration(((10.0, 1.0, 0.0),), {"iou": Line(1.0, 0.0, -1.0, 1.0)}, measured_with="manet")
STEPS = ["--to", "12.5"]


@pytest.fixture(autouse=True)
def calibrated(random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of random checkpoints in which UNet's card has a calibration, and MANet's was its lender."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(random_checkpoints, folder)
    card: dict[str, Any] = json.loads((folder / "unet.json").read_text())
    (folder / "unet.json").write_text(json.dumps(card | {"calibration": asdict(CALIBRATION)}))
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    return folder


def test_rows_and_verdicts_are_estimates_that_name_their_lender(
    scene: Path, calibrated: Path, run_json: RunJson, capsys: Printed
) -> None:
    command = ["sweep", scene, "--model", "unet", *STEPS]
    content = run_json(*command, "--target", "f1=0.01")
    row = content["rows"][0]
    raster = read_raster(scene)
    probability = segment(raster, open_model("unet")).probability
    card = read_card(calibrated / "unet.json")
    assert card.calibration is not None
    expected = card.calibration.estimate(logit_histogram(probability, raster.valid), raster.cm_per_px)["iou"]
    found = [row[f"estimated_iou{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx(expected[:3], abs=1e-6) and row["iou"] is None
    assert content["verdicts"]["UNet"]["is_estimated"] is True
    assert "UNet probably keeps your target" in content["verdicts"]["UNet"]["sentence"]
    assert "The estimates for UNet rest on what was measured with MANet." in content["notes"]


def test_a_table_has_the_columns_of_the_model_that_is_calibrated(scene: Path, capsys: Printed) -> None:
    assert main(["sweep", str(scene), "--model", "sci-net", "--model", "unet", *STEPS]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["model"] for row in rows if row["estimated_iou"]} == {"UNet"}


def test_a_report_has_the_estimates(scene: Path, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "report.html"
    assert main(["sweep", str(scene), "--model", "unet", *STEPS, "--target", "iou=0.01", "--report", str(out)]) == 0
    assert "estimated_iou_low" in out.read_text() and "UNet probably keeps your target" in out.read_text()


def test_a_target_that_cannot_be_estimated_is_said_after_the_rows(scene: Path, capsys: Printed) -> None:
    assert main(["sweep", str(scene), "--model", "unet", *STEPS, "--target", "found_over_20_m2=0.9"]) == 2
    printed = capsys.readouterr()
    assert "estimated_iou" in printed.out and "cannot be estimated for UNet" in printed.err


def test_a_target_without_a_reference_needs_a_model_that_was_calibrated(scene: Path, capsys: Printed) -> None:
    assert main(["sweep", str(scene), "--model", "sci-net", "--target", "iou=0.7"]) == 2
    printed = capsys.readouterr()
    assert "needs reference buildings" in printed.err and not printed.out
