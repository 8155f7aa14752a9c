"""The table of the worst buildings: what is in it, in which order, and where a row leads."""

import json

import numpy as np
import pytest
from rasterio.transform import Affine
from shapely import union_all
from shapely.geometry import shape

from pages.app.runs import MaskSettings, Result, Run, Task
from pages.app.subject import Subject
from pages.map import layers
from pages.views.explore import worst_buildings
from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.evaluate import Evaluation
from scinet.evaluation.truth import Truth
from scinet.models.card import Card
from scinet.raster.raster import Raster
from scinet.segmentation.strategies import Strategy


@pytest.fixture
def village() -> tuple[Subject, Result]:
    """At 1 m/px: a pair of houses of 36 m2 fused, one of 64 m2 missed, one of 16 m2 found, a false area of 50 m2."""
    truth = np.zeros((40, 40), bool)
    truth[2:8, 2:8] = truth[2:8, 10:16] = True
    truth[20:28, 2:10] = True
    truth[20:24, 20:24] = True
    prediction = np.zeros_like(truth)
    prediction[2:8, 2:16] = prediction[20:24, 20:23] = True
    prediction[30:35, 28:38] = True
    pixels = np.zeros((40, 40, 3), np.uint8)
    raster = Raster(pixels, np.ones((40, 40), bool), Affine(1, 0, 0, 0, -1, 0), None)
    diagnosis = diagnose(truth, prediction, pixel_area_m2=1.0)
    card = Card(name="a", architecture="unet", gsd_range_cm_per_px=(5.0, 20.0), window_px=64)
    subject = Subject(key="worst-village", title="Village", raster=raster, truth=Truth(truth), credit="")
    run = Run(Task(subject, card, 100.0, Strategy("direct")), prediction.astype(np.float32))
    return subject, Result(("a",), run, MaskSettings(), Evaluation(raster, prediction, diagnosis, None, 0.5, 0.0))


def test_the_most_affected_area_comes_first(village: tuple[Subject, Result]) -> None:
    rows = worst_buildings.table(*village)
    assert rows["kind"].tolist() == ["missed", "false", "merged", "merged", "found"]
    assert rows["affected_m2"].tolist() == [64, 50, 36, 36, 4]
    assert rows["area_m2"].tolist() == [64, 50, 36, 36, 16]
    assert rows["partners"].dropna().tolist() == [0, 1, 1, 0]
    assert rows["completeness"].isna().tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("row, bounds", [(0, (2, -28, 10, -20)), (1, (28, -35, 38, -30))])
def test_a_row_leads_to_its_place(village: tuple[Subject, Result], row: int, bounds: tuple[int, int, int, int]) -> None:
    target = worst_buildings._target(*village, worst_buildings.table(*village).iloc[row])
    features = json.loads(target.geojson)["features"]
    assert union_all([shape(feature["geometry"]) for feature in features]).bounds == bounds


def test_tooltips_describe_mergers_and_false_areas(village: tuple[Subject, Result]) -> None:
    subject, result = village
    features = json.loads(layers.components(layers.BUILDINGS, result))["features"]
    told = [(f["properties"]["title"], dict(f["properties"]["rows"])) for f in features]
    assert told == [
        ("Merged component", {"Buildings": "2", "Component": "84 m²"}),
        ("False area", {"Component": "50 m²", "Outside buildings": "50 m²"}),
    ]
    outcomes = json.loads(layers.outcomes(subject, result)).values()
    merged = [dict(outcome["rows"]) for outcome in outcomes if outcome["title"] == "Merged"]
    assert merged == [{"Area": "36 m²", "Completeness": "100%", "Pieces": "0", "Merged with": "1"}] * 2


def test_every_building_has_an_outline_and_its_fate(village: tuple[Subject, Result]) -> None:
    subject, result = village
    outlined = json.loads(layers.reference_buildings(subject))["features"]
    outcomes = json.loads(layers.outcomes(subject, result))
    assert {str(feature["properties"]["id"]) for feature in outlined} == set(outcomes)
    missed = next(f for f in outlined if outcomes[str(f["properties"]["id"])]["title"] == "Missed")
    assert shape(missed["geometry"]).bounds == (2, -28, 10, -20)
