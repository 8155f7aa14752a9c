"""References that do not name every building, and areas of interest."""

import doctest
import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scinet.errors import TargetError, TruthError
from scinet.evaluation import partial
from scinet.evaluation.evaluate import evaluate, evaluate_on_grids
from scinet.evaluation.partial import labels_note
from scinet.evaluation.reference import Truth, truth_labels
from scinet.evaluation.sweep_rows import SweepPoint, sweep_rows, verdicts
from scinet.evaluation.target import Target
from scinet.raster.raster import Raster
from scinet.vector.area import Area, read_area


def two_houses(raster: Raster) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """A mask of two houses of which the second alone is labelled, and the labelled one."""
    mask, labelled = np.zeros(raster.shape, bool), np.zeros(raster.shape, bool)
    mask[10:30, 10:30] = mask[60:80, 80:100] = labelled[60:80, 80:100] = True
    return mask, labelled


def area_file(folder: Path, raster: Raster, left: float, top: float, right: float, bottom: float) -> Path:
    """A GeoJSON of a rectangle in px of the raster, in its CRS."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    ring = [list(raster.transform @ corner) for corner in corners]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32630"}}
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    path = folder / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    return path


def test_doctests() -> None:
    assert doctest.testmod(partial).failed == 0


def test_a_house_that_nobody_labelled_is_not_false(noise_raster: Raster) -> None:
    mask, labelled = two_houses(noise_raster)
    full = evaluate(mask, noise_raster, Truth(labelled))
    part = evaluate(mask, noise_raster, Truth(labelled, is_partial=True))
    assert full.diagnosis is not None and part.diagnosis is not None
    assert full.diagnosis.shares.false_area == 0.5 and part.diagnosis.shares.false_area == 0.0
    assert part.diagnosis.shares.omission == 0.0 and part.diagnosis.buildings.kind.tolist() == ["found"]


def test_what_is_judged_ends_two_metres_from_the_buildings(noise_raster: Raster) -> None:
    labels = truth_labels(Truth(two_houses(noise_raster)[1], is_partial=True), noise_raster)
    assert labels[60 - 20, 90] == 0 and labels[60 - 21, 90] == -1  # of 10 cm


def test_figures_that_need_all_labels_are_left_out(noise_raster: Raster) -> None:
    mask, labelled = two_houses(noise_raster)
    truth = Truth(labelled, is_partial=True)
    probability = mask.astype(np.float32)
    point = SweepPoint.of(
        "UNet", 10.0, evaluate_on_grids(probability, noise_raster, noise_raster, truth), is_partial=True
    )
    (row, _) = sweep_rows([point])
    left_out = ("iou", "f1", "precision", "false_area", "object_f1", "object_precision", "object_count_error")
    assert all(isnan(row[name]) for name in left_out)
    assert row["recall"] == pytest.approx(1) and row["object_recall"] == 1.0 and row["merging"] == 0.0
    with pytest.raises(TargetError, match="Not every building is labelled"):
        verdicts([point], Target("iou", 0.7), 10.0)
    large = replace(point, parts={"working": np.tile([9.0, 9, 9, 1, 1, 1, 1, 1], (16, 1))})
    assert verdicts([large], Target("found_over_20_m2", 0.7), 10.0)[0].kept == 10.0


def test_a_mask_far_from_the_reference_is_reported(noise_raster: Raster) -> None:
    mask, labelled = two_houses(noise_raster)
    (note,) = labels_note(evaluate(mask, noise_raster, Truth(labelled)), is_partial=False)
    assert note.startswith("50 % of the mask lies more than 5 m from any reference building")
    assert not labels_note(evaluate(mask, noise_raster, Truth(labelled)), is_partial=True)
    assert not labels_note(evaluate(mask, noise_raster, Truth(mask)), is_partial=False)
    assert not labels_note(evaluate(mask, noise_raster), is_partial=False)


def test_outside_the_area_nothing_counts(noise_raster: Raster, tmp_path: Path) -> None:
    mask, labelled = two_houses(noise_raster)
    area = read_area(area_file(tmp_path, noise_raster, 64, 48, 128, 96), noise_raster.grid, "area.geojson")
    assert int(area.inside(noise_raster.grid).sum()) == 64 * 48
    found = evaluate(mask, noise_raster, Truth(labelled), area=area)
    assert found.diagnosis is not None
    assert found.diagnosis.counts.fp == 0 and found.diagnosis.counts.tp == 400
    assert found.building_area_m2 == pytest.approx(400 * noise_raster.pixel_area_m2)


def test_an_area_outside_the_image_or_of_no_size_is_one_sentence(noise_raster: Raster, tmp_path: Path) -> None:
    for box in ((5000, 5000, 5100, 5100), (10, 10, 10, 40)):
        path = area_file(tmp_path, noise_raster, *box)
        with pytest.raises(TruthError) as caught:
            read_area(path, noise_raster.grid, "area.geojson")
        assert "area.geojson" in str(caught.value) and str(caught.value).count(". ") <= 2


def test_the_key_of_an_area_changes_with_it(noise_raster: Raster, tmp_path: Path) -> None:
    def read(right: float) -> Area:
        return read_area(area_file(tmp_path, noise_raster, 0, 0, right, 50), noise_raster.grid, "area.geojson")

    assert read(40).key == read(40).key != read(41).key
