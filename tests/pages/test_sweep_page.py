"""The page Sweep without a browser: running, cancelling, curves, film strip, the way to Explore."""

import io
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from threading import current_thread
from urllib.parse import parse_qsl

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.app import runs
from pages.app.runs import Task
from pages.app.state import session
from pages.app.subject import Subject
from pages.views.sweep import film_strip, rows
from scinet.errors import CheckpointError
from scinet.models.card import list_models
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy
from scinet.vector.area import read_area
from tests.pages.samples import geotiff, session_of


@pytest.fixture
def sweep(app: AppTest) -> AppTest:
    """The page on the village's tile of 64 px, at 10 and 12.5 cm/px, not yet run."""
    st.cache_resource.clear()
    app.query_params["steps"] = ["10 cm/px native", "12.5 cm/px"]
    app.query_params["density"] = "Fine"
    app.switch_page("pages/sweep.py").run()
    assert not app.exception
    return app


def run_all(app: AppTest) -> AppTest:
    app.button(key="run").click().run()
    assert not app.exception
    return app


def cells(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def charts(app: AppTest) -> list[dict]:
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def test_nothing_runs_before_the_button_is_pressed(sweep: AppTest) -> None:
    assert sweep.button(key="run").label == "Run sweep (4 runs)"  # two models
    assert not charts(sweep)


def test_a_sweep_gives_curves_verdicts_and_a_film_strip(sweep: AppTest) -> None:
    run_all(sweep)
    assert not [button for button in sweep.button if button.key == "run"]  # all is done
    specs = charts(sweep)
    assert len(specs) == 7  # IoU, F1 and five shares
    for spec in specs:
        assert spec["layout"]["xaxis"]["type"] == "log"
        assert len(spec["data"]) == 2
    opens = cells(sweep)
    assert len(opens) == 4 and all("IoU" in text for text in opens)
    assert "native grid" not in html(sweep)
    sweep.segmented_control(key="grid").set_value("Both").run()
    assert "native grid" in html(sweep)
    assert all(len(spec["data"]) == 4 for spec in charts(sweep))
    sweep.segmented_control(key="counted").set_value("Buildings").run()
    assert len(charts(sweep)) == 2 + 6 + 4  # the target's and object F1, other object scores, recall by size
    assert any("smallest building" in caption.value for caption in sweep.caption)  # one house tells of no share


def test_nothing_is_computed_twice(sweep: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all(sweep)
    monkeypatch.setattr("scinet.segmentation.segment.segment", lambda *a, **k: pytest.fail("a second forward pass"))
    sweep.slider(key="threshold").set_value(0.4).run()
    sweep.switch_page("pages/explore.py").run()
    sweep.switch_page("pages/sweep.py").run()
    assert not sweep.exception and len(charts(sweep)) == 7


def test_the_next_run_continues_while_the_page_is_drawn(sweep: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not run again when its turn comes."""
    real, threads = segment, []

    def slow(*arguments, **keywords):
        threads.append(current_thread())
        time.sleep(1.1)  # longer than the page waits before it draws what is there
        return real(*arguments, **keywords)

    monkeypatch.setattr("scinet.segmentation.segment.segment", slow)
    run_all(sweep)
    assert len(threads) == len(cells(sweep)) == 4
    assert {thread.name for thread in threads} == {"job"}  # none in the page's own


def test_finished_steps_survive_a_cancel(sweep: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ran = runs.run, []

    def three_then_cancel(task: Task, progress):
        ran.append(task)
        if len(ran) == 3:
            session().sweep = None  # as the button's callback does
        return real(task, progress)

    monkeypatch.setattr(runs, "run", three_then_cancel)
    monkeypatch.setattr(runs, "start_background", lambda task: None)
    run_all(sweep)
    assert len(ran) == 3
    assert ran[0].cm_per_px == 12.5  # the quickest come first
    assert sweep.button(key="run").label == "Continue (1 run left)"
    assert len(cells(sweep)) == 3
    run_all(sweep)
    assert len(ran) == 4 and len({task.key for task in ran}) == 4


def test_a_failed_run_is_reported_and_the_others_continue(sweep: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    real = runs.run

    def fails_on_unet(task: Task, progress):
        if task.card.name == "unet":
            raise CheckpointError("unet.safetensors is damaged; restore it from the repository.")
        return real(task, progress)

    monkeypatch.setattr(runs, "run", fails_on_unet)
    run_all(sweep)
    assert [error.value for error in sweep.error] == ["unet.safetensors is damaged; restore it from the repository."]
    assert len(cells(sweep)) == 2
    sweep.multiselect(key="models").set_value(["sci-net"]).run()
    assert not sweep.error  # the failure is no longer shown


def test_a_cell_leads_to_explore(sweep: AppTest) -> None:
    run_all(sweep)
    link = sweep.get("page_link")[-1].proto
    assert link.page == "explore" and "12.5 cm/px" in link.help
    assert dict(parse_qsl(link.query_string)) == {"gsd": "12.5 cm/px", "left_pane": "UNet", "right_pane": "Sci-Net"}


def test_without_a_reference_it_shows_how_far_the_masks_agree(sweep: AppTest) -> None:
    sweep.segmented_control(key="source").set_value("Upload").run()
    sweep.file_uploader(key="image_file").set_value(("a.tif", geotiff(), "image/tiff")).run()
    run_all(sweep)
    assert len(charts(sweep)) == 3
    assert any("there is no verdict" in caption.value for caption in sweep.caption)
    assert "keeps your target" not in html(sweep)


def test_the_table_has_one_row_per_model_step_and_grid(sweep: AppTest) -> None:
    run_all(sweep)
    table = rows.table(rows.points(known_runs(sweep), runs.MaskSettings()))
    assert len(table) == 2 * 2 * 2
    assert table["iou"].between(0, 1).all()
    native = table[table["cm_per_px"] < 11]
    assert (native.groupby("model")["iou"].nunique() == 1).all()  # both grids are one
    assert native["agreement"].to_numpy() == pytest.approx(1)


def known_runs(app: AppTest, area: bytes | None = None) -> list[runs.Run]:
    subject, cards = session_of(app).subject, list_models()
    if area is not None:
        subject = replace(subject, area=read_area(area, subject.raster.grid, "area.geojson"))
    native = subject.raster.cm_per_px
    tasks = [Task(subject, card, gsd, Strategy()) for card in cards for gsd in (native, 12.5)]
    known = [runs.cached_run(task) for task in tasks]
    return [run for run in known if run is not None]


def test_the_sheet_has_one_column_per_resolution(village: Path, random_checkpoints: Path, monkeypatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    raster = read_raster(geotiff())
    subject = Subject("sheet", "Sheet", raster, None)
    cards = list_models()
    made = {
        (gsd, c.name): runs.run(Task(subject, c, gsd, Strategy("direct")), lambda _: None)
        for gsd in (10, 20)
        for c in cards
    }

    def sheet(steps: list[float]) -> Image.Image:
        return Image.open(
            io.BytesIO(film_strip.sheet(subject, made, steps, cards, runs.MaskSettings(), lambda _: "IoU 1"))
        )

    small, large = sheet([10, 20]), sheet([10, 20, 40])
    assert small.format == "PNG" and small.height == large.height
    assert large.width > small.width


def test_a_verdict_appears_when_all_steps_of_its_model_have_run(sweep: AppTest, monkeypatch) -> None:
    real, ran = runs.run, []

    def three_then_cancel(task: Task, progress):
        ran.append(task)
        if len(ran) == 3:
            session().sweep = None
        return real(task, progress)

    monkeypatch.setattr(runs, "run", three_then_cancel)
    monkeypatch.setattr(runs, "start_background", lambda task: None)
    run_all(sweep)
    complete, other = ran[0].card.title, ran[1].card.title
    verdicts = html(sweep).partition("sn-verdicts")[2].partition("sn-foot")[0]
    assert f"<b>{complete}</b>" in verdicts and f"<b>{other}</b>" not in verdicts


def test_the_target_is_a_line_in_its_curve_and_judges_the_models(sweep: AppTest) -> None:
    run_all(sweep)
    sweep.slider(key="least").set_value(0.05).run()
    sweep.slider(key="threshold").set_value(0.05).run()  # all is building: IoU is the share of the house
    assert "keeps your target to 12.5 cm/px, the coarsest step" in html(sweep)
    lines = [
        [shape["y0"] for shape in spec["layout"]["shapes"] if shape["type"] == "line" and shape["y0"] == shape["y1"]]
        for spec in charts(sweep)
    ]
    assert lines[0] == [0.05] and not any(lines[1:])
    sweep.selectbox(key="target").set_value("found_over_20_m2").run()  # the house has 4 m2
    assert any("no reference building over 20 m²" in info.value for info in sweep.info)


def test_a_camera_tells_the_flying_heights(sweep: AppTest) -> None:
    sweep.selectbox(key="camera").set_value("DJI Phantom 4 RTK").run()
    assert "native · 360 m" in html(sweep) and "460 m" in html(sweep)
    sweep.selectbox(key="camera").set_value("By hand").run()
    assert "460 m" in html(sweep)
    sweep.number_input(key="focal_length").set_value(900.0).run()
    assert any("which no lens has" in error.value for error in sweep.error)


def test_before_a_sweep_the_strip_shows_image_and_reference(sweep: AppTest) -> None:
    assert html(sweep).count("not run yet") == 4 and "Reference" in html(sweep)
    assert any("The missing runs take about" in caption.value for caption in sweep.caption)


def test_an_area_and_missing_labels_change_what_counts(sweep: AppTest) -> None:
    ring = [[500000, 620000], [500003, 620000], [500003, 619993.6], [500000, 619993.6], [500000, 620000]]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    crs = {"type": "name", "properties": {"name": "EPSG:32630"}}
    content = json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}).encode()
    sweep.file_uploader(key="area_file").set_value(("area.geojson", content, "application/json")).run()
    run_all(sweep)
    sweep.slider(key="threshold").set_value(0.05).run()  # all is building
    table = rows.table(rows.points(known_runs(sweep, content), runs.MaskSettings(0.05, 1.0)))
    areas_m2 = table.loc[table["cm_per_px"] < 11, "building_area_m2"].to_numpy()
    assert len(areas_m2) == 4 and areas_m2 == pytest.approx(3.0 * 6.4, rel=0.01)
    sweep.toggle(key="not_all_labelled").set_value(True).run()  # the models need not run again
    assert all("Recall" in text for text in cells(sweep))
    assert any("only a target on the share found" in info.value for info in sweep.info)
    sweep.file_uploader(key="area_file").set_value(("area.geojson", b"{}", "application/json")).run()
    assert any("area.geojson" in error.value for error in sweep.error)


def test_without_a_reference_scores_and_verdicts_are_estimated_where_that_was_measured(
    sweep: AppTest, random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(random_checkpoints, folder)
    card = json.loads((folder / "unet.json").read_text())
    line = {"slope": 0.0, "intercept": 1.0, "low": -0.5, "high": 1.0}  # IoU 0.73, whatever the probabilities say
    card["calibration"] = {"scalings": [[10.0, 1.0, 0.0]], "lines": {"iou": line}, "coverage": 0.9}
    (folder / "unet.json").write_text(json.dumps(card))
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    sweep.segmented_control(key="source").set_value("Upload").run()
    sweep.file_uploader(key="image_file").set_value(("house.tif", geotiff(), "image/tiff")).run()
    run_all(sweep)
    about = [text for text in cells(sweep) if "about" in text]
    assert about and set(about) == {"about 0.73 (0.62 to 0.88)"}
    assert any("m²" in text for text in cells(sweep))  # the model without a calibration
    assert "probably keeps your target to" in html(sweep) and "Estimated: there is no reference" in html(sweep)
    assert "IoU, estimated" in html(sweep)
    sweep.selectbox(key="target").set_value("found_over_20_m2").run()
    assert any("cannot be estimated for UNet" in info.value for info in sweep.info)


@pytest.mark.parametrize(("over", "amounts"), [("JPEG", 6), ("Kernel", 5)])
def test_a_degradation_has_its_own_axis_and_the_relative_drops(app: AppTest, over: str, amounts: int) -> None:
    app.query_params.update({"over": over, "models": "UNet", "threshold": "0.05"})
    app.switch_page("pages/sweep.py").run()
    assert html(app).count("not run yet") == amounts
    assert app.button(key="run").label == f"Run sweep ({amounts} runs)"
    run_all(app)
    specs = charts(app)
    assert len(specs) == 6  # IoU, F1 and object F1, and their drops
    assert all(spec["layout"]["xaxis"]["type"] == "category" for spec in specs)
    assert all(len(spec["layout"]["xaxis"]["categoryarray"]) == amounts for spec in specs)
    assert "not run yet" not in html(app) and "as it is" in html(app)
    assert app.slider(key="threshold") and not [slider for slider in app.select_slider if slider.key == "steps"]
