"""`scinet segment --qgis`: the project of an image, its mask and its footprints."""

from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from rasterio.transform import Affine

from scinet.cli.main import main
from scinet.raster.geotiff import write_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import read_raster
from scinet.safe_xml import parse_xml
from scinet.vector.read import read_footprints


def layers_of(project: Path) -> list[Element]:
    root = parse_xml(project.read_text().partition("\n")[2].encode())  # without the document type
    return root.findall("projectlayers/maplayer")


def test_segment_writes_a_style_and_a_project(scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, footprints, project = (tmp_path / name for name in ("mask.tif", "roofs.gpkg", "map.qgs"))
    command = ["segment", str(scene), str(out), "--model", "unet", "--device", "cpu"]
    command += ["--cm-per-px", "40", "--footprints", str(footprints)]
    assert main([*command, "--qgis", str(project)]) == 0
    assert (tmp_path / "roofs.qml").exists() and "roofs.qml" in capsys.readouterr().out
    sources = [layer.findtext("datasource") for layer in layers_of(project)]
    assert sources == ["./roofs.gpkg|layername=buildings", "./mask.tif", "./scene.tif"]


def test_the_project_shows_the_reference_as_outlines_in_the_images_crs(
    scene: Path, truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["segment", str(scene), str(tmp_path / "mask.tif"), "--model", "unet", "--cm-per-px", "40"]
    assert main([*command, "--truth", str(truth)]) == 2 and "give both" in capsys.readouterr().err
    assert main([*command, "--truth", str(truth), "--qgis", str(tmp_path / "map.qgs")]) == 0
    layer = layers_of(tmp_path / "map.qgs")[0]
    assert layer.findtext("datasource") == "./map_reference.gpkg|layername=buildings"
    options = {option.get("name"): option.get("value") for option in layer.iter("Option")}
    assert options["style"] == "no" and options["outline_color"] == "255,255,255,255"
    buildings, reference = read_footprints(truth), read_footprints(tmp_path / "map_reference.gpkg")
    assert reference.crs == read_raster(scene).crs and len(reference.polygons) == len(buildings.polygons) == 2
    area_m2 = sum(each.area for each in reference.polygons)
    assert area_m2 == pytest.approx((30 * 30 + 40 * 70) * read_raster(scene).pixel_area_m2, rel=0.01)


def test_an_image_that_qgis_would_lay_elsewhere_is_left_out(
    tmp_path: Path, noise_raster: Raster, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = Raster(noise_raster.pixels, noise_raster.valid, Affine(1, 0, 0, 0, -1, 0), None)
    write_raster(tmp_path / "plain.tif", plain)
    command = ["segment", str(tmp_path / "plain.tif"), str(tmp_path / "mask.tif"), "--model", "unet"]
    command += ["--native-cm-per-px", "20", "--cm-per-px", "40", "--probability", "--qgis", str(tmp_path / "map.qgs")]
    assert main(command) == 0
    assert "The QGIS project has no image" in capsys.readouterr().err
    assert [layer.findtext("layername") for layer in layers_of(tmp_path / "map.qgs")] == ["Probability"]


@pytest.mark.parametrize("wrong", [["mask.tif", "--qgis", "map.txt"], ["--to", "masks", "--qgis", "map.qgz"]])
def test_a_project_that_cannot_be_written_is_refused_before_the_work(
    scene: Path, tmp_path: Path, wrong: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["segment", str(scene), *wrong, "--model", "unet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
