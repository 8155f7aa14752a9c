"""The area of interest that is drawn on the map, and references that do not name every building."""

from typing import Any

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.warp import transform
from streamlit.testing.v1 import AppTest

from pages.app.runs import Task
from pages.app.state import DrawnArea, Session
from pages.app.subject import Subject
from pages.sources import area_link, scope
from scinet.evaluation.truth import Truth
from scinet.models.card import Card
from scinet.raster.raster import Raster
from scinet.segmentation.strategies import Strategy
from scinet.vector.area import area_of_corners
from tests.pages.samples import map_state, session_of


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def draw_upper_half(app: AppTest) -> None:
    subject = session_of(app).subject
    assert subject is not None
    raster = subject.raster
    corners = ((0.0, 0.0), (64.0, 0.0), (64.0, 32.0), (0.0, 32.0))
    area, text = area_link.area_in_px(corners, raster.grid), area_link.to_text(corners, raster.grid)
    session_of(app).drawn_area = DrawnArea(subject.place_key, area, text)


def test_a_drawn_area_counts_on_both_pages_without_another_run(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    app.query_params.update({"models": "UNet", "threshold": "0.05"})  # all is building
    app.run()
    before = map_state(app)
    assert before["area"] is None
    monkeypatch.setattr("scinet.segmentation.segment.segment", lambda *a, **k: pytest.fail("a second forward pass"))
    draw_upper_half(app)
    app.run()
    assert not app.exception and "area of interest 20 m²" in html(app)  # of 6.4 x 3.2 m
    drawn = map_state(app)
    assert drawn["area"]["drawn"] and drawn["right"]["note"] != before["right"]["note"]
    assert drawn["frame"]["id"] == before["frame"]["id"]  # the map stays
    app.switch_page("pages/sweep.py").run()
    assert not app.exception and "area of interest 20 m²" in html(app)
    app.button(key="remove_area").click().run()
    assert "area of interest" not in html(app)


def test_a_drawn_area_belongs_to_its_image(app: AppTest) -> None:
    app.query_params["models"] = "UNet"
    app.run()
    draw_upper_half(app)
    app.selectbox(key="tile").set_value("west.png").run()
    assert not app.exception and map_state(app)["area"] is None
    app.selectbox(key="tile").set_value("east.png").run()
    assert map_state(app)["area"]["drawn"]


def test_figures_that_need_every_building_are_left_out_where_not_all_are_labelled(app: AppTest) -> None:
    app.query_params["models"] = "UNet"
    app.run()
    app.toggle(key="not_all_labelled").set_value(True).run()
    assert not app.exception and "not everything is labelled" in html(app)
    assert map_state(app)["right"]["note"].startswith("Recall ")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ([[5.6, 0.0], [5.6, 0.1]], "has no size"),
        ([[50, 20], [50, 21], [51, 21]], "covers no part"),
        ("nonsense", "has no size"),
        ([[1]], "has no size"),
        ([["a", "b"]] * 3, "has no size"),
        ({"drawing": 1}, "has no size"),
        ([[0, 0]] * 2000, "more than 1000 corners"),
    ],
)
def test_what_is_not_an_area_is_one_sentence_and_the_former_area_stays(
    sent: Any, problem: str, noise_raster: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    monkeypatch.setattr(scope, "session", lambda: session)
    subject = Subject("a", "A", noise_raster, None)
    x, y = noise_raster.transform @ (64, 48)
    former = area_of_corners([(x, y), (x + 2, y), (x, y + 2)], noise_raster.crs, noise_raster.grid)
    session.drawn_area = DrawnArea(subject.place_key, former, "")
    scope.draw(subject, sent)
    assert problem in (session.drawing_problem or "") and session.drawn_area.area is former
    scope.draw(subject, None)
    assert session.drawn_area is None


def test_corners_on_the_map_are_latitude_and_longitude(noise_raster: Raster, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    monkeypatch.setattr(scope, "session", lambda: session)
    pixels = ((10, 10), (60, 10), (60, 50), (10, 50))
    xs, ys = zip(*(noise_raster.transform @ pixel for pixel in pixels), strict=True)
    longitudes, latitudes = transform(noise_raster.crs, CRS.from_epsg(4326), xs, ys)
    scope.draw(Subject("a", "A", noise_raster, None), [list(pair) for pair in zip(latitudes, longitudes, strict=True)])
    assert session.drawn_area is not None
    assert session.drawn_area.area.inside(noise_raster.grid).sum() == pytest.approx(50 * 40, rel=0.02)
    opened = area_link.from_text(session.drawn_area.text, noise_raster.grid)
    assert area_link.area_in_px(opened, noise_raster.grid).key == session.drawn_area.area.key


def test_a_copied_link_opens_the_drawn_area_on_explore_and_sweep(app: AppTest) -> None:
    app.query_params["models"] = "UNet"
    app.run()
    draw_upper_half(app)
    app.run()
    assert app.query_params["area"] == "64x64_0_0_64_0_64_32_0_32"
    visit = AppTest.from_file(app._script_path, default_timeout=180)
    visit.query_params.update({"source": "Tiles", "models": "UNet", "area": app.query_params["area"]})
    visit.run()
    assert not visit.exception and "area of interest 20 m²" in html(visit) and map_state(visit)["area"]["drawn"]
    visit.switch_page("pages/sweep.py").run()
    assert not visit.exception and "area" in visit.query_params
    visit.button(key="remove_area").click().run()
    assert "area" not in visit.query_params and "area of interest" not in html(visit)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("32x32_0_0_9_0_9_9", "32 x 32 px, and this one has 64 x 64"),
        ("64x64_0_0_9_0", "cannot be read"),
        ("64x64" + "_1_2" * 101, "cannot be read"),
        ("64x64_0_0_nan_0_9_9", "cannot be read"),
        ("64x64_0_0_5_0_9_0", "has no size"),
        ("64x64_900_900_990_900_990_990", "covers no part"),
        ("<img src=x onerror=alert(1)>", "cannot be read"),
    ],
)
def test_an_area_in_a_link_that_is_none_is_one_sentence(app: AppTest, text: str, problem: str) -> None:
    app.query_params.update({"models": "UNet", "area": text})
    app.run()
    assert not app.exception and not app.error and "area of interest" not in html(app)
    (toast,) = app.toast
    assert problem in toast.value and "area" not in app.query_params


def test_links_leave_out_an_area_of_many_corners_and_say_so(app: AppTest) -> None:
    app.query_params["models"] = "UNet"
    app.run()
    subject = session_of(app).subject
    assert subject is not None
    angles = np.linspace(0, 2 * np.pi, 150, endpoint=False)
    corners = tuple((float(x), float(y)) for x, y in (32 + 20 * np.stack([np.cos(angles), np.sin(angles)], axis=1)))
    text, area = area_link.to_text(corners, subject.raster.grid), area_link.area_in_px(corners, subject.raster.grid)
    session_of(app).drawn_area = DrawnArea(subject.place_key, area, text)
    app.run()
    assert "area" not in app.query_params and "area of interest" in html(app)
    assert any("Links leave the drawn area out" in each.value for each in app.caption)


def test_scores_depend_on_the_scope_and_probabilities_do_not(noise_raster: Raster) -> None:
    card = Card(name="unet", architecture="unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=64)
    whole = Truth(np.zeros(noise_raster.shape, bool))
    part = Truth(whole.buildings, is_partial=True)
    tasks = [Task(Subject("a", "A", noise_raster, truth), card, 10.0, Strategy()) for truth in (whole, part)]
    assert tasks[0].key == tasks[1].key and tasks[0].scored_key != tasks[1].scored_key
