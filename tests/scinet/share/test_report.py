"""A sweep as one HTML file."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from scinet.cli.main import main
from scinet.errors import WriteError
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.sweep_rows import SweepPoint
from scinet.evaluation.target import Target
from scinet.models.confidence import Estimate
from scinet.raster.raster import Raster
from scinet.raster.resample import resample, resample_probability
from scinet.share import report
from scinet.share.report import MOST_BYTES, Pictures, SharedImage, report_html


def sweep_of(side_px: int, models: int, steps: list[float]) -> tuple[list[SweepPoint], Pictures]:
    """Noise at 10 cm/px with houses, of which each model finds all at the first step and half at the others."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (side_px, side_px, 3), np.uint8)
    image = Raster(pixels, np.ones((side_px, side_px), bool), Affine(0.1, 0, 0, 0, -0.1, 0), None)
    truth = np.zeros((side_px, side_px), bool)
    for row in range(8, side_px - 40, 48):
        for column in range(8, side_px - 40, 48):
            truth[row : row + 32, column : column + 30] = True
    points, pictures = [], Pictures()
    for number in range(models):
        for step in steps:
            working = resample(image, step)
            found = truth.copy()
            if step > steps[0]:
                found[:, side_px // 2 :] = False
            probability = resample_probability(found.astype(np.float32), working.shape)
            evaluations = evaluate_on_grids(probability, working, image, truth)
            points.append(SweepPoint.of(f"Model {number}", step, evaluations))
            pictures.add(f"Model {number}", "unet", step, evaluations["working"])
    return points, pictures


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_a_report_holds_image_masks_numbers_and_verdicts_and_asks_for_nothing() -> None:
    points, pictures = sweep_of(192, 2, [10.0, 20.0, 40.0])
    text = report_html(SharedImage("Village", "CC-BY-4.0"), 10.0, points, pictures, Target("iou", 0.7))
    data = data_of(text)
    assert list(data["pictures"]) == ["Image", "Reference", "Model 0", "Model 1"]
    assert all(uri.startswith("data:image/") for row in data["pictures"].values() for uri in row)
    assert len(data["rows"]) == 6 and data["credit"] == "CC-BY-4.0"
    assert data["verdicts"]["Model 0"]["kept_to_cm_per_px"] == 10.0
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert not re.search(r"https?://|url\(|@import|<link|src=[\"']", outside)


def test_names_of_files_stay_texts() -> None:
    points, pictures = sweep_of(96, 1, [10.0])
    name = "</script><script>alert(1)</script><!-- &amp;"
    text = report_html(SharedImage(name), 10.0, points, pictures)
    assert "<script>alert" not in text and data_of(text)["image"] == name


def test_a_tile_of_1024_px_at_seven_steps_by_seven_models_is_at_most_5_mb() -> None:
    points, pictures = sweep_of(1024, 1, [10.0])
    noise = next(iter(pictures.images.values()))
    pictures.images = {step: resample(noise, step) for step in (10.0, 12.5, 16.0, 20.0, 25.0, 31.5, 40.0)}
    bright = {step: (image.pixels[..., 0] > 127).astype(np.uint8) for step, image in pictures.images.items()}
    pictures.references = bright
    pictures.colours = {f"Model {number}": "#123456" for number in range(7)}
    pictures.masks = {(model, step): (bright[step], ["#009E73"]) for model in pictures.colours for step in bright}
    text = report_html(SharedImage("Noise"), 10.0, points, pictures)  # noise is the worst that can be compressed
    assert 1_000_000 < len(text.encode()) <= MOST_BYTES


def test_what_cannot_be_small_enough_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_BYTES", 10_000)
    points, pictures = sweep_of(96, 1, [10.0])
    with pytest.raises(WriteError, match="larger than 5 MB"):
        report_html(SharedImage("Village"), 10.0, points, pictures)


def test_without_a_reference_there_are_masks_and_areas(tmp_path: Path) -> None:
    points, pictures = sweep_of(96, 1, [10.0])
    pictures.references = {}
    data = data_of(report_html(SharedImage("Village"), 10.0, points, pictures))
    assert "Reference" not in data["pictures"] and data["kinds"] == {}


def test_a_report_into_no_folder_is_refused_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sweep", "no.tif", "--model", "unet", "--report", "/nowhere/at/all/out.html"]
    assert main(command) == 2
    assert "its folder does not exist" in capsys.readouterr().err


def test_without_a_reference_the_report_has_estimates_and_says_so() -> None:
    points, pictures = sweep_of(96, 1, [10.0, 20.0])
    estimates = {"iou": Estimate(0.8, 0.7, 0.9, 0.9)}
    bare = [
        replace(point, tallies={}, objects={}, smallest_found_m2={}, parts={}, estimates=estimates) for point in points
    ]
    data = data_of(report_html(SharedImage("Village"), 10.0, bare, pictures, Target("iou", 0.7)))
    assert data["verdicts"]["Model 0"]["is_estimated"] and "probably keeps" in data["verdicts"]["Model 0"]["sentence"]
    assert data["rows"][0]["estimated_iou_low"] == 0.7
