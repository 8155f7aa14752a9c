"""Vector files in all formats that are read, whole and by window, and what is refused."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from shapely import Polygon, box

from scinet.errors import TruthError
from scinet.evaluation.truth import read_truth, read_window_truth, truth_labels
from scinet.raster.geotiff import write_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene, open_scene
from scinet.vector.footprints import LONLAT, reproject

UTM = CRS.from_epsg(32630)
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
HOUSES = [box(10, 10, 30, 30), box(40, 20, 60, 50), Polygon([(5, 60), (30, 60), (30, 80), (5, 80)])]  # in px


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    pixels = np.full((100, 100, 3), 100, np.uint8)
    write_raster(tmp_path / "image.tif", Raster(pixels, np.ones((100, 100), bool), PLACE, UTM))
    return open_scene(tmp_path / "image.tif")


def placed(crs: CRS) -> list[Polygon]:
    metres = [shapely.transform(house, lambda xy: np.column_stack(PLACE @ xy.T)) for house in HOUSES]
    return list(reproject(np.array(metres, dtype=object), UTM, crs))


def write(path: Path, crs: str | None = "EPSG:32630") -> Path:
    wkb = shapely.to_wkb(np.array(placed(UTM), dtype=object))
    ids = np.arange(len(wkb))
    pyogrio.raw.write(path, wkb, field_data=[ids], fields=["id"], geometry_type="Polygon", crs=crs)
    return path


def lines(mark: str) -> bytes:
    features = [
        {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(house)} for house in placed(LONLAT)
    ]
    return "".join(f"{mark}{json.dumps(feature)}\n" for feature in features).encode()


def kml() -> bytes:
    def ring(house: Polygon) -> str:
        return " ".join(f"{x:.9f},{y:.9f},12" for x, y in house.exterior.coords)

    marks = "".join(
        "<Placemark><name>a</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        f"{ring(house)}</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for house in placed(LONLAT)
    )
    text = f'<?xml version="1.0"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>'
    return text.encode()


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


def parts_of_a_shapefile(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write(folder / "houses.shp")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def files(folder: Path) -> dict[str, bytes | Path]:
    shapefile = parts_of_a_shapefile(folder / "shapefile")
    return {
        "FlatGeobuf": write(folder / "houses.fgb"),
        "FlatGeobuf as bytes": write(folder / "more.fgb").read_bytes(),
        "GeoJSON lines": lines(""),
        "GeoJSON text sequence": lines("\x1e"),
        "Shapefile": folder / "shapefile" / "houses.shp",
        "zipped Shapefile": archive({f"data/{name}": content for name, content in shapefile.items()}),
        "Shapefile with a path that leads out": archive({f"../../{n}": content for n, content in shapefile.items()}),
        "KML": kml(),
        "KMZ": archive({"doc.kml": kml()}),
    }


KINDS = [
    "FlatGeobuf",
    "FlatGeobuf as bytes",
    "GeoJSON lines",
    "GeoJSON text sequence",
    "Shapefile",
    "zipped Shapefile",
    "Shapefile with a path that leads out",
    "KML",
    "KMZ",
]


def labels_of(source: bytes | Path, scene: Scene, part: tuple[int, int, int, int] | None) -> NDArray[Any]:
    if part is None:
        raster = scene.read()
        return truth_labels(read_truth(source, raster, "houses"), raster)
    window = scene.window(*part)
    return truth_labels(read_window_truth(source, window, scene, "houses"), window)


@pytest.mark.parametrize("part", [None, (0, 0, 50, 50)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_buildings(
    tmp_path: Path, scene: Scene, kind: str, part: tuple[int, int, int, int] | None
) -> None:
    labels = labels_of(files(tmp_path)[kind], scene, part)
    sizes = sorted(np.bincount(labels.ravel())[1:].tolist())
    assert sizes == ([400, 500, 600] if part is None else [300, 400])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"latitude,longitude\n1,2\n", "neither a mask image nor a vector file .* FlatGeobuf, KML or a zipped"),
        (b"PAR1" + bytes(100), "neither a mask image nor a vector file"),
        (b'{"images": [], "annotations": [], "categories": []}', "JSON but not GeoJSON"),
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
    monkeypatch.setattr("scinet.vector.formats.MAX_UNZIPPED_BYTES", 100)
    with pytest.raises(TruthError, match="holds more than"):
        labels_of(archive({"a.kml": kml()}), scene, None)


def test_coordinates_without_a_crs_are_taken_for_the_images(tmp_path: Path, scene: Scene) -> None:
    path = write(tmp_path / "houses.gpkg", crs=None)
    raster, window = scene.read(), scene.window(0, 0, 50, 50)
    whole = read_truth(path, raster, "houses.gpkg")
    part = read_window_truth(path, window, scene, "houses.gpkg")
    assert (
        whole.notes == part.notes == ("houses.gpkg names no CRS; its coordinates fit the image's, which is assumed.",)
    )
    assert truth_labels(whole, raster).max() == 3 and truth_labels(part, window).max() == 2
