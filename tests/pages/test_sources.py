"""Where images come from: folders of tiles and scenes, windows of large images, paths, uploads, other pages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
import streamlit as st
from PIL import Image
from rasterio.transform import from_origin
from streamlit.testing.v1 import AppTest

from pages.app.hosting import confine
from pages.app.subject import Subject
from pages.sources import window
from scinet import download
from scinet.datasets import samples
from scinet.errors import SciNetError
from tests.pages.samples import PROJECT, geotiff, house, map_state
from tests.png import png
from tests.range_server import FOREVER, RangeServer, serve_files
from tests.scinet.raster.pyramid.samples import tiles

SCENE, SCENE_LABEL = "d41d81", "Accra d41d81, 5.2 cm/px"
SIDE = 1100  # of the scene, px
PAGE = """
import streamlit as st
from pages import sources

st.session_state["seen"] = sources.choose()
"""
PAGES = """
import streamlit as st

st.navigation([st.Page("one.py", default=True), st.Page("two.py"), st.Page("other.py")]).run()
"""
OTHER_PAGE = """
from pages.app.navigation import keep_choices

keep_choices()
"""


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the published layout with one small scene, which counts as a large one, and its labels."""
    monkeypatch.setattr(window, "WHOLE_PIXELS", 500_000)
    image, city = tmp_path / "train_tier_1" / "acc" / SCENE / f"{SCENE}.tif", tmp_path / "train_tier_1" / "acc"
    image.parent.mkdir(parents=True)
    place = from_origin(810_000, 620_000, 0.05, 0.05)
    profile = {"width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "crs": "EPSG:32630", "transform": place}
    pixels = np.random.default_rng(0).integers(40, 250, (3, SIDE, SIDE), np.uint8)
    with rasterio.open(image, "w", driver="GTiff", tiled=True, **profile) as dataset:
        dataset.write(pixels)
    labels = city / f"{SCENE}-labels" / f"{SCENE}.geojson"
    labels.parent.mkdir()
    features = [
        {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shapely.box(*box))}
        for box in ((810_001, 619_990, 810_005, 619_995), (810_045, 619_950, 810_050, 619_955))
    ]
    crs = {"type": "name", "properties": {"name": "EPSG:32630"}}
    labels.write_text(json.dumps({"type": "FeatureCollection", "features": features, "crs": crs}))
    return tmp_path


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, village: Path, tmp_path: Path) -> AppTest:
    """Two pages of nothing but the source's widgets, and one without; `seen` in session state is what was chosen."""
    monkeypatch.setenv("SCINET_DATA", str(village))
    monkeypatch.syspath_prepend(str(PROJECT))
    st.cache_resource.clear()
    folder = tmp_path / "app"
    folder.mkdir()
    for name, text in (("app.py", PAGES), ("one.py", PAGE), ("two.py", PAGE), ("other.py", OTHER_PAGE)):
        (folder / name).write_text(text)
    return AppTest.from_file(str(folder / "app.py"), default_timeout=60)


def subject(app: AppTest) -> Subject:
    assert not app.exception
    choice = app.session_state["seen"]
    assert choice.problem is None and choice.hint is None and choice.subject is not None
    return choice.subject


def test_a_scene_opens_at_its_middle(sources: AppTest, scenes: Path) -> None:
    sources.query_params.update({"source": "Scenes", "folder": str(scenes), "side": "512 px"})
    sources.run()
    found = subject(sources)
    assert found.title == "Accra d41d81 · column 294, row 294"
    assert found.raster.shape == (512, 512)
    assert isinstance(found.truth.buildings, np.ndarray) and not found.truth.buildings.any()  # no building there


def test_a_link_restores_the_window_with_its_truth(sources: AppTest, scenes: Path) -> None:
    sources.query_params.update(
        {"source": "Scenes", "folder": str(scenes), "side": "512 px", "column": "10", "row": "20"}
    )
    sources.run()
    found = subject(sources)
    assert found.raster.transform @ (0, 0) == pytest.approx((810_000.5, 619_999))
    assert len(found.truth.buildings.polygons) == 1
    sources.number_input(key="row").set_value(400).run()
    assert subject(sources).title.endswith("column 10, row 400")
    assert subject(sources).key != found.key


@pytest.mark.parametrize("place", [{"column": "99999", "row": "-4"}, {"column": "here"}])
def test_a_link_to_no_place_opens_the_middle(sources: AppTest, scenes: Path, place: dict[str, str]) -> None:
    sources.query_params.update({"source": "Scenes", "folder": str(scenes), "side": "512 px", **place})
    sources.run()
    assert subject(sources).title.endswith("column 294, row 294")


def test_a_larger_window_stays_within_the_scene(sources: AppTest, scenes: Path) -> None:
    sources.query_params.update(
        {"source": "Scenes", "folder": str(scenes), "side": "512 px", "column": "588", "row": "588"}
    )
    sources.run()
    for side, corner, size in ((1024, 76, 1024), (2048, 0, 1100)):
        sources.selectbox(key="side").set_value(side).run()
        found = subject(sources)
        assert found.title.endswith(f"column {corner}, row {corner}") and found.raster.shape == (size, size)


def test_a_scene_that_is_not_there_says_how_to_get_it(sources: AppTest, scenes: Path) -> None:
    sources.query_params.update({"source": "Scenes", "folder": str(scenes)})
    sources.run()
    former = subject(sources)
    sources.selectbox(key="scene").set_value("401175").run()
    choice = sources.session_state["seen"]
    assert not sources.exception and choice.subject.key == former.key
    assert f"python -m scinet ocaic fetch 401175 --to {scenes}" in choice.hint and "0.15 GB" in choice.hint


@pytest.fixture
def web(
    scenes: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RangeServer]:
    """The scene's folder as the challenge's server, and an empty cache."""
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setenv("SCINET_CACHE", str(tmp_path_factory.mktemp("cache")))
    with serve_files(folder=scenes) as server:
        monkeypatch.setenv("SCINET_OCAIC_URL", server.address)
        yield server


def on_the_web(app: AppTest, scenes: Path) -> AppTest:
    """The source at a window of the scene, which the folder lacks, with the web allowed."""
    place = {"side": "512 px", "column": "10", "row": "20"}
    app.query_params.update({"source": "Scenes", "folder": str(scenes / "nowhere"), "scene": SCENE_LABEL, **place})
    return app.run().toggle(key="web").set_value(True).run()


def test_nothing_is_asked_of_the_web_before_it_is_allowed(sources: AppTest, scenes: Path, web: RangeServer) -> None:
    sources.query_params.update({"source": "Scenes", "folder": str(scenes / "nowhere"), "scene": SCENE_LABEL})
    sources.run()
    assert "Read from the web" in sources.session_state["seen"].hint and web.asked == []


def test_a_scene_from_the_web_has_its_window_and_truth(sources: AppTest, scenes: Path, web: RangeServer) -> None:
    found = subject(on_the_web(sources, scenes))
    assert found.title == "Accra d41d81 · column 10, row 20" and len(found.truth.buildings.polygons) == 1
    assert found.raster.transform @ (0, 0) == pytest.approx((810_000.5, 619_999))
    # What was seen is there without a network; what was not says why
    for path in (f"/train_tier_1/acc/{SCENE}/{SCENE}.tif", f"/train_tier_1/acc/{SCENE}-labels/{SCENE}.geojson"):
        web.fail(path, "403", FOREVER)
    st.cache_resource.clear()
    st.cache_data.clear()
    assert (subject(sources.run()).raster.pixels == found.raster.pixels).all()
    sources.number_input(key="row").set_value(400).run()
    choice = sources.session_state["seen"]
    assert not sources.exception and choice.subject.title == found.title
    assert choice.problem.startswith("d41d81.tif cannot be opened: the server refuses it")


def test_without_labels_a_scene_is_explored_without_truth(sources: AppTest, scenes: Path, web: RangeServer) -> None:
    web.fail(f"/train_tier_1/acc/{SCENE}-labels/{SCENE}.geojson", "404", FOREVER)
    choice = on_the_web(sources, scenes).session_state["seen"]
    assert choice.subject.title == "Accra d41d81 · column 10, row 20" and choice.subject.truth is None
    assert choice.problem.startswith(
        "Without reference buildings: d41d81.geojson cannot be fetched: there is no such file"
    )


def test_the_web_without_a_network(
    sources: AppTest, scenes: Path, web: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCINET_OCAIC_URL", "http://127.0.0.1:9")
    choice = on_the_web(sources, scenes).session_state["seen"]
    assert not sources.exception and choice.subject is None
    assert "127.0.0.1:9 cannot be reached. Check the address and the internet connection" in choice.problem


def test_tiles_by_city_and_resolution(sources: AppTest) -> None:
    sources.query_params["source"] = "Tiles"
    sources.run()
    assert sources.selectbox(key="city").value == "Village" and sources.selectbox(key="native").value == 10
    assert subject(sources).title == "Village · east"


def test_a_folder_of_scenes_is_one_of_tiles_too(sources: AppTest, scenes: Path) -> None:
    sources.query_params.update({"source": "Tiles", "folder": str(scenes)})
    sources.run()
    assert subject(sources).title.startswith("acc d41d81")


@pytest.mark.parametrize("way", ["typed", "flag", "environment"])
def test_three_ways_to_name_the_folder(
    sources: AppTest, scenes: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.query_params["source"] = "Tiles"
    if way == "typed":
        sources.run().text_input(key="folder").set_value(str(scenes))
    elif way == "flag":
        monkeypatch.setattr("sys.argv", ["app.py", "--data", str(scenes)])
    else:
        monkeypatch.setenv("SCINET_DATA", str(scenes))
    sources.run()
    assert subject(sources).title.startswith("acc d41d81")


def test_where_no_folder_is_named_the_sample_tiles_are_offered(
    sources: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCINET_DATA")
    sources.query_params["source"] = "Tiles"
    sources.run()
    assert subject(sources).title.removeprefix("Accra · ") in {sample.tile.image.stem for sample in samples.samples()}


def test_a_first_visit_opens_the_first_example_with_its_reference(sources: AppTest) -> None:
    found = subject(sources.run())
    assert found.title == "Accra, a building site" and found.raster.shape == (1024, 1024)
    assert found.truth is not None and np.asarray(found.truth.buildings).any()
    assert "CC-BY-4.0" in found.credit and "ODbL" in found.credit


def test_a_link_opens_an_example_and_says_what_to_look_at(sources: AppTest) -> None:
    sources.query_params["example"] = "Kampala, huts"
    assert subject(sources.run()).title == "Kampala, huts"
    assert "less than a metre apart" in sources.caption[0].value and "ODbL" in sources.caption[0].value


@pytest.mark.parametrize("query", [{"source": "Town", "town": "3"}, {"town": "3"}])
def test_former_links_to_a_town_still_open_it(sources: AppTest, query: dict[str, str]) -> None:
    sources.query_params.update({"town_gsd": "20 cm/px", **query})
    assert subject(sources.run()).title == "Generated town 3"
    sources.segmented_control(key="source").set_value("Examples").run()
    assert subject(sources).title == "Accra, a building site"


@pytest.mark.parametrize("flag", [["--data"], ["--data", "/nowhere/at/all"]])
def test_a_folder_that_is_none(sources: AppTest, flag: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["app.py", *flag])
    sources.query_params["source"] = "Tiles"
    sources.run()
    assert not sources.exception
    assert "--data DIR" in sources.session_state["seen"].problem


def test_a_path_and_its_truth(sources: AppTest, scenes: Path) -> None:
    folder = scenes / "train_tier_1" / "acc"
    sources.query_params.update({"source": "Path", "path": str(folder / SCENE / f"{SCENE}.tif"), "side": "512 px"})
    sources.query_params.update({"column": "0", "row": "0"})
    sources.run()
    assert subject(sources).truth is None
    sources.text_input(key="truth_path").set_value(str(folder / f"{SCENE}-labels" / f"{SCENE}.geojson")).run()
    assert len(subject(sources).truth.buildings.polygons) == 1
    sources.text_input(key="truth_path").set_value(str(folder / "nowhere.geojson")).run()
    assert "cannot be opened" in sources.session_state["seen"].problem
    assert sources.session_state["seen"].subject.truth is None


@pytest.mark.parametrize(
    "path", ["/nowhere/at/all.tif", "http://127.0.0.1:9/scene.tif", "~nobody/scene.tif", "a\0b", "a" * 5000]
)
def test_a_path_that_leads_nowhere(sources: AppTest, path: str) -> None:
    former = subject(sources.run())
    sources.segmented_control(key="source").set_value("Path").run()
    assert "URL" in sources.session_state["seen"].hint
    sources.text_input(key="path").set_value(path).run()
    choice = sources.session_state["seen"]
    assert not sources.exception and choice.problem and choice.subject.key == former.key


def test_an_address_from_a_link_waits_for_a_click(sources: AppTest) -> None:
    with serve_files({"/a.tif": geotiff()}) as server:
        sources.query_params.update({"source": "Path", "path": f"{server.address}/a.tif"})
        sources.run()
        assert "127.0.0.1" in sources.session_state["seen"].hint and not server.asked
        sources.button(key="allow_url").click().run()
        assert subject(sources).title == "a.tif" and server.asked


@pytest.mark.parametrize("folder", ["~nosuchuser/x", "a" * 5000])
def test_a_folder_that_cannot_be_one_is_said(sources: AppTest, folder: str) -> None:
    sources.query_params.update({"source": "Tiles", "folder": folder})
    sources.run()
    assert not sources.exception and "not a path" in sources.session_state["seen"].problem


def test_strangers_get_no_path_and_no_folder(
    sources: AppTest, scenes: Path, village: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCINET_HOSTED", "1")
    sources.query_params.update({"source": "Tiles", "folder": str(scenes)})
    sources.run()
    assert not sources.exception
    assert "Path" not in sources.segmented_control(key="source").options
    assert "folder" not in [field.key for field in sources.text_input]
    assert sources.session_state["seen"].subject is not None  # of SCINET_DATA


def test_strangers_do_not_see_files_that_lead_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = tmp_path / "data", tmp_path / "secret.png"
    inside.mkdir()
    outside.touch()
    (inside / "link.png").symlink_to(outside)
    (inside / "own.png").touch()
    assert confine(inside / "link.png", inside)
    monkeypatch.setenv("SCINET_HOSTED", "1")
    assert confine(inside / "own.png", inside)
    for path in (inside / "link.png", inside / ".." / "secret.png", inside / str(outside)):
        with pytest.raises(SciNetError, match="outside the folder"):
            confine(path, inside)


def band_chooser(sources: AppTest, colour: str) -> Any:
    return next(box for box in sources.selectbox if box.label == colour)


@pytest.mark.parametrize("source", ["Tiles", "Path"])
def test_the_bands_of_an_image_with_many_are_chosen_with_a_preview(
    sources: AppTest, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).integers(1, 250, (5, 64, 64), np.uint8)
    place = from_origin(810_000, 620_000, 0.1, 0.1)
    profile = {"width": 64, "height": 64, "count": 5, "dtype": "uint8", "crs": "EPSG:32630", "transform": place}
    with rasterio.open(tmp_path / "five.tif", "w", driver="GTiff", **profile) as dataset:
        dataset.write(values)
        dataset.descriptions = ("blue", "green", "red", "red edge", "nir")
    (tmp_path / "index.csv").write_text("image,cm_per_px,city,split\nfive.tif,10,Village,test\n")
    monkeypatch.setenv("SCINET_DATA", str(tmp_path))
    sources.query_params.update({"source": source, "path": str(tmp_path / "five.tif")})
    sources.run()
    assert (subject(sources).raster.pixels == np.moveaxis(values[[2, 1, 0]], 0, -1)).all()
    assert band_chooser(sources, "Red").options == ["1 blue", "2 green", "3 red", "4 red edge", "5 nir"]
    assert sources.get("image")
    band_chooser(sources, "Red").set_value(5).run()
    assert (subject(sources).raster.pixels == np.moveaxis(values[[4, 1, 0]], 0, -1)).all()


def test_a_page_of_a_tiff_is_chosen(sources: AppTest, tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.full((64, 64, 3), value, np.uint8)) for value in (50, 200))
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    sources.query_params.update({"source": "Path", "path": str(tmp_path / "pages.tif")})
    sources.run()
    next(box for box in sources.text_input if box.label == "Ground resolution in cm/px").set_value("10").run()
    assert (subject(sources).raster.pixels == 50).all()
    next(box for box in sources.selectbox if box.label == "Page").set_value(2).run()
    assert (subject(sources).raster.pixels == 200).all() and subject(sources).raster.cm_per_px == pytest.approx(10)


def test_tiles_at_an_address_ask_for_zoom_and_bounds(
    sources: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCINET_CACHE", str(tmp_path))
    held = {f"/{z}/{x}/{y}.png": content for (z, x, y), content in tiles().items()}
    with serve_files(held) as server:
        sources.query_params["source"] = "Path"
        sources.run()
        sources.text_input(key="path").set_value(f"{server.address}/{{z}}/{{x}}/{{y}}.png").run()
        assert "does not tell its finest zoom" in sources.session_state["seen"].problem
        sources.text_input(key="read_zoom").set_value("18").run()
        sources.text_input(key="read_bounds").set_value("-0.2975, 5.5755, -0.296, 5.577").run()
        assert subject(sources).raster.cm_per_px == pytest.approx(59.4, abs=0.2)
    assert list(tmp_path.glob("*.npz"))


def test_a_search_of_open_aerial_map_opens_an_image(sources: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_files({"/a.tif": geotiff()}) as server:
        monkeypatch.setenv("SCINET_OAM_URL", server.address)
        row = {"uuid": f"{server.address}/a.tif", "title": "Accra", "gsd": 0.05, "bbox": [0, 0, 1, 1]}
        server.files["/meta"] = json.dumps({"results": [row]}).encode()
        sources.query_params["source"] = "Path"
        sources.run()
        assert not server.asked
        sources.text_input(key="oam_place").set_value("5.556, -0.197").run()
        sources.button(key="oam_search").click().run()
        assert sources.selectbox(key="oam_image").options == ["5 cm/px, no date, Accra"]
        sources.button(key="oam_open").click().run()
        assert subject(sources).title == "a.tif"


def test_a_hosted_server_reads_addresses_only_where_it_says_so(
    sources: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(geotiff())
    monkeypatch.setenv("SCINET_HOSTED", "1")
    sources.query_params.update({"source": "Path", "path": str(tmp_path / "a.tif")})
    sources.run()
    assert "Path" not in sources.segmented_control(key="source").options
    monkeypatch.setenv("SCINET_ADDRESSES", "1")
    sources.run()
    sources.segmented_control(key="source").set_value("Path").run()
    for private in (str(tmp_path / "a.tif"), "s3://maps/a.tif"):
        sources.text_input(key="path").set_value(private).run()
        assert "at http and https addresses only" in sources.session_state["seen"].problem
    assert not [box for box in sources.text_input if box.key == "truth_path"]


def test_an_image_in_a_store_is_read_where_its_address_was_typed_not_from_a_link(
    sources: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_S3_ENDPOINT", "127.0.0.1:9")  # where nobody answers
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    sources.query_params.update({"source": "Path", "path": "s3://maps/linked.tif"})
    sources.run()
    assert "Links cannot name" in sources.session_state["seen"].hint
    sources.text_input(key="path").set_value("s3://maps/typed.tif").run()
    assert "typed.tif cannot be read from its store" in sources.session_state["seen"].problem


def test_an_upload_is_read_as_its_visitor_says(sources: AppTest) -> None:
    sources.run()
    sources.segmented_control(key="source").set_value("Upload").run()
    sources.file_uploader(key="image_file").set_value(("house.tif", geotiff(), "image/tiff")).run()
    usual = subject(sources).raster.pixels
    for colour, band in (("Red", 3), ("Blue", 1)):
        band_chooser(sources, colour).set_value(band).run()
    assert (subject(sources).raster.pixels == usual[..., ::-1]).all()
    ids = house()[1].astype(np.uint8)
    ids[:10] = 255
    sources.file_uploader(key="truth_file").set_value(("mask.png", png(ids), "image/png")).run()
    notes = subject(sources).notes
    assert "value 255 in mask.png count as not judged" in notes[-1]
    sources.text_input(key="ignore_value").set_value("none").run()
    sources.text_input(key="building_value").set_value("1").run()
    assert subject(sources).notes == notes[:-1]
    sources.text_input(key="read_stretch").set_value("low").run()
    assert "cannot be read as stretch" in sources.session_state["seen"].problem


def test_a_large_upload_is_explored_by_windows(sources: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "WHOLE_PIXELS", 500_000)
    sources.query_params["side"] = "512 px"
    sources.run()
    sources.segmented_control(key="source").set_value("Upload").run()
    sources.file_uploader(key="image_file").set_value(("big.tif", geotiff(repeat=16), "image/tiff")).run()
    assert subject(sources).title == "big.tif · column 256, row 256"
    sources.file_uploader(key="truth_file").set_value(("mask.png", png(house()[1]), "image/png")).run()
    assert "same size, or a georeferenced one" in sources.session_state["seen"].problem


@pytest.mark.parametrize("source", ["Examples", "Town", "Scenes", "Tiles", "Upload"])
def test_the_choice_goes_along_to_other_pages(sources: AppTest, scenes: Path, source: str) -> None:
    links = {
        "Examples": {"example": "Banepa, warehouses"},
        "Town": {"town": "3", "town_gsd": "20 cm/px"},
        "Scenes": {"folder": str(scenes), "side": "512 px", "column": "10", "row": "20"},
        "Tiles": {"tile": "west"},
        "Upload": {},
    }
    sources.query_params.update({"source": source, **links[source]})
    sources.run()
    if source == "Upload":
        sources.file_uploader(key="image_file").set_value(("house.tif", geotiff(), "image/tiff")).run()
    former = subject(sources)
    sources.query_params.clear()
    for page in ("two.py", "other.py", "one.py"):  # the last one is reached from a page without the widgets
        sources.session_state["seen"] = None
        sources.switch_page(page).run()
        if page != "other.py":
            assert subject(sources).key == former.key


def test_explore_shows_a_window_and_its_errors(app: AppTest, scenes: Path) -> None:
    app.query_params.update(
        {"source": "Scenes", "folder": str(scenes), "side": "512 px", "column": "0", "row": "0", "models": "UNet"}
    )
    app.query_params["gsd"] = "20 cm/px"
    app.run()
    assert not app.exception and not app.error
    assert map_state(app)["right"]["overlay"]
    assert "Omission" in "".join(element.proto.body for element in app.get("html"))
