import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as transform_points
from shapely import MultiPolygon, Polygon, box

from scinet.errors import TruthError, WriteError
from scinet.raster.components import label
from scinet.raster.raster import Raster
from scinet.raster.scene import read_raster
from scinet.vector.footprint_file import write_footprints
from scinet.vector.footprints import Footprints, check_overlap, rasterize
from scinet.vector.read import read_footprints
from scinet.vector.trace import polygonize

LONLAT = CRS.from_epsg(4326)
UTM = CRS.from_epsg(32630)


def blank(transform: Affine, crs: CRS | None = UTM, shape: tuple[int, int] = (60, 80)) -> Raster:
    return Raster(np.zeros((*shape, 3), np.uint8), np.ones(shape, bool), transform, crs)


@pytest.fixture
def image() -> Raster:
    return blank(Affine(0.1, 0, 810_000, 0, -0.1, 620_000))


def geojson(*geometries: Any, **members: Any) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"building": "yes"},
            "geometry": shapely.geometry.mapping(g) if isinstance(g, shapely.Geometry) else g,
        }
        for g in geometries
    ]
    return json.dumps({"type": "FeatureCollection", **members, "features": features}).encode()


def named(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


def geopackage(path: Path, *geometries: Any, crs: str | None = "EPSG:32630", **options: Any) -> bytes:
    wkb = np.array([shapely.to_wkb(g) for g in geometries], dtype=object)
    kind = options.pop("geometry_type", "Unknown")
    pyogrio.raw.write(path, wkb, [], [], geometry_type=kind, crs=crs, driver="GPKG", **options)
    return path.read_bytes()


HOUSE = box(-0.2, 5.6, -0.1999, 5.6001)
COURT = Polygon(box(0, 0, 10, 10).exterior, [box(3, 3, 7, 7).exterior])


# --- reading


@pytest.mark.parametrize("document", ["collection", "feature", "geometry", "byte order mark"])
def test_geojson_in_its_forms(document: str, tmp_path: Path) -> None:
    collection = geojson(HOUSE)
    content = {
        "collection": collection,
        "feature": json.dumps(json.loads(collection)["features"][0]).encode(),
        "geometry": shapely.to_geojson(HOUSE).encode(),
        "byte order mark": b"\xef\xbb\xbf \n" + collection,
    }[document]
    path = tmp_path / "anything.txt"
    path.write_bytes(content)
    for source in (content, path, str(path)):
        footprints = read_footprints(source)
        assert footprints.crs == LONLAT
        assert [p.equals(HOUSE) for p in footprints.polygons] == [True]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (named("urn:ogc:def:crs:OGC:1.3:CRS84"), LONLAT),
        (named("EPSG:4326"), LONLAT),
        (named("urn:ogc:def:crs:EPSG::32630"), LONLAT),  # wrong: the coordinates are degrees
        ({"type": "EPSG", "properties": {"code": 4326}}, LONLAT),
        (None, None),
    ],
)
def test_the_crs_member_and_its_slips(member: Any, expected: CRS | None) -> None:
    assert read_footprints(geojson(HOUSE, crs=member)).crs == expected


def test_projected_geojson_needs_its_crs() -> None:
    house = box(810_001, 619_990, 810_005, 619_999)
    assert read_footprints(geojson(house, crs=named("urn:ogc:def:crs:EPSG::32630"))).crs == UTM
    for members in ({}, {"crs": named("EPSG:4326")}):
        with pytest.raises(TruthError, match="does not hold longitudes and latitudes"):
            read_footprints(geojson(house, **members))
    # One stray polygon does not turn the others' degrees into metres.
    stray = geojson(HOUSE, shapely.transform(HOUSE, lambda xy: xy + 1), house)
    assert len(read_footprints(stray).polygons) == 3


def test_dirty_geometries() -> None:
    bow_tie = Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    spike = Polygon([(20, 0), (24, 0), (24, 4), (30, 4), (24, 4), (20, 4)])
    both = shapely.GeometryCollection([box(40, 0, 42, 2), shapely.Point(1, 1), MultiPolygon([box(44, 0, 46, 2)])])
    footprints = read_footprints(
        geojson(
            bow_tie,
            COURT,
            COURT.reverse(),  # the same again, another way round
            COURT,
            spike,
            both,
            shapely.force_3d(box(60, 0, 61, 1), 5.0),
            MultiPolygon([box(0, 20, 1, 21), box(3, 20, 4, 21)]),
            shapely.Point(1, 1),
            shapely.LineString([(0, 0), (1, 1)]),
            Polygon(),
            None,
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
            {"type": "Polygon", "coordinates": "none"},
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [float("nan"), 1], [0, 0]]]},
            {"type": "Nonsense"},
            7,
        )
    )
    polygons = footprints.polygons
    assert [round(p.area, 9) for p in polygons] == [8, 84, 16, 8, 1, 2]
    assert all(p.is_valid and not p.is_empty and not p.has_z for p in polygons)
    assert all(isinstance(p, Polygon | MultiPolygon) for p in polygons)
    assert polygons[1].equals(COURT)


def test_geopackage(tmp_path: Path) -> None:
    house = box(810_001, 619_995, 810_003, 619_998)
    content = geopackage(tmp_path / "a.gpkg", house, house, shapely.force_3d(COURT), shapely.Point(0, 0))
    footprints = read_footprints(content)
    assert footprints.crs == UTM
    assert [p.area for p in footprints.polygons] == [6, 84]
    assert not any(p.has_z for p in footprints.polygons)
    renamed = tmp_path / "b.geojson"
    renamed.write_bytes(content)
    assert len(read_footprints(renamed).polygons) == 2


def test_geopackage_layers(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    geopackage(path, HOUSE, layer="buildings")
    geopackage(path, shapely.Point(0, 0), layer="trees", append=True)
    assert len(read_footprints(path).polygons) == 1
    geopackage(path, COURT, layer="districts", append=True)
    with pytest.raises(TruthError, match=r"several layers of polygons \(buildings, districts\)"):
        read_footprints(path)


def plain_sqlite(path: Path) -> bytes:
    with sqlite3.connect(path) as database:
        database.execute("create table buildings (shape blob)")
    database.close()
    return path.read_bytes()


def test_other_files_are_refused(tmp_path: Path) -> None:
    package = geopackage(tmp_path / "a.gpkg", *(shapely.transform(COURT, lambda xy, i=i: xy + i) for i in range(500)))
    for content, reason in (
        (b"", "is empty"),
        (b"hello", "not a vector file that can be read"),
        (b"<VRTDataset/>", "not a vector file"),
        (b"<OGRVRTDataSource/>", "not a vector file"),
        (geojson(HOUSE)[:-10], "damaged, or is JSON but not GeoJSON"),
        (b"{" * 100_000, "damaged, or is JSON but not GeoJSON"),
        (b"[" * 100_000, "damaged, or is JSON but not GeoJSON"),
        (b'{"type": "Topology", "objects": {}}', "damaged"),
        (b"[1, 2]", "damaged, or is JSON but not GeoJSON"),
        (b'{"type": "FeatureCollection", "features": 5}', "damaged, or is JSON but not GeoJSON"),
        (b'{"\xff": 1}', "damaged, or is JSON but not GeoJSON"),
        (geojson(), "no polygons"),
        (geojson(shapely.Point(1, 1)), "holds points, not the outlines of buildings"),
        (geojson(HOUSE, crs=named("EPSG:999999")), "unknown CRS"),
        (geojson(HOUSE, crs={"type": "link"}), "unknown CRS"),
        (geopackage(tmp_path / "b.gpkg", shapely.Point(0, 0)), "holds points"),
        (package[: len(package) // 2], "damaged|no polygons"),
        (package[:200], "damaged"),
        (plain_sqlite(tmp_path / "c.sqlite"), "not a GeoPackage"),
    ):
        with pytest.raises(TruthError, match=reason) as caught:
            read_footprints(content, name="truth.x")
        assert str(caught.value).startswith("truth.x ")
        assert len(str(caught.value)) < 200
    for path in (tmp_path / "nowhere.geojson", tmp_path, "a\0b"):
        with pytest.raises(TruthError, match="cannot be opened"):
            read_footprints(path)


# --- onto a grid


def test_labels_are_indices_and_pixel_centres_decide(image: Raster) -> None:
    # Metres from the corner, y down: columns 10..29 and rows 20..39; 35..44 with a court; and one outside.
    def metres(left: float, top: float, right: float, bottom: float) -> Polygon:
        return box(810_000 + left, 620_000 - bottom, 810_000 + right, 620_000 - top)

    outside = metres(100, 100, 110, 110)
    house = metres(0.96, 2.04, 3.04, 3.96)  # its edges are 4 cm off the pixels': centres decide
    court = metres(3.5, 0.5, 4.5, 1.5).difference(metres(3.8, 0.8, 4.2, 1.2))
    labels = rasterize(Footprints((outside, house, court), UTM), image)
    expected = np.zeros(image.shape, np.int32)
    expected[20:40, 10:30] = 2
    expected[5:15, 35:45] = 3
    expected[8:12, 38:42] = 0
    assert labels.dtype == np.int32
    assert (labels == expected).all()


def test_the_first_of_overlapping_polygons_keeps_the_pixel() -> None:
    plane = blank(Affine(1, 0, 0, 0, -1, 0), None, (10, 10))
    labels = rasterize(Footprints((box(0, -5, 5, 0), box(2, -8, 8, 0)), None), plane)
    assert (labels[:5, :5] == 1).all()
    assert (labels[:8, 5:8] == 2).all()
    assert (labels[5:8, 2:5] == 2).all()


@pytest.mark.parametrize("crs", [UTM, CRS.from_epsg(32636), CRS.from_epsg(3857), LONLAT, CRS.from_epsg(2136)])
@pytest.mark.parametrize("rotation", [0, 25])
def test_footprints_fall_on_the_same_ground_in_any_crs(crs: CRS, rotation: float) -> None:
    (x,), (y,) = transform_points(LONLAT, crs, [-0.2], [5.6])
    (x1,), (y1,) = transform_points(LONLAT, crs, [-0.19999], [5.6])
    pixel = float(np.hypot(x1 - x, y1 - y)) / 11  # about 10 cm
    place = Affine.translation(x, y) @ Affine.rotation(rotation) @ Affine(pixel, 0, 0, 0, -pixel, 0)
    image = blank(place, crs, (100, 120))
    corners = [place @ corner for corner in ((20, 30), (70, 30), (70, 60), (20, 60))]
    lonlat = list(zip(*transform_points(crs, LONLAT, *zip(*corners, strict=True)), strict=True))
    labels = rasterize(Footprints((Polygon(lonlat),), LONLAT), image)
    expected = np.zeros(image.shape, np.int32)
    expected[30:60, 20:70] = 1
    assert (labels != expected).mean() < 1e-3


def test_footprints_that_do_not_belong(image: Raster) -> None:
    here = box(810_001, 619_995, 810_003, 619_998)
    plane = blank(Affine(0.1, 0, 0, 0, -0.1, 0), None)
    for footprints, raster, reason in (
        (Footprints((shapely.transform(here, lambda xy: xy + 1000),), UTM), image, "elsewhere on the earth"),
        (Footprints((here,), CRS.from_epsg(32736)), image, "elsewhere on the earth"),
        (Footprints((box(-200, 95, -190, 99),), LONLAT), image, "elsewhere on the earth"),
        (Footprints((here,), None), image, "have no CRS"),
        (Footprints((here,), UTM), plane, "the image has none"),
        (Footprints((box(0, 1, 5, 5),), None), plane, "elsewhere"),
    ):
        for check in (rasterize, check_overlap):
            with pytest.raises(TruthError, match=reason):
                check(footprints, raster)
    check_overlap(Footprints((here,), UTM), image)


def test_polygonize_and_rasterize_undo_each_other() -> None:
    mask = np.random.default_rng(0).random((40, 50)) < 0.5
    labels = label(mask)
    for image in (
        blank(Affine(0.1, 0, 810_000, 0, -0.1, 620_000), UTM, mask.shape),
        blank(Affine.translation(810_000, 620_000) @ Affine.rotation(30) @ Affine.scale(0.1, -0.1), UTM, mask.shape),
        blank(Affine(0.1, 0, 0, 0, -0.1, 0), None, mask.shape),
    ):
        polygons = polygonize(labels, image.transform)
        assert len(polygons) == labels.max()
        assert all(p.is_valid for p in polygons)
        areas = np.bincount(labels.ravel())[1:] * 0.01
        assert [p.area for p in polygons] == pytest.approx(areas, rel=1e-6)
        assert (rasterize(Footprints(tuple(polygons), image.crs), image) == labels).all()


def test_polygonize_parts_and_gaps() -> None:
    labels = np.zeros((8, 8), np.int32)
    labels[0, 0] = labels[1, 1] = 3
    labels[4:7, 4:7] = 1
    labels[5, 5] = 0
    ring, nothing, pair = polygonize(labels, Affine(1, 0, 0, 0, -1, 0))
    assert ring.equals(box(4, -7, 7, -4).difference(box(5, -6, 6, -5)))
    assert nothing.is_empty
    assert isinstance(pair, MultiPolygon)
    assert pair.area == 2
    assert polygonize(np.zeros((8, 8), np.int32), Affine.identity()) == []


# --- real footprints


def test_published_footprints_match_the_tiles_masks(data_dir: Path) -> None:
    folder = data_dir / "ocaic" / "train_tier_1" / "acc"
    footprints = read_footprints(folder / "d41d81-labels" / "d41d81.geojson")
    assert footprints.crs == LONLAT
    assert len(footprints.polygons) > 360
    scene = read_raster(folder / "d41d81" / "d41d81.tif")
    found = rasterize(footprints, scene) > 0
    truth = np.zeros(scene.shape, bool)
    with (data_dir / "index.csv").open(newline="") as file:
        tiles = [row for row in csv.DictReader(file) if row["dataset"] == "accra" and row["split"] == "test"]
    for tile in tiles:
        column, row = (round(v) for v in ~scene.transform @ (float(tile["x_min"]), float(tile["y_max"])))
        mask = read_raster(data_dir / tile["mask"], cm_per_px=5.18).pixels[..., 0] > 0
        truth[row : row + 1024, column : column + 1024] = mask
    assert len(tiles) == 24
    assert truth.any()
    assert (found & truth).sum() / (found | truth).sum() > 0.95


# --- writing


def blocks() -> np.ndarray:
    """A court with a hole that touches its edge in a corner, and a block of 2 x 3 px: labels 1 and 2."""
    mask = np.zeros((60, 80), bool)
    mask[10:30, 10:40] = True
    mask[15:20, 15:25] = False
    mask[10, 20] = False
    mask[11, 21] = mask[40, 41] = False
    mask[40:42, 50:53] = True
    return label(mask)


def read_back(path: Path) -> tuple[dict[str, Any], list[Any], dict[str, list[Any]]]:
    meta, _, wkb, columns = pyogrio.raw.read(path)
    return meta, list(shapely.from_wkb(wkb)), dict(zip(meta["fields"], [c.tolist() for c in columns], strict=True))


def test_a_geopackage_keeps_crs_areas_kinds_and_holes(tmp_path: Path, image: Raster) -> None:
    labels = blocks()
    write_footprints(tmp_path / "out.gpkg", labels > 0, image, kinds=["good", "false"])
    meta, polygons, columns = read_back(tmp_path / "out.gpkg")
    assert CRS.from_user_input(meta["crs"]) == UTM and meta["geometry_type"] == "Polygon"
    assert columns["kind"] == ["good", "false"]
    assert [len(p.interiors) for p in polygons] == [2, 0]
    assert columns["area_m2"] == pytest.approx([n * image.pixel_area_m2 for n in np.bincount(labels.ravel())[1:]])
    assert [p.area for p in polygons] == pytest.approx(columns["area_m2"], rel=0.003)  # UTM's scale
    again = rasterize(read_footprints(tmp_path / "out.gpkg"), image)
    assert (again == labels).all()
    assert [p.name for p in tmp_path.iterdir()] == ["out.gpkg"]


def test_confidence_is_written_next_to_the_kind(tmp_path: Path, image: Raster) -> None:
    labels = blocks()
    probability = np.where(labels == 1, np.float32(0.8), np.float32(0.6))
    kinds = ["good", "false"]
    write_footprints(tmp_path / "out.gpkg", labels > 0, image, kinds=kinds, probability=probability, min_area_m2=0.1)
    _, _, columns = read_back(tmp_path / "out.gpkg")
    assert columns["kind"] == ["good"] and columns["confidence"] == [0.8]


def test_geojson_is_that_of_the_rfc(tmp_path: Path, image: Raster) -> None:
    labels = blocks()
    write_footprints(tmp_path / "out.geojson", labels > 0, image)
    document = json.loads((tmp_path / "out.geojson").read_text())
    assert "crs" not in document or document["crs"]["properties"]["name"].endswith("CRS84")
    first, second = (shapely.geometry.shape(feature["geometry"]) for feature in document["features"])
    assert first.exterior.is_ccw and not first.interiors[0].is_ccw and len(first.interiors) == 2
    assert first.is_valid and second.is_valid
    west, north = (value[0] for value in transform_points(UTM, LONLAT, [810_000 + 5], [620_000 - 4]))
    assert second.bounds[::3] == pytest.approx((west, north), abs=2e-7)
    values = [repr(value) for x, y in second.exterior.coords for value in (x, y)]
    assert max(len(value.partition(".")[2]) for value in values) == 7
    assert list(document["features"][1]["properties"]) == ["area_m2"]
    assert document["features"][1]["properties"]["area_m2"] == pytest.approx(6 * image.pixel_area_m2)
    assert (rasterize(read_footprints(tmp_path / "out.geojson"), image) == labels).all()


def test_without_a_crs_a_geopackage_is_in_metres_and_geojson_is_refused(tmp_path: Path) -> None:
    local = blank(Affine(0.1, 0, 0, 0, -0.1, 0), crs=None)
    write_footprints(tmp_path / "out.gpkg", blocks() > 0, local)
    read = read_footprints(tmp_path / "out.gpkg")
    assert read.crs is None and read.polygons[1].bounds == pytest.approx((5.0, -4.2, 5.3, -4.0))
    assert (rasterize(read, local) == blocks()).all()
    with pytest.raises(WriteError, match="GeoPackage"):
        write_footprints(tmp_path / "out.geojson", blocks() > 0, local)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb"])
def test_an_empty_mask_is_a_file_without_features(suffix: str, tmp_path: Path, image: Raster) -> None:
    path = tmp_path / f"out{suffix}"
    write_footprints(path, np.zeros(image.shape, bool), image, kinds=[])
    assert pyogrio.read_info(path, force_feature_count=True)["features"] == 0


def test_a_folder_that_does_not_exist(tmp_path: Path, image: Raster) -> None:
    with pytest.raises(WriteError, match="folder does not exist"):
        write_footprints(tmp_path / "no" / "out.gpkg", blocks() > 0, image)


def test_kinds_stay_with_their_components(tmp_path: Path) -> None:
    """Noise over several traced bands: many components end far below where they begin."""
    mask = np.random.default_rng(0).random((300, 90)) < 0.5
    image = blank(Affine(0.1, 0, 810_000, 0, -0.1, 620_000), shape=mask.shape)
    sizes = np.bincount(label(mask).ravel())[1:]
    count = write_footprints(tmp_path / "out.gpkg", mask, image, kinds=[f"{size} px" for size in sizes])
    _, polygons, columns = read_back(tmp_path / "out.gpkg")
    assert count == len(sizes) == len(polygons)
    assert columns["kind"] == [f"{round(polygon.area * 100)} px" for polygon in polygons]
