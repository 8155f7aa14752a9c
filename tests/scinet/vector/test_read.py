import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from shapely import MultiPolygon, Polygon, box

from scinet.errors import TruthError
from scinet.evaluation.truth import read_truth, read_window_truth, truth_labels
from scinet.raster.scene import Scene, open_scene
from scinet.vector.annotations import AnnotatedImage
from scinet.vector.footprints import Footprints, clean_polygons, reproject
from scinet.vector.read import read_footprints, read_window_footprints

UTM, LONLAT = CRS.from_epsg(32630), CRS.from_epsg(4326)
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
# In px of the scene: within the window at (100, 100), across its edge, elsewhere in the scene.
HOUSES = [box(120, 120, 160, 150), box(80, 200, 120, 220), box(300, 300, 340, 340)]


def scene_of(crs: CRS | None = UTM) -> Scene:
    values = np.full((3, 400, 400), 90, np.uint8)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=3, height=400, width=400, dtype="uint8", crs=crs, transform=PLACE if crs else None
        ) as dataset:
            dataset.write(values)
        return open_scene(bytes(memory.read()), cm_per_px=10)


def on_ground(houses: list[Polygon], crs: CRS) -> list[Polygon]:
    placed = shapely.transform(houses, lambda xy: xy @ np.array([[0.1, 0], [0, -0.1]]) + (810_000, 620_000))
    return list(reproject(np.array(placed, dtype=object), UTM, crs))


def geojson(polygons: list[Polygon], **members: object) -> bytes:
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(p)} for p in polygons]
    return json.dumps({"type": "FeatureCollection", "features": features, **members}).encode()


def named(crs: str) -> dict[str, object]:
    return {"crs": {"type": "name", "properties": {"name": crs}}}


@pytest.mark.parametrize("kind", ["lonlat", "projected", "slip", "gpkg", "gpkg-bytes"])
def test_footprints_are_cut_at_the_window(kind: str, tmp_path: Path) -> None:
    lonlat, utm = on_ground(HOUSES, LONLAT), on_ground(HOUSES, UTM)
    source: Path | bytes = {
        "lonlat": geojson(lonlat),
        "projected": geojson(utm, **named("EPSG:32630")),
        "slip": geojson(lonlat, **named("EPSG:32636")),
    }.get(kind, b"")
    if kind.startswith("gpkg"):
        path = tmp_path / "houses.gpkg"
        pyogrio.raw.write(
            path, shapely.to_wkb(utm), field_data=[], fields=[], geometry_type="Polygon", crs="EPSG:32630"
        )
        source = path if kind == "gpkg" else path.read_bytes()
    scene = scene_of()
    window = scene.window(100, 100, 128, 128)
    truth = read_window_truth(source, window, scene, "houses")
    footprints = truth.buildings
    assert isinstance(footprints, Footprints)
    labels = truth_labels(truth, window)
    assert sorted(np.bincount(labels.ravel())[1:]) == [20 * 20, 40 * 30]
    assert (labels[20:50, 20:60] > 0).all()
    # Nothing reaches over the edge by more than a metre's rounding.
    area = sum(p.area for p in reproject(np.array(footprints.polygons, dtype=object), footprints.crs, UTM))
    assert area == pytest.approx((400 + 1200) * 0.01, rel=0.01)


def test_bare_ground_has_a_reference_and_another_place_has_none() -> None:
    scene = scene_of()
    bare = read_window_truth(
        geojson(on_ground(HOUSES, LONLAT)), scene.window(10, 10, 64, 64), scene, "houses"
    ).buildings
    assert isinstance(bare, np.ndarray) and bare.shape == (64, 64) and not bare.any()
    far = [box(10, 50, 10.001, 50.001)]
    with pytest.raises(TruthError, match="elsewhere on the earth"):
        read_window_truth(geojson(far), scene.window(10, 10, 64, 64), scene, "houses")


def test_a_plane_has_footprints_in_metres() -> None:
    scene = scene_of(crs=None)
    metres = [shapely.transform(h, lambda xy: xy * (0.1, -0.1)) for h in HOUSES]
    window = scene.window(100, 100, 128, 128)
    truth = read_window_truth(geojson(metres, crs=None), window, scene, "houses")
    assert sorted(np.bincount(truth_labels(truth, window).ravel())[1:]) == [400, 1200]
    with pytest.raises(TruthError, match="the image has none"):
        read_window_truth(geojson(on_ground(HOUSES, LONLAT)), window, scene, "houses")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"a text", "neither a mask image nor a vector file"),
        (geojson(HOUSES)[:-60], "damaged"),
        (b'{"type": "Topology", "objects": {}}', "damaged"),
        (b"SQLite format 3\0" + bytes(100), "not a GeoPackage"),
    ],
)
def test_other_files_are_refused(content: bytes, reason: str) -> None:
    scene = scene_of()
    with pytest.raises(TruthError, match=reason):
        read_window_truth(content, scene.window(100, 100, 64, 64), scene, "houses")


def test_published_labels_of_a_window(data_dir: Path) -> None:
    folder = data_dir / "ocaic" / "train_tier_1" / "acc"
    scene = open_scene(folder / "d41d81" / "d41d81.tif")
    window = scene.window(3000, 1000, 1024, 1024)
    truth = read_window_truth(folder / "d41d81-labels" / "d41d81.geojson", window, scene, "labels")
    assert 20 < truth_labels(truth, window).max() < 40


def kinds_of_files(random: np.random.Generator, folder: Path) -> dict[str, Path | bytes]:
    """Houses at random places of the scene and around it, clean and broken, twice and in 3D, in several files."""
    corners = random.uniform(-80, 460, (150, 2))
    houses: list[Any] = [box(*corner, *(corner + random.uniform(3, 60, 2))) for corner in corners]
    houses += [Polygon(c + np.array([(0, 0), (30, 30), (30, 0), (0, 30)])) for c in corners[:20]]  # cross themselves
    houses += [shapely.force_3d(house, 5.0) for house in houses[30:40]] + houses[:15]
    houses += [MultiPolygon(houses[50:52]), shapely.GeometryCollection([houses[60], shapely.Point(200, 200)])]
    houses += [shapely.Point(200, 200), Polygon(), shapely.LineString([(0, 0), (300, 300)])]
    random.shuffle(houses)
    lonlat, utm, other = (on_ground(houses, crs) for crs in (LONLAT, UTM, CRS.from_epsg(32631)))
    document = json.loads(geojson(utm))
    document["crs"] = named("EPSG:32630")["crs"]
    files: dict[str, Path | bytes] = {
        "lonlat": geojson(lonlat),
        "projected": geojson(utm, **named("EPSG:32630")),
        "crs last": json.dumps(document).encode(),
        "crs first": json.dumps({**named("EPSG:32630"), **json.loads(geojson(utm))}).encode(),
        "another zone": geojson(other, **named("EPSG:32631")),
        "slip": geojson(lonlat, **named("EPSG:32636")),
    }
    for name, polygons, crs in (("gpkg", utm, "EPSG:32630"), ("gpkg lonlat", lonlat, "EPSG:4326")):
        path = folder / f"{name}.gpkg"
        wkb = np.array([shapely.to_wkb(p, output_dimension=3) for p in polygons], dtype=object)
        pyogrio.raw.write(path, wkb, [], [], geometry_type="Unknown", crs=crs, layer="buildings")
        points = shapely.to_wkb(shapely.points(shapely.get_coordinates(polygons)[:9]))
        pyogrio.raw.write(path, points, [], [], geometry_type="Point", crs=crs, layer="trees", append=True)
        files[name] = path
    files["gpkg bytes"] = (folder / "gpkg.gpkg").read_bytes()
    return files


@pytest.mark.parametrize("seed", range(3))
def test_a_window_of_a_file_is_the_window_of_the_whole_file(seed: int, tmp_path: Path) -> None:
    """To the last digit, and in the same order."""
    random = np.random.default_rng(seed)
    scene = scene_of()
    for name, source in kinds_of_files(random, tmp_path).items():
        whole = read_footprints(source)
        assert len(whole.polygons) > 150, name
        for side in random.integers(8, 200, 6).tolist():
            window = scene.window(*random.integers(0, 400 - side, 2).tolist(), side, side).grid
            part = read_window_footprints(source, window, AnnotatedImage("", scene.grid), name)
            corners = [(0, 0), (side, 0), (side, side), (0, side)]
            outline = np.array([Polygon([window.transform @ corner for corner in corners])], dtype=object)
            wanted = clean_polygons(shapely.intersection(whole.polygons, reproject(outline, UTM, whole.crs)[0]))
            assert (part.crs if part else whole.crs) == whole.crs
            assert [p.wkb for p in (part.polygons if part else ())] == [p.wkb for p in wanted], name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (geojson(HOUSES, **named("EPSG:999999")), "unknown CRS"),
        (geojson(HOUSES), "does not hold longitudes and latitudes"),
        (geojson(HOUSES, crs=None), "have no CRS"),
        (geojson([]), "holds no polygons"),
        (geojson(HOUSES)[:-60], "damaged"),
        (b'{"type": "Topology", "objects": {}}', "damaged"),
    ],
)
def test_a_window_and_the_whole_file_are_refused_in_the_same_words(content: bytes, reason: str) -> None:
    scene = scene_of()
    window = scene.window(100, 100, 64, 64)
    with pytest.raises(TruthError, match=reason) as whole:
        read_truth(content, scene.read(), "houses")
    with pytest.raises(TruthError) as part:
        read_window_truth(content, window, scene, "houses")
    assert str(whole.value) == str(part.value)
