"""Vector files in all formats that are read, whole and by window, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj.transformer import TransformerGroup
from rasterio.crs import CRS
from rasterio.transform import Affine
from shapely import box

from scinet.errors import TruthError
from scinet.evaluation.truth import Truth, read_truth, read_window_truth, truth_labels
from scinet.raster.geotiff import write_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene, open_scene
from scinet.vector.choice import VectorChoice
from scinet.vector.footprints import LONLAT, reproject
from tests.scinet.vector.samples import (
    HOUSES,
    PLACE,
    SIDE_PX,
    UTM,
    archive,
    coco,
    csv,
    files,
    frame,
    geojson,
    geoparquet,
    kml,
    labelme,
    undefined_geopackage,
    voc,
    write,
)

Part = tuple[int, int, int, int]
CORNER: Part = (0, 0, 50, 50)
KINDS = [
    *("FlatGeobuf", "FlatGeobuf as bytes", "GeoJSON lines", "GeoJSON text sequence", "GeoJSON, compressed"),
    *("Shapefile", "zipped Shapefile", "Shapefile with a path that leads out", "KML", "KMZ"),
    *("GeoParquet", "GeoParquet as bytes", "GeoParquet with coordinates as lists"),
    *("GML", "GML with longitude first", "CityGML", "GML 2", "zipped GML", "CSV", "CSV as a file", "CSV, compressed"),
    *("Esri JSON", "TopoJSON", "COCO", "COCO run lengths", "COCO boxes", "COCO of several images"),
    *("COCO of several classes", "YOLO polygons", "YOLO boxes", "VOC", "labelme", "PolyhedralSurface", "TIN"),
    *("GeoJSON in metres without a CRS", "GeoJSON with latitude first", "GeoPackage with latitude first"),
    *("GeoPackage with degrees under a metric name", "GeoPackage without a CRS"),
]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    pixels = np.full((SIDE_PX, SIDE_PX, 3), 100, np.uint8)
    write_raster(tmp_path / "image.tif", Raster(pixels, np.ones((SIDE_PX, SIDE_PX), bool), PLACE, UTM))
    return open_scene(tmp_path / "image.tif")


def truth_of(
    source: bytes | Path, scene: Scene, part: Part | None, features: VectorChoice | None = None
) -> tuple[Truth, Raster]:
    if part is None:
        raster = scene.read()
        return read_truth(source, raster, "houses", None, features, scene.name), raster
    window = scene.window(*part)
    return read_window_truth(source, window, scene, "houses", None, features), window


def labels_of(
    source: bytes | Path, scene: Scene, part: Part | None, features: VectorChoice | None = None
) -> NDArray[Any]:
    return truth_labels(*truth_of(source, scene, part, features))


def sizes(labels: NDArray[Any]) -> list[int]:
    return sorted(np.bincount(labels.ravel())[1:].tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_buildings(tmp_path: Path, scene: Scene, kind: str) -> None:
    source = files(tmp_path)[kind]
    whole, part = truth_of(source, scene, None), truth_of(source, scene, CORNER)
    assert sizes(truth_labels(*whole)) == [400, 500, 600]
    assert sizes(truth_labels(*part)) == [300, 400]
    assert whole[0].notes == part[0].notes


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("COCO boxes", "3 of 3 buildings in houses are boxes"),
        ("COCO of several classes", "has the classes building (3), road (1); those called building count as building"),
        ("GeoJSON in metres without a CRS", "which its coordinates do not fit; they fit the image's CRS"),
        ("GeoJSON with latitude first", "In houses, latitude stands before longitude"),
        ("GeoPackage with degrees under a metric name", "names EPSG:32630, but its coordinates are degrees"),
        ("GeoPackage with latitude first", "latitude stands before longitude"),
        ("GeoPackage without a CRS", "names no CRS; its coordinates fit the image's, which is assumed"),
    ],
)
def test_what_was_understood_is_said(tmp_path: Path, scene: Scene, kind: str, note: str) -> None:
    truth, _ = truth_of(files(tmp_path)[kind], scene, None)
    assert len(truth.notes) == 1 and note in truth.notes[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfehello", "neither a mask image nor a vector file .* docs/files.md"),
        (b"latitude,longitude\n1,2\n", "a table without a column of polygons as WKT"),
        (b"PAR1" + bytes(100), "damaged"),
        (b'{"images": [], "annotations": [], "categories": []}', "annotates no image"),
        (b"<kml><Placemark>", "damaged"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><kml></kml>', "neither a mask"),
        (b'<?xml version="1.0"?><kml><!ENTITY b "c"></kml>', "declares entities"),
        (archive({"a.txt": b"a"}), "holds 0 vector files"),
        (archive({"a.kml": kml(), "b.kml": kml()}), "holds 2 vector files"),
        (archive({"a.kml": kml()})[:60], "damaged or encrypted archive"),
        (archive({"a.shp": b"\x00\x00\x27\x0a" + bytes(96)}), "lacks the Shapefile's index"),
        (b"\x00\x00\x27\x0a" + bytes(96), "one part of a Shapefile"),
        (b"fgb\x03fgb\x00" + bytes(40), "damaged"),
    ],
)
def test_whole_and_window_are_refused_in_the_same_words(scene: Scene, content: bytes, reason: str) -> None:
    messages = []
    for part in (None, (0, 0, 50, 50)):
        with pytest.raises(TruthError, match=reason) as caught:
            labels_of(content, scene, part)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_an_archive_that_unpacks_to_too_much_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scinet.vector.unpack.MAX_UNPACKED_BYTES", 100)
    with pytest.raises(TruthError, match="holds more than"):
        labels_of(archive({"a.kml": kml()}), scene, None)


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        (VectorChoice(), [400, 500]),
        (VectorChoice(where="none"), [400, 500, 600]),
        (VectorChoice(where="height >= 5 AND NOT building = 'no'"), [500]),
        (VectorChoice(where='"HEIGHT" IN (3, 4)'), [400, 600]),
    ],
)
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".shp", ".parquet", ".csv"])
def test_attributes_tell_which_features_are_buildings(
    tmp_path: Path, scene: Scene, suffix: str, features: VectorChoice, wanted: list[int]
) -> None:
    houses = frame(building=["yes", None, "house"], height=[3, 4, 5])
    path = tmp_path / f"houses{suffix}"
    if suffix == ".parquet":
        houses.to_parquet(path)
    elif suffix == ".csv":
        houses.assign(wkt=houses.geometry.to_wkt()).drop(columns="geometry").to_csv(path, index=False)
    else:
        houses.to_file(path)
    for part in (None, (0, 0, SIDE_PX - 1, SIDE_PX)):
        truth, raster = truth_of(path, scene, part, features)
        assert sizes(truth_labels(truth, raster))[-len(wanted) :] == wanted
        said = [note for note in truth.notes if "only features with a value of building" in note]
        assert len(said) == (features == VectorChoice())


def test_a_condition_that_does_not_fit_is_refused(tmp_path: Path, scene: Scene) -> None:
    path = write(tmp_path / "houses.gpkg")
    with pytest.raises(TruthError, match=r'condition "storeys > 2" does not fit .* attributes id'):
        truth_of(path, scene, None, VectorChoice(where="storeys > 2"))
    with pytest.raises(TruthError, match="does not fit"):
        truth_of(path, scene, CORNER, VectorChoice(where="id id id"))


@pytest.mark.parametrize(
    "where",
    [
        "id IN (SELECT 1)",
        "load_extension('a')",
        "1; DROP TABLE houses",
        "id = 1 --",
        "WITH a AS (b) c",
        "a" * 501,
        "id = '",
    ],
)
def test_a_condition_that_is_more_than_comparisons_is_refused(where: str) -> None:
    with pytest.raises(TruthError, match="cannot be used as a condition"):
        VectorChoice(where=where)


def test_a_layer_is_chosen_by_name(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "town.gpkg"
    frame().iloc[:1].to_file(path, layer="old")
    frame().to_file(path, layer="new")
    with pytest.raises(TruthError, match=r"several layers of polygons \(old, new\). Choose one with --layer"):
        labels_of(path, scene, None)
    assert sizes(labels_of(path, scene, None, VectorChoice("old"))) == [400]
    with pytest.raises(TruthError, match="has no layer b, only old, new"):
        labels_of(path, scene, CORNER, VectorChoice("b"))
    both = archive({"a.geojson": geojson(), "b.kml": kml()})
    assert sizes(labels_of(both, scene, None, VectorChoice("b"))) == [400, 500, 600]
    with pytest.raises(TruthError, match="no layers to choose from"):
        labels_of(geojson(), scene, None, VectorChoice("b"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: coco(size=90), "annotates an image of 90 x 90 px; image.tif has 100 x 100 px"),
        (lambda: coco(images=2).replace(b"image.png", b"other.png"), "annotates 2 images .* none of which is called"),
        (lambda: voc().replace(b"<width>100", b"<width>50"), "annotates an image of 50 x 100 px"),
        (lambda: labelme().replace(b'"shapes"', b'"shapes": [{"points": [[1]]}], "b"'), "damaged, or is not labelme"),
        (lambda: coco("runs").replace(b'"counts": [', b'"counts": [7, '), "damaged, or is not COCO"),
        (lambda: b"0 0.1 0.2 0.3 0.4 nan 0.5\n", "is a table|neither|damaged"),
    ],
)
def test_annotations_of_another_image_are_refused(scene: Scene, make: Callable[[], bytes], reason: str) -> None:
    for part in (None, CORNER):
        with pytest.raises(TruthError, match=reason):
            labels_of(make(), scene, part)


def test_annotations_lie_on_an_image_without_a_place() -> None:
    raster = Raster(
        np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), np.ones((SIDE_PX, SIDE_PX), bool), PLACE.scale(0.1, -0.1), None
    )
    labels = truth_labels(read_truth(coco(), raster, "houses"), raster)
    assert [int((labels == i + 1).sum()) for i in range(3)] == [house.area for house in HOUSES]


def test_footprints_elsewhere_are_said_to_be_how_far(scene: Scene) -> None:
    moved = csv().replace(b"POLYGON", b"POLYGON", 1)
    east = geojson().replace(b"-0.2", b"9.8")
    assert moved and east != geojson()
    for part in (None, CORNER):
        with pytest.raises(TruthError, match=r"elsewhere on the earth than the image, 1,\d\d\d km to the east"):
            labels_of(east, scene, part)


def test_a_crs_that_would_fit_is_named(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "houses.gpkg"
    frame().to_crs(32631).set_crs(32630, allow_override=True).to_file(path)
    for part in (None, CORNER):
        with pytest.raises(TruthError, match="Its coordinates would fit EPSG:32631"):
            labels_of(path, scene, part)


@pytest.mark.parametrize("srs_id", [0, -1])
def test_the_undefined_crs_of_a_geopackage_is_no_crs(tmp_path: Path, scene: Scene, srs_id: int) -> None:
    path = undefined_geopackage(tmp_path / "houses.gpkg", srs_id)
    for part, found in ((None, [400, 500, 600]), (CORNER, [300, 400])):
        truth, raster = truth_of(path, scene, part)
        assert truth.notes == ("houses names no CRS; its coordinates fit the image's, which is assumed.",)
        assert sizes(truth_labels(truth, raster)) == found


def test_a_datum_whose_grid_file_is_missing_is_said_with_the_metres_at_stake(tmp_path: Path) -> None:
    nad27, nad83 = CRS.from_epsg(26718), CRS.from_epsg(26918)  # UTM 18N, in New Jersey
    if TransformerGroup("EPSG:26718", "EPSG:26918").best_available:
        pytest.skip("the grid files are installed")
    place = Affine(0.1, 0, 580_000, 0, -0.1, 4_500_000)
    raster = Raster(np.full((100, 100, 3), 100, np.uint8), np.ones((100, 100), bool), place, nad83)
    write_raster(tmp_path / "image.tif", raster)
    scene = open_scene(tmp_path / "image.tif")
    (house,) = reproject(np.array([box(580_001, 4_499_992, 580_009, 4_499_998)], dtype=object), nad83, nad27)
    gpd.GeoDataFrame(geometry=[house], crs=nad27.to_wkt()).to_file(tmp_path / "house.gpkg")
    for part in (None, (0, 0, 50, 50)):
        truth, _ = truth_of(tmp_path / "house.gpkg", scene, part)
        (note,) = truth.notes
        assert re.search(
            r"the grid file of their exact transformation is not installed: .* off by about [34]\d m\.", note
        )


def openstreetmap(path: Path) -> Path:
    stamps = ["2015-03-01T10:00:00Z", "2019-05-02T10:00:00Z", "2023-01-03T10:00:00Z"]
    path.write_text(frame(LONLAT, building="yes", timestamp=stamps).to_json())
    return path


def overture(path: Path) -> Path:
    """As Overture Maps publishes buildings: the dates are those of their sources."""
    found = pq.read_table(geoparquet(path))
    days = ["2015-03-01T00:00:00.000Z", "2019-05-02T00:00:00.000Z", "2023-01-03T00:00:00.000Z"]
    sources = pa.array([[{"dataset": "OpenStreetMap", "update_time": day}] for day in days])
    pq.write_table(found.append_column("sources", sources), path)
    return path


@pytest.mark.parametrize("make", [openstreetmap, overture])
@pytest.mark.parametrize("taken", ["2021:06:07 10:00:00", None])
def test_the_dates_of_buildings_are_said_next_to_the_images(
    tmp_path: Path, scene: Scene, make: Callable[[Path], Path], taken: str | None
) -> None:
    if taken:
        with rasterio.open(tmp_path / "image.tif", "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=taken)
    scene = open_scene(tmp_path / "image.tif")
    image = "the image is dated 2021-06-07" if taken else "the image does not say when it was taken"
    note = (
        "The buildings of houses were last edited between 2015-03-01 and 2023-01-03, half of them by 2019-05-02; "
        f"{image}. What changed in between counts as an error."
    )
    for part in (None, CORNER):
        truth, _ = truth_of(make(tmp_path / "houses"), scene, part)
        assert truth.notes == (note,)


def test_dates_that_are_none_are_not_said(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "houses.gpkg"
    frame(timestamp=["soon", "2021-13-40", ""]).to_file(path)
    assert truth_of(path, scene, None)[0].notes == ()


def test_coordinates_without_a_crs_are_taken_for_the_images(tmp_path: Path, scene: Scene) -> None:
    path = write(tmp_path / "houses.gpkg", crs=None)
    raster, window = scene.read(), scene.window(0, 0, 50, 50)
    whole = read_truth(path, raster, "houses.gpkg")
    part = read_window_truth(path, window, scene, "houses.gpkg")
    assert (
        whole.notes == part.notes == ("houses.gpkg names no CRS; its coordinates fit the image's, which is assumed.",)
    )
    assert truth_labels(whole, raster).max() == 3 and truth_labels(part, window).max() == 2
