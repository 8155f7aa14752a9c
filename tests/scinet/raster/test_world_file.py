"""World files and .aux.xml files count where they are named, and only there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.errors import GsdMissingError, RasterError
from scinet.raster.choice import ImageChoice, parse_crs
from scinet.raster.scene import open_scene
from scinet.raster.world_file import parse_world_file, read_world_file

WORLD = b"0.1\n0\n0\n-0.1\n810000.05\n619999.95\n"
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
AUX = f"""<PAMDataset><SRS dataAxisToSRSAxisMapping="1,2">{CRS.from_epsg(32630).to_wkt()}</SRS>
<GeoTransform> 8.1e+05, 0.1, 0, 6.2e+05, 0, -0.1</GeoTransform></PAMDataset>""".encode()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(path)
    (tmp_path / "a.pgw").write_bytes(WORLD)
    (tmp_path / "a.png.aux.xml").write_bytes(AUX)
    return path


def test_a_file_next_to_the_image_does_not_count(image: Path) -> None:
    with pytest.raises(GsdMissingError):
        open_scene(image)


def test_a_world_file_that_is_named_places_the_image_with_a_crs(image: Path) -> None:
    place = read_world_file(image.with_suffix(".pgw"))
    scene = open_scene(image, choice=ImageChoice(place=place, crs=parse_crs("EPSG:32630")))
    assert scene.transform.almost_equals(PLACE) and scene.crs is not None and scene.crs.to_epsg() == 32630
    assert scene.cm_per_px == pytest.approx(9.99, abs=0.01)
    with pytest.raises(GsdMissingError, match=r"names no CRS\. Give it \(--crs EPSG:N\)"):
        open_scene(image, choice=ImageChoice(place=place))
    assert open_scene(image, cm_per_px=10, choice=ImageChoice(place=place)).crs is None


def test_an_aux_xml_that_is_named_brings_its_crs(image: Path) -> None:
    place = read_world_file(f"{image}.aux.xml")
    scene = open_scene(image, choice=ImageChoice(place=place))
    assert scene.transform.almost_equals(PLACE) and scene.crs is not None and scene.crs.to_epsg() == 32630


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1 2 3",
        b"0.1 0 0 nan 8e5 6e5",
        b"0 0 0 0 8e5 6e5",
        b"a text",
        b"<PAMDataset/>",
        b"<PAMDataset><GeoTransform>1,2</GeoTransform></PAMDataset>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><PAMDataset/>',
    ],
)
def test_what_places_nothing_is_refused(content: bytes) -> None:
    with pytest.raises(RasterError, match="does not place an image"):
        parse_world_file(content, "a.pgw")


def test_a_crs_that_is_an_address_is_not_asked() -> None:
    content = AUX.replace(CRS.from_epsg(32630).to_wkt().encode(), b"http://127.0.0.1/wkt")
    with pytest.raises(RasterError, match="unknown CRS"):
        parse_world_file(content, "a.aux.xml")
