"""Vector files that would cost minutes, or have the server ask an address."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
from shapely import box, to_wkb

from scinet.errors import TruthError
from scinet.vector.formats import MAX_BYTES
from scinet.vector.read import read_footprints
from tests.range_server import serve_files

HOUSE = [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]


def geojson(*rings: Any, crs: str = "") -> bytes:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in rings
    ]
    return (json.dumps({"type": "FeatureCollection", "features": features})[:-1] + crs + "}").encode()


def tangle(corners: int) -> Any:
    ring = np.random.default_rng(0).random((corners, 2)).tolist()
    return [*ring, ring[0]]


@pytest.mark.parametrize("rings", [[tangle(2000)], [tangle(20_000)], [tangle(60)] * 300])
def test_tangled_rings_are_refused_before_they_are_mended(rings: list[Any]) -> None:
    start = time.monotonic()
    with pytest.raises(TruthError, match="cross themselves too often"):
        read_footprints(geojson(*rings))
    assert time.monotonic() - start < 20


def test_a_bow_tie_is_mended_and_a_long_outline_with_a_slip_too() -> None:
    bow_tie = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
    angles = np.linspace(0, 2 * np.pi, 5000)
    round_ = (10 + np.column_stack([np.cos(angles), np.sin(angles)])).tolist()
    round_[100], round_[101] = round_[101], round_[100]
    assert len(read_footprints(geojson(bow_tie, round_)).polygons) == 2


def test_a_ring_with_nan_is_dropped() -> None:
    broken = [[0, 0], [float("nan"), 1], [1, 1], [1, 0], [0, 0]]
    assert len(read_footprints(geojson(broken, HOUSE)).polygons) == 1


@pytest.mark.parametrize(
    "member",
    [
        ', "crs": {"type": "name", "properties": {"name": "URL"}}',
        ', "crs": {"type": "link", "properties": {"href": "URL", "type": "ogcwkt"}}',
        ', "crs": {"type": "link", "properties": {"href": "URL", "type": "ogcwkt"}}, "x": []',
        ', "\\u0063rs": {"type": "link", "properties": {"href": "URL", "type": "ogcwkt"}}',
        ', "crs": {"type": "EPSG", "properties": {"code": [1, 2, 3, 4]}}',
    ],
)
def test_no_address_is_asked_for_a_crs(member: str) -> None:
    with serve_files({"/wkt": b"x"}) as server:
        try:
            read_footprints(geojson(HOUSE, crs=member.replace("URL", f"{server.address}/wkt")))
        except TruthError as error:
            problem = str(error)
        else:
            problem = ""
        assert "\n" not in problem and not server.asked


def test_a_layer_that_is_a_view_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    pyogrio.raw.write(
        path, to_wkb(np.array([box(0, 0, 1, 1)])), [], [], layer="houses", geometry_type="Polygon", crs="EPSG:4326"
    )
    assert len(read_footprints(path).polygons) == 1
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("ALTER TABLE houses RENAME TO hidden")
        database.execute("CREATE VIEW houses AS SELECT * FROM hidden")
        database.execute("UPDATE gpkg_contents SET table_name = 'houses'")
    with pytest.raises(TruthError, match="is a view"):
        read_footprints(path)


@pytest.mark.parametrize(
    ("file_name", "head"), [("a.geojson", b'{"type": '), ("a.gpkg", b"SQLite format 3\0"), ("a.kml", b"<kml>")]
)
def test_a_file_too_large_to_read_as_a_whole_is_refused_before_it_is_read(
    tmp_path: Path, file_name: str, head: bytes
) -> None:
    path = tmp_path / file_name
    with path.open("wb") as file:
        file.write(head)
        file.truncate(MAX_BYTES + 1)  # takes no space on the disk
    start = time.monotonic()
    with pytest.raises(TruthError, match="more than 1 GB, too much to read as a whole"):
        read_footprints(path)
    assert time.monotonic() - start < 2
