"""Projects and styles for QGIS: by their XML, and by QGIS itself where it is installed."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.errors import WriteError
from scinet.raster.geotiff import write_mask, write_raster
from scinet.raster.raster import Raster
from scinet.safe_xml import parse_xml
from scinet.share.pictures import KIND_COLOURS, MASK_COLOUR
from scinet.share.qgis import Group, Layer, footprint_layer, project_text, write_project
from scinet.share.qgis_style import footprint_style, image_pipe, mask_pipe, write_footprint_style
from scinet.vector.footprint_file import write_footprints

UTM = CRS.from_epsg(32630)

# What QGIS makes of a project, and of a file of footprints that it opens by itself
ASK_QGIS = """
import json, os, sys
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsVectorLayer
application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
assert project.read(sys.argv[1])
def facts(layer):
    found = {"valid": layer.isValid(), "crs": layer.crs().authid(), "renderer": layer.renderer().type()}
    extent = layer.extent()
    found["extent"] = [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()]
    if isinstance(layer, QgsVectorLayer):
        renderer = layer.renderer()
        drawn = renderer.categories() if found["renderer"] == "categorizedSymbol" else [renderer]
        found["colours"] = [each.symbol().color().name() for each in drawn]
        found["features"] = layer.featureCount()
    elif found["renderer"] == "paletted":
        found["colours"] = [entry.color.name() for entry in layer.renderer().classes()]
    return found
layers = {layer.name(): facts(layer) for layer in project.mapLayers().values()}
visible = [layer.name() for layer in project.layerTreeRoot().checkedLayers()]
alone = QgsVectorLayer(sys.argv[2], "alone", "ogr")
mask = QgsRasterLayer(sys.argv[2].replace(".gpkg", ".tif"), "mask of that name")
answer = {"crs": project.crs().authid(), "layers": layers, "visible": visible}
answer |= {"alone": facts(alone), "mask": facts(mask)}
print(json.dumps(answer), flush=True)
os._exit(0)  # QGIS may crash when the interpreter ends
"""


def ask_qgis(project: Path, footprints: Path) -> dict[str, Any]:
    """What QGIS says; skips the test where Debian's package python3-qgis is not installed."""
    python = "/usr/bin/python3"
    has_qgis = (
        Path(python).exists() and not subprocess.run([python, "-c", "import qgis.core"], capture_output=True).returncode
    )
    if not has_qgis:
        pytest.skip("QGIS is not installed: apt-get install python3-qgis")
    environment = {"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "HOME": str(project.parent)}
    command = [python, "-c", ASK_QGIS, str(project), str(footprints)]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert found.returncode == 0, found.stderr
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def image(crs: CRS | None = UTM) -> Raster:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    x, y = (500_000, 620_000) if crs else (0, 0)
    return Raster(pixels, np.ones((60, 80), bool), Affine(0.5, 0, x, 0, -0.5, y), crs)


def houses() -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[10:20, 10:30] = mask[30:50, 40:60] = mask[5:8, 70:75] = True
    return mask


def folder_of_results(folder: Path) -> Path:
    """An image, a mask and footprints of three kinds, with a project that shows them."""
    raster, mask = image(), houses()
    write_raster(folder / "image.tif", raster)
    write_mask(folder / "mask.tif", mask.astype(np.uint8), raster)
    write_footprints(folder / "roofs.gpkg", mask, raster, kinds=["false", "good", "merger"])
    write_footprints(folder / "plain.geojson", mask, raster)
    layers = [
        footprint_layer("Roofs", "./roofs.gpkg", "#D55E00", with_kinds=True),
        footprint_layer("Plain", "./plain.geojson", "#D55E00"),
        Layer("Mask", "./mask.tif", mask_pipe("#D55E00")),
    ]
    groups = [
        Group("Sci-Net <1>", layers),
        Group("UNet", [Layer("Hidden", "./mask.tif", mask_pipe())], is_shown=False),
        Group("", [Layer("Image", "./image.tif", image_pipe((1, 2, 3), 4), "© somebody & others")]),
    ]
    write_project(folder / "map.qgz", "Accra & more", raster.grid, groups)
    return folder / "map.qgz"


def project_of(path: Path) -> Element:
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        text = archive.read(name).decode()
    return parse_xml(text.partition("\n")[2].encode())  # without the document type


def test_a_project_names_each_layer_once_by_a_relative_path(tmp_path: Path) -> None:
    root = project_of(folder_of_results(tmp_path))
    layers = {layer.findtext("id"): layer for layer in root.iterfind("projectlayers/maplayer")}
    in_tree = [layer.get("id") for layer in root.iter("layer-tree-layer")]
    assert in_tree == list(layers) and len(layers) == 5
    sources = [layer.findtext("datasource") for layer in layers.values()]
    assert sources[0] == "./roofs.gpkg|layername=buildings" and all(source.startswith("./") for source in sources)
    assert root.findtext("properties/Paths/Absolute") == "false"
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:32630"
    crs_of = {layer.findtext("layername"): layer.findtext("srs/spatialrefsys/authid") for layer in layers.values()}
    assert crs_of["Plain"] == "EPSG:4326" and crs_of["Roofs"] == "EPSG:32630"
    assert [group.get("checked") for group in root.iter("layer-tree-group")][1:] == ["Qt::Checked", "Qt::Unchecked"]
    assert [layer.findtext("attribution") for layer in layers.values()][-1] == "© somebody & others"


def test_a_style_has_the_maps_colours_for_each_kind() -> None:
    root = parse_xml(footprint_style(with_kinds=True).partition("\n")[2].encode())
    categories = {each.get("value"): each.get("symbol") for each in root.iter("category")}
    colours = {
        each.get("name"): each.find("layer/Option/Option[@name='outline_color']") for each in root.iter("symbol")
    }
    shown = {kind: colours[number].get("value") for kind, number in categories.items()}
    for kind, shown_as in (("good", "found"), ("merger", "merged"), ("false", "false")):
        assert shown[kind] == ",".join(map(str, bytes.fromhex(KIND_COLOURS[shown_as][1:]))) + ",255"


def test_a_plane_without_a_crs_has_none_in_the_project() -> None:
    raster = image(None)
    text = project_text("Local", raster.grid, [Group("", [Layer("Image", "./image.tif", None)])])
    root = parse_xml(text.partition("\n")[2].encode())
    assert not root.findtext("projectCrs/spatialrefsys/authid") and not root.findtext("projectCrs/spatialrefsys/wkt")


@pytest.mark.parametrize("name", ["map.zip", "none/map.qgz"])
def test_a_project_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WriteError, match="cannot be written"):
        write_project(tmp_path / name, "Map", image().grid, [])


def test_a_style_is_written_beside_footprints_unless_there_is_one(tmp_path: Path) -> None:
    mask = tmp_path / "mask.tif"
    assert write_footprint_style(tmp_path / "a.fgb", mask, "mask") == tmp_path / "a.qml"
    (tmp_path / "b.qml").write_text("mine")
    assert write_footprint_style(tmp_path / "b.fgb", mask, "mask") is None
    assert (tmp_path / "b.qml").read_text() == "mine"
    assert write_footprint_style(tmp_path / "c.dxf", mask, "mask") is None and not (tmp_path / "c.qml").exists()


def test_a_style_that_qgis_takes_for_the_mask_too_draws_both(tmp_path: Path) -> None:
    write_footprint_style(tmp_path / "roofs.gpkg", tmp_path / "roofs.tif", "mask")
    root = parse_xml((tmp_path / "roofs.qml").read_bytes().partition(b"\n")[2])
    assert root.find("renderer-v2") is not None and root.find("pipe/rasterrenderer").get("type") == "paletted"


@pytest.mark.slow
def test_qgis_opens_a_project_and_styles_footprints_by_itself(tmp_path: Path) -> None:
    project = folder_of_results(tmp_path)
    shutil.copy(tmp_path / "roofs.gpkg", tmp_path / "alone.gpkg")
    shutil.copy(tmp_path / "mask.tif", tmp_path / "alone.tif")
    (tmp_path / "alone.qml").write_text(footprint_style(with_kinds=True, pipe=mask_pipe()))
    found = ask_qgis(project, tmp_path / "alone.gpkg")
    assert found["crs"] == "EPSG:32630" and found["visible"] == ["Roofs", "Plain", "Mask", "Image"]
    layers = found["layers"]
    assert all(layer["valid"] for layer in layers.values())
    kinds = [KIND_COLOURS[kind].lower() for kind in ("found", "merged", "false")]
    assert layers["Roofs"]["colours"] == found["alone"]["colours"] == kinds
    assert layers["Roofs"]["features"] == 3 and layers["Plain"]["colours"] == ["#d55e00"]
    assert layers["Mask"]["colours"] == ["#d55e00"] and layers["Hidden"]["colours"] == [MASK_COLOUR.lower()]
    assert found["mask"]["colours"] == [MASK_COLOUR.lower()]
    assert layers["Image"]["renderer"] == "multibandcolor"
    assert layers["Image"]["extent"] == layers["Mask"]["extent"] == [500_000, 619_970, 500_040, 620_000]
