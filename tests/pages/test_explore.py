"""The page Explore without a browser: sources, bad input, slider, threshold, models."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.app.state import SESSION, Session, session
from pages.app.subject import Subject
from pages.sources import examples
from pages.views.explore import intro
from scinet.evaluation.benchmark_rows import TEXT_COLUMNS, TILE_COLUMNS
from scinet.evaluation.diagnose import Shares
from scinet.evaluation.scores import Scores
from scinet.models.confidence import Calibration, Line
from scinet.models.familiarity import fit_familiarity
from scinet.models.promise import THRESHOLDS, Promised, Tried
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import Segmentation
from tests.pages.samples import bad_images, geotiff, house, map_state, session_of
from tests.png import png
from tests.scinet.raster.pyramid.samples import tiles, write_mbtiles


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def captions(app: AppTest) -> str:
    return " ".join(each.value for each in app.caption)


def upload(app: AppTest, name: str, content: bytes, truth: tuple[str, bytes] | None = None) -> AppTest:
    app.segmented_control(key="source").set_value("Upload").run()
    app.file_uploader(key="image_file").set_value((name, content, "application/octet-stream")).run()
    if truth:
        app.file_uploader(key="truth_file").set_value((*truth, "application/octet-stream")).run()
    return app


def only_error(app: AppTest) -> str:
    """The one error on the page: a sentence or two, no traceback."""
    assert not app.exception
    (error,) = app.error
    assert 20 < len(error.value) < 260 and "Traceback" not in error.value and "\n" not in error.value
    return error.value


def exact_value(app: AppTest) -> Any:
    """The field beside the slider."""
    return next(field for field in app.text_input if field.label == "Exact value")


def test_the_town_is_on_board(app: AppTest) -> None:
    app.query_params["source"] = "Town"
    app.query_params.update({"town_gsd": "20 cm/px", "models": "UNet"})  # less work, the same page
    app.run()
    assert not app.exception and not app.error
    state = map_state(app)
    assert (state["left"]["title"], state["right"]["title"]) == ("Image", "UNet")
    assert state["frame"]["crs"] == "Simple"
    assert "Generated town" in html(app) and "Merging" in html(app)


def test_a_tile_shows_masks_and_errors_of_two_models(app: AppTest) -> None:
    app.run()
    assert not app.exception and not app.error
    state = map_state(app)
    assert (state["left"]["title"], state["right"]["title"]) == ("Sci-Net", "UNet")
    assert state["frame"]["crs"] == "EPSG3857"
    for side in ("left", "right"):
        assert state[side]["overlay"]["url"].endswith(".png") and state[side]["outcomes"]
    assert state["truth"].endswith(".json")
    assert [item["title"] for item in state["legend"]] == ["Right", "Missed", "Invented", "Reference building"]
    assert "http" not in json.dumps(state)
    assert "Scored at 10 cm/px; components under 1 m² are left out" in html(app) and "Fragmentation" in html(app)
    assert "Object F1" in html(app) and "Network pixels" in html(app) and "×1" in html(app)


def test_a_tile_without_georeference_lies_on_a_plain_map(app: AppTest) -> None:
    app.run()
    app.selectbox(key="tile").set_value("west.png").run()
    assert not app.exception and not app.error
    state = map_state(app)
    assert state["frame"]["crs"] == "Simple"
    assert np.allclose(state["left"]["base"]["bounds"], [[-6.4, 0], [0, 6.4]])


def test_a_step_of_the_slider_changes_the_images_and_keeps_the_frame(app: AppTest) -> None:
    app.run()
    before = map_state(app)
    app.select_slider(key="gsd").set_value(20.0).run()
    after = map_state(app)
    assert not app.exception and not app.error
    assert after["frame"]["id"] == before["frame"]["id"]
    for side in ("left", "right"):
        assert after[side]["base"]["url"] != before[side]["base"]["url"]
    assert "Scored at 20 cm/px; ▲▼ change from the native resolution" in html(app)


def test_another_image_starts_at_its_native_resolution(app: AppTest) -> None:
    app.run()
    app.select_slider(key="gsd").set_value(20.0).run()
    upload(app, "house.tif", geotiff(repeat=2))
    assert not app.exception and not app.error
    assert app.select_slider(key="gsd").value == pytest.approx(10, rel=0.01)


def test_a_threshold_needs_no_forward_pass(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    app.run()
    before = map_state(app)

    def no_run(*_: object, **__: object) -> None:
        raise AssertionError("a forward pass")

    monkeypatch.setattr("scinet.segmentation.segment.segment", no_run)
    app.slider(key="threshold").set_value(0.05).run()
    low = map_state(app)
    app.slider(key="threshold").set_value(0.95).run()
    high = map_state(app)
    assert not app.exception
    assert len({json.dumps(state["left"]["overlay"]) for state in (before, low, high)}) > 1


def test_a_minimum_area_drops_components_at_once(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    app.query_params["min_area"] = "2"
    app.run()
    assert app.number_input(key="min_area").value == 2.0
    app.slider(key="threshold").set_value(0.05).run()
    before = map_state(app)

    def no_run(*_: object, **__: object) -> None:
        raise AssertionError("a forward pass")

    monkeypatch.setattr("scinet.segmentation.segment.segment", no_run)
    app.number_input(key="min_area").set_value(10_000.0).run()  # more than the whole image
    assert not app.exception and not app.error
    assert map_state(app)["left"]["overlay"] != before["left"]["overlay"]
    assert '<th title="share of the predicted area that is building">Precision</th><td>&ndash;' in html(app)


def test_sides_and_style_of_the_map(app: AppTest) -> None:
    app.run()
    app.selectbox(key="left_pane").set_value("Image").run()
    bare = map_state(app)
    assert bare["left"]["overlay"] is bare["left"]["outcomes"] is None
    app.selectbox(key="style").set_value("Outlines").run()
    state = map_state(app)
    assert state["right"]["overlay"] is None and state["right"]["outcomes"]
    assert state["truth"] == bare["truth"] and state["line"]["weight"] > bare["line"]["weight"]
    assert not app.exception


def test_models_can_be_left_out(app: AppTest) -> None:
    app.run()
    app.multiselect(key="models").set_value(["unet"]).run()
    assert map_state(app)["left"]["title"] == "Image" and map_state(app)["right"]["title"] == "UNet"
    app.multiselect(key="models").set_value([]).run()
    assert map_state(app)["left"]["title"] == map_state(app)["right"]["title"] == "Image"
    assert not app.exception and "Choose a model" in app.info[0].value


def test_deep_link(app: AppTest) -> None:
    app.query_params.update({"tile": "west", "gsd": "31.5 cm/px", "models": "UNet"})
    app.run()
    assert app.selectbox(key="tile").value == "west.png"
    assert app.select_slider(key="gsd").value == 31.5
    assert app.multiselect(key="models").value == ["unet"]


@pytest.mark.parametrize("wrong", bad_images())
def test_a_bad_file_leaves_the_previous_image(app: AppTest, wrong: str) -> None:
    app.run()
    former = map_state(app)["frame"]
    upload(app, *bad_images()[wrong])
    only_error(app)
    assert map_state(app)["frame"] == former


def test_a_refused_file_is_named_once_and_the_upload_before_it_stays(app: AppTest) -> None:
    upload(app.run(), "house.tif", geotiff(), ("truth.png", png(house()[1])))
    former = session_of(app).subject
    app.file_uploader(key="image_file").set_value(("notes.pdf", b"%PDF-1.7 prose", "application/pdf")).run()
    assert "notes.pdf cannot be read as an image" in only_error(app)
    found = session_of(app).subject
    assert former is not None and found is not None and found.truth is not None and found.key == former.key
    assert app.file_uploader(key="image_file-1").value is None and "Still open: house.tif" in captions(app)
    app.file_uploader(key="image_file-1").set_value(("other.tif", geotiff(), "image/tiff")).run()
    assert not app.exception and not app.error and "Still open" not in captions(app)
    assert "other.tif" in html(app)


def test_a_file_that_another_reading_mends_stays_in_the_uploader(app: AppTest, tmp_path: Path) -> None:
    content = write_mbtiles(tmp_path / "a.mbtiles", tiles(), as_view=False, bounds="-1,5,1,6").read_bytes()
    upload(app.run(), "a.mbtiles", content)
    app.text_input(key="read_stretch").set_value("1 2").run()
    assert "stretch" in only_error(app)
    assert app.file_uploader(key="image_file").value is not None
    app.text_input(key="read_stretch").set_value("").run()
    assert not app.error and "a.mbtiles" in html(app)


def test_an_upload_without_a_reference_gets_areas(app: AppTest) -> None:
    upload(app.run(), "house.tif", geotiff())
    assert not app.exception and not app.error
    assert "Building area" in html(app) and "Scores need reference buildings" in html(app)


def test_an_upload_without_resolution_is_asked_for_it(app: AppTest) -> None:
    former = map_state(app.run())["frame"]
    upload(app, "house.png", png(house()[0]))
    assert "Give its resolution in cm/px" in app.info[0].value and not app.error
    assert map_state(app)["frame"] == former
    (native,) = (widget for widget in app.text_input if "cm/px" in widget.label)
    native.set_value("0").run()
    only_error(app)
    native.set_value("12,5").run()
    assert not app.exception and not app.error
    assert "native 12.5 cm/px" in html(app)


def test_an_uploaded_mask_is_the_reference(app: AppTest) -> None:
    upload(app.run(), "house.tif", geotiff(), ("mask.png", png(house()[1])))
    assert not app.exception and not app.error
    assert "Omission" in html(app)


ELSEWHERE = json.dumps(
    {"type": "Polygon", "coordinates": [[[10.0, 50.0], [10.001, 50.0], [10.001, 50.001], [10.0, 50.0]]]}
).encode()


@pytest.mark.parametrize(
    "name, content",
    [("small.png", png(house()[1][:30])), ("elsewhere.geojson", ELSEWHERE), ("empty.gpkg", b"")],
    ids=["another size", "elsewhere on earth", "zero bytes"],
)
def test_a_bad_reference_leaves_the_image_usable(app: AppTest, name: str, content: bytes) -> None:
    upload(app.run(), "house.tif", geotiff(), (name, content))
    only_error(app)
    assert "house.tif" in html(app) and "Building area" in html(app)


def test_a_resolution_too_fine_for_memory(app: AppTest) -> None:
    upload(app.run(), "house.png", png(house()[0]))
    (native,) = (widget for widget in app.text_input if "cm/px" in widget.label)
    native.set_value("2000").run()
    app.select_slider(key="gsd").set_value(2.0).run()
    assert "memory" in only_error(app)
    assert map_state(app)["left"]["base"]


def test_no_folder_of_tiles(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former = map_state(app.run())["frame"]
    monkeypatch.setenv("SCINET_DATA", str(tmp_path))
    app.run()
    assert "SCINET_DATA" in only_error(app)
    assert map_state(app)["frame"] == former


def test_no_models(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(tmp_path))
    app.run()
    assert not app.exception and "no models" in app.warning[0].value
    assert map_state(app)["left"]["base"]


def test_a_damaged_model_does_not_affect_the_others(
    app: AppTest, random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(random_checkpoints, folder)
    with (folder / "sci-net.safetensors").open("r+b") as file:
        file.truncate(1000)
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    st.cache_resource.clear()  # the undamaged weights are in memory
    app.run()
    assert "sci-net.safetensors" in only_error(app)
    assert map_state(app)["right"]["overlay"]


def test_kinds_of_buildings_are_the_second_view(app: AppTest) -> None:
    app.run()
    by_pixel = map_state(app)
    app.selectbox(key="style").set_value("Buildings").run()
    state = map_state(app)
    assert not app.exception
    assert [item["title"] for item in state["legend"]] == ["Found", "Missed", "Merged", "Fragmented", "False area"]
    assert by_pixel["line"]["plain"] and not state["line"]["plain"]  # outlines in the colour of the kind
    assert state["left"]["overlay"]["url"] != by_pixel["left"]["overlay"]["url"]


def test_a_link_to_an_upload_says_that_it_is_not_kept_and_shows_an_example(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Subject("example", "Example", read_raster(geotiff()), None)
    monkeypatch.setattr(examples, "first_example", lambda: small)
    app.query_params["source"] = "Upload"
    app.run()
    assert not app.exception and "upload of another visit" in app.info[0].value
    assert map_state(app)["frame"] and "Building area" in html(app)


@pytest.mark.parametrize(("query", "is_open"), [({}, True), ({"models": "UNet"}, False)])
def test_the_introduction_does_not_push_a_linked_view_down(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str], is_open: bool
) -> None:
    monkeypatch.setattr(st, "query_params", query)
    monkeypatch.setattr(st, "session_state", {})
    intro.decide()
    assert session().intro_is_open is is_open


def test_probability_is_a_heat_map_with_the_threshold_in_its_legend(app: AppTest) -> None:
    app.run()
    mask = map_state(app)["left"]["overlay"]
    app.selectbox(key="style").set_value("Probability").run()
    state = map_state(app)
    assert not app.exception
    assert state["left"]["overlay"]["url"] != mask["url"] and state["left"]["overlay"]["bounds"] == mask["bounds"]
    assert [item["title"] for item in state["legend"]] == ["Probability", "Reference building"]
    assert state["legend"][0]["threshold"] == 0.5
    app.slider(key="threshold").set_value(0.7).run()
    later = map_state(app)
    assert later["legend"][0]["threshold"] == 0.7
    assert later["left"]["overlay"] == state["left"]["overlay"]


def test_side_by_side_is_a_state_of_the_same_map(app: AppTest) -> None:
    app.run()
    before = map_state(app)
    assert before["compare"] == "swipe"
    app.segmented_control(key="compare").set_value("Side by side").run()
    after = map_state(app)
    assert not app.exception
    assert after["compare"] == "pair" and after["frame"] == before["frame"] and after["left"] == before["left"]


def test_the_worst_buildings_of_the_chosen_model_and_kinds(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_of_it(raster, model, strategy, progress):
        """Sci-Net finds the house, UNet nothing."""
        found = house()[1] if model.card.name == "sci-net" else np.zeros((64, 64), bool)
        return Segmentation(raster, found.astype(np.float32))

    st.cache_resource.clear()
    monkeypatch.setattr("scinet.segmentation.segment.segment", half_of_it)
    app.run()
    assert app.segmented_control(key="worst_model").value == "Sci-Net"
    everything = ["missed", "merged", "fragmented", "false", "found"]
    app.pills(key="worst_kinds").set_value(everything).run()
    rows = app.dataframe[0].value
    assert list(rows["title"]) == ["Found"]
    app.segmented_control(key="worst_model").set_value("UNet").run()
    assert not app.exception and list(app.dataframe[0].value["title"]) == ["Missed"]
    app.pills(key="worst_kinds").set_value([]).run()
    assert not app.exception and not len(app.dataframe)
    st.cache_resource.clear()  # these results are made up
    app.multiselect(key="models").set_value([]).run()
    assert not app.exception


def test_the_introduction_can_be_closed_and_opened_again(app: AppTest) -> None:
    app.session_state[SESSION] = Session(intro_is_open=True)
    app.run()
    assert app.button(key="intro_close")
    app.button(key="intro_close").click().run()
    assert not app.exception and not any(button.key == "intro_close" for button in app.button)
    app.button(key="intro_toggle").click().run()
    assert app.button(key="intro_close")
    assert not app.exception


def test_scores_on_test_tiles_are_shown_near_a_step(app: AppTest, tmp_path: Path) -> None:
    app.run()
    assert "on test tiles" not in html(app)  # the random checkpoints have none
    shutil.copytree(Path(os.environ["SCINET_CHECKPOINTS"]), tmp_path / "scored")
    rows = [
        {
            "model": model,
            "dataset": "accra",
            "cm_per_px": 20.0,
            "grid": "working",
            "tiles": 24,
            "micro": dict.fromkeys(Scores._fields, score),
            "macro": dict.fromkeys(Scores._fields, score),
            "shares": dict.fromkeys(Shares._fields, 0.1),
        }
        for model, score in [("sci-net", 0.8125), ("unet", 0.7125)]
    ]
    content = {"threshold": 0.5, "steps_cm_per_px": [20.0], "everything_is_building": {"accra": 0.4}, "rows": rows}
    (tmp_path / "scored" / "benchmark.json").write_text(json.dumps(content))
    columns = {name: pd.Series(dtype=str if name in TEXT_COLUMNS else float) for name in sorted(TILE_COLUMNS)}
    pd.DataFrame(columns).to_parquet(tmp_path / "scored" / "benchmark.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCINET_CHECKPOINTS", str(tmp_path / "scored"))
        app.run()
        assert "on test tiles" not in html(app)  # 10 cm/px is far from 20
        app.select_slider(key="gsd").set_value(20.0).run()
        assert "IoU on test tiles at 20 cm/px" in html(app)
        assert "<b>0.812</b>" in html(app) and "<b>0.713</b>" in html(app)
    assert not app.exception


@pytest.mark.parametrize("text, cm_per_px", [("15", 15.0), ("33,3", 33.3), ("33.3 cm/px", 33.3)])
def test_a_link_may_ask_for_any_resolution(app: AppTest, text: str, cm_per_px: float) -> None:
    app.query_params.update({"town_gsd": "20 cm/px", "models": "UNet", "gsd": text})
    app.run()
    assert not app.exception
    assert app.select_slider(key="gsd").value == cm_per_px
    assert exact_value(app).value == f"{cm_per_px:g}"


def test_a_typed_resolution_becomes_a_step(app: AppTest) -> None:
    app.query_params.update({"town_gsd": "20 cm/px", "models": "UNet"})
    app.run()
    exact_value(app).set_value("33,3").run()
    assert app.select_slider(key="gsd").value == 33.3
    exact_value(app).set_value("far").run()
    assert app.select_slider(key="gsd").value == 33.3
    assert "“far” is not a resolution" in app.toast[0].value


@pytest.fixture
def calibrated(random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the random checkpoints where UNet's card has what calibration measures; the app's from now on."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(random_checkpoints, folder)
    line = Line(slope=1.0, intercept=0.0, low=-1.0, high=1.0)
    falling = tuple(float(share) for share in 1 - THRESHOLDS)
    calibration = Calibration(
        ((10.0, 1.0, 0.0),),
        {"iou": line},
        promised=(Promised(10.0, falling, falling[::-1]),),
        tried=(Tried("recall", 0.8, 0.88, 0.67, 0.57),),
    )
    change_card(folder / "unet.json", calibration=asdict(calibration))
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    return folder


def change_card(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_estimates_that_were_measured_with_another_model_say_so(app: AppTest, calibrated: Path) -> None:
    card = json.loads((calibrated / "unet.json").read_text())
    change_card(calibrated / "unet.json", calibration=card["calibration"] | {"measured_with": "manet"})
    upload(app.run(), "house.tif", geotiff())
    assert "The estimates for UNet rest on what was measured with MANet." in captions(app)


def test_without_a_reference_scores_are_estimated_where_that_was_measured(app: AppTest, calibrated: Path) -> None:
    upload(app.run(), "house.tif", geotiff())
    assert "IoU, about" in html(app) and "Object F1, about" not in html(app)


def test_an_image_unlike_the_training_is_called_so_and_has_no_estimate(app: AppTest, calibrated: Path) -> None:
    far = fit_familiarity(np.random.default_rng(0).normal(1, 1e-3, (9, 1008)))
    change_card(calibrated / "unet.json", familiarity=asdict(far))
    upload(app.run(), "house.tif", geotiff(2))
    (warning,) = app.warning
    assert "unlike anything that was seen in the training and the trials of UNet" in warning.value
    assert "IoU, about" not in html(app)


def test_a_promise_chooses_the_threshold_and_says_how_it_was_kept_elsewhere(app: AppTest, calibrated: Path) -> None:
    app.run()
    assert not app.slider(key="threshold").disabled
    app.selectbox(key="promise").set_value("Recall 0.8").run()
    assert app.slider(key="threshold").disabled
    (said,) = (caption.value for caption in app.caption if caption.value.startswith("Threshold"))
    assert said.startswith("Threshold 0.18 at 10 cm/px.") and "recall was 0.88 on average and 0.67" in said
    assert "It says nothing about Sci-Net." in said
    app.selectbox(key="style").set_value("Probability").run()
    assert map_state(app)["legend"][0]["threshold"] == pytest.approx(0.1824, abs=1e-3)


def test_without_measured_promises_there_is_no_widget_for_them(app: AppTest) -> None:
    assert not [box for box in app.run().selectbox if box.key == "promise"]


def test_doubt_is_a_heat_map_of_its_own(app: AppTest) -> None:
    app.run()
    app.selectbox(key="style").set_value("Probability").run()
    probability = map_state(app)
    app.selectbox(key="style").set_value("Doubt").run()
    state = map_state(app)
    assert not app.exception
    assert (state["legend"][0]["title"], state["legend"][0]["end"]) == ("Chance of error", "0.5")
    assert state["left"]["overlay"]["url"] != probability["left"]["overlay"]["url"]
