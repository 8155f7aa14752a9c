import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import shapely

from scinet.errors import TruthError
from scinet.raster.scene import Scene, open_scene
from scinet.vector.footprints import LONLAT, reproject
from tests.published import PLACE, UTM, publish, write_labels
from training.prepare.labels import read_labels


def lonlat(*polygons_px: shapely.Polygon) -> list:
    moved = shapely.transform(np.array(polygons_px, dtype=object), lambda xy: np.array([PLACE @ point for point in xy]))
    return list(reproject(moved, UTM, LONLAT))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    grey = np.full((600, 600, 4), 255, np.uint8)
    return open_scene(publish(tmp_path, "acc", "aaa", grey, [shapely.box(0, 0, 9, 9)]))


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:32630", "urn:ogc:def:crs:EPSG::4326"])
def test_dirty_labels_are_mended_and_counted(scene: Scene, crs: str) -> None:
    bow_tie = shapely.Polygon([(100, 100), (140, 140), (140, 100), (100, 140)])
    dirty = [
        shapely.box(0, 0, 20, 20),
        bow_tie,
        shapely.box(0, 0, 20, 20),
        shapely.box(20, 20, 0, 0),
        shapely.box(900, 900, 990, 990),
        shapely.MultiPolygon([shapely.box(50, 0, 60, 10), shapely.box(70, 0, 80, 10)]),
        shapely.Polygon([(5, 5), (9, 9), (5, 5)]),
    ]
    path = write_labels(Path(scene.source), [*lonlat(*dirty), shapely.Point(-0.2, 5.6), None], crs)
    labels = read_labels(path, scene)
    assert asdict(labels.counts) == {
        "features": 9,
        "buildings": 4,
        "invalid": 1,
        "duplicates": 2,
        "dropped": 3,
        "outside": 1,
    }
    assert sorted(round(polygon.area) for polygon in labels.polygons) == [200, 400, 800]
    assert [round(p.area) for p in labels.within(90, 90, 100, 100)] == [800]
    assert len(labels.within(300, 300, 100, 100)) == 0 and len(labels.within(0, 0, 600, 600)) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "damaged"),
        ("<html>", "not a vector file that can be read"),
        ('{"type": "FeatureCollection", "features": []}', "holds no polygons"),
        (json.dumps({"type": "FeatureCollection", "features": [], "crs": {"type": "name", "properties": {}}}), "CRS"),
        (json.dumps(shapely.geometry.mapping(shapely.box(30, 30, 31, 31))), "lies elsewhere"),
        (json.dumps(shapely.geometry.mapping(shapely.box(8e5, 6e6, 9e5, 7e6))), "not hold longitudes"),
    ],
)
def test_labels_that_cannot_be_read(scene: Scene, tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "labels.geojson"
    path.write_text(content)
    with pytest.raises(TruthError, match=reason):
        read_labels(path, scene)


def test_a_label_file_cut_short(scene: Scene) -> None:
    boxes = [shapely.box(x, x, x + 3, x + 3) for x in range(0, 500, 2)]
    path = write_labels(Path(scene.source), lonlat(*boxes))
    path.write_text(path.read_text()[:9000])
    with pytest.raises(TruthError, match="damaged"):
        read_labels(path, scene)
