"""The files of the page Explore, opened again, and that none is made before it is downloaded."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pyogrio
import pytest
import rasterio
import streamlit as st
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter
from streamlit.testing.v1 import AppTest

from pages.app import runs
from pages.app.runs import Result, Run, Task
from pages.app.subject import Subject
from pages.views.explore import downloads
from scinet.evaluation.truth import Truth
from scinet.models.card import Card
from scinet.models.model import Model
from scinet.raster.geotiff import write_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene
from scinet.safe_xml import parse_xml
from scinet.segmentation.scene import segment_to_file
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy
from scinet.vector.footprint_file import FootprintFile
from tests.pages.samples import house

CARD = Card(name="sci-net", architecture="sci-net", gsd_range_cm_per_px=(2.5, 40.0), window_px=64)


def result(crs: CRS | None) -> Result:
    """A mask of the house and of a crumb of 4 px at 10 cm/px."""
    st.cache_resource.clear()
    image, mask = house()
    x, y = (500_000, 620_000) if crs else (0, 0)
    raster = Raster(image, np.ones(mask.shape, bool), Affine(0.1, 0, x, 0, -0.1, y), crs)
    raster.valid[:4] = False
    probability = np.where(mask, 0.9, 0.1).astype(np.float32)
    probability[50:52, 50:52] = 0.7
    subject = Subject("a", "Accra · house 1.tif", raster, Truth(mask))
    return runs.evaluate(
        Run(Task(subject, CARD, raster.cm_per_px, Strategy("direct")), probability), runs.MaskSettings()
    )


def test_the_files_of_a_georeferenced_image() -> None:
    found = {file.label: file for file in downloads.files(result(CRS.from_epsg(32630)), downloads.Outlines())}
    mask, probability, geopackage, geojson, style, report = (file.make() for file in found.values())
    assert found["Mask .tif"].name == "Accra-house-1_sci-net_10cm-per-px_mask.tif"
    with rasterio.open(BytesIO(mask)) as dataset:
        assert dataset.crs.to_epsg() == 32630 and dataset.nodata == 255
        assert np.unique(dataset.read(1), return_counts=True)[1].tolist() == [64 * 60 - 404, 404, 256]
    with rasterio.open(BytesIO(probability)) as dataset:
        assert dataset.read(1)[30, 30] * dataset.scales[0] == pytest.approx(0.9, abs=0.002)
    assert pyogrio.read_info(BytesIO(geopackage))["features"] == 2
    kinds = [feature["properties"]["kind"] for feature in json.loads(geojson)["features"]]
    assert kinds == ["good", "false"]
    assert all(f'value="{kind}"'.encode() in style for kind in kinds)
    content = json.loads(report)
    assert content["truth"]["buildings"]["found"] == 1
    assert content["native"]["scores"] == content["truth"]["scores"]


def test_names_of_files_are_plain_whatever_the_model_is_called() -> None:
    found = result(CRS.from_epsg(32630))
    task = replace(found.run.task, card=replace(CARD, name="../my: model\n"))
    files = downloads.files(replace(found, run=replace(found.run, task=task)))
    assert files[0].name == "Accra-house-1_my-model_10cm-per-px_mask.tif"


def test_without_georeference_there_is_no_geojson() -> None:
    found = downloads.files(result(None), downloads.Outlines())
    assert len(found) == 5 and not any(file.name.endswith(".geojson") for file in found)
    with rasterio.open(BytesIO(found[0].make())) as dataset:
        assert dataset.crs is None and dataset.transform == Affine(0.1, 0, 0, 0, -0.1, 0)


def test_the_qgis_project_is_a_folder_with_all_that_it_names(tmp_path: Path) -> None:
    found = downloads.qgis_project([result(CRS.from_epsg(32630))])
    with ZipFile(BytesIO(found.make())) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert found.name == f"{folder.name}.zip"
    root = parse_xml((folder / "Accra-house-1.qgs").read_bytes().partition(b"\n")[2])
    sources = [layer.findtext("datasource").partition("|")[0] for layer in root.iter("maplayer")]
    assert len(sources) == 4 and all((folder / source).is_file() for source in sources)
    assert pyogrio.read_info(folder / sources[0])["features"] == 1 and "reference" in sources[0]
    footprints = folder / sources[1]
    assert footprints.with_suffix(".qml").is_file() and pyogrio.read_info(footprints)["features"] == 2
    with rasterio.open(folder / sources[-1]) as image, rasterio.open(folder / sources[2]) as mask:
        assert image.count == 4 and image.bounds == mask.bounds


def test_a_step_makes_no_files(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_file(*_: object) -> None:
        raise AssertionError("a file")

    for name in ("write_mask", "write_probability", "write_raster", "write_footprints", "report"):
        monkeypatch.setattr(downloads, name, no_file)
    app.run()
    assert not app.exception and len(app.get("download_button")) == 13  # six of each model, and the project
    app.selectbox(key="tile").set_value("west.png").run()
    assert not app.exception and len(app.get("download_button")) == 11
    assert any("No GeoJSON" in caption.value for caption in app.caption)


@pytest.mark.parametrize(
    "outlines", [downloads.Outlines(), downloads.Outlines(square=True), downloads.Outlines(4.0, 0.3)], ids=str
)
def test_the_app_and_the_command_line_write_the_same_files(
    outlines: downloads.Outlines, tmp_path: Path, brightness_model: Model
) -> None:
    """On a scene of several traced bands, with holes and crumbs."""
    st.cache_resource.clear()
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((300, 280)), 6)
    image = np.where(noise > 0, 60, 190).astype(np.uint8)[..., np.newaxis].repeat(3, axis=2)
    raster = Raster(image, np.ones(noise.shape, bool), Affine(0.1, 0, 500_000, 0, -0.1, 620_000), CRS.from_epsg(32630))
    raster.valid[:4] = False
    write_raster(tmp_path / "image.tif", raster)
    scene = open_scene(tmp_path / "image.tif")
    min_area_m2 = max(outlines.min_hole_m2, 2.0)
    footprints = FootprintFile(tmp_path / "out.geojson", min_area_m2, *outlines)
    found = segment_to_file(scene, brightness_model, tmp_path / "mask.tif", footprints=footprints)
    assert found.footprints and found.footprints >= 5

    subject = Subject("a", "image.tif", scene.read(), None)
    probability = segment(subject.raster, brightness_model).probability
    run = Run(Task(subject, brightness_model.card, raster.cm_per_px, Strategy()), probability)
    ours = {f.label: f for f in downloads.files(runs.evaluate(run, runs.MaskSettings()), outlines)}
    assert ours["Mask .tif"].make() == (tmp_path / "mask.tif").read_bytes()
    ours = {f.label: f for f in downloads.files(runs.evaluate(run, runs.MaskSettings(0.5, min_area_m2)), outlines)}
    assert ours["Footprints .geojson"].make() == (tmp_path / "out.geojson").read_bytes()
    segment_to_file(scene, brightness_model, tmp_path / "probability.tif", output="uint8")
    assert ours["Probability .tif"].make() == (tmp_path / "probability.tif").read_bytes()


def test_the_popover_cleans_outlines_as_asked(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(downloads, "files", lambda result, outlines: asked.append(outlines) or [])
    app.run()
    app.toggle(key="download_square").set_value(True)
    app.number_input(key="download_simplify").set_value(0.4)
    app.number_input(key="download_min_hole").set_value(3.0)
    app.number_input(key="min_area").set_value(2.0).run()
    assert not app.exception and asked[-1] == downloads.Outlines(2.0, 0.4, True)
    assert any("up to the minimum area" in caption.value for caption in app.caption)
