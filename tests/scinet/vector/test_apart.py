"""Vector files that refer to one part many times are told from others, and are read in a bounded child."""

import sqlite3
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
from shapely import Polygon, box, to_wkb

from scinet.bounded_child.process import BoundedChild
from scinet.errors import TruthError
from scinet.vector import child, layer, unpack
from scinet.vector.read import read_footprints
from scinet.vector.sound import is_sound
from tests.scinet.vector.samples import files

COUNT = 3000


def written(path: Path, count: int = COUNT) -> Path:
    houses = np.array([box(i, 0, i + 0.5, 1) for i in range(count)])
    pyogrio.raw.write(path, to_wkb(houses), [], [], geometry_type="Polygon", crs="EPSG:32630")
    return path


def with_one_page_as_all(path: Path) -> Path:
    """Every child of the root page of the layer's table is its first child."""

    with sqlite3.connect(path) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'a'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    content = bytearray(path.read_bytes())
    start = (page - 1) * size
    assert content[start] == 5  # an inner page
    cells = struct.unpack_from(">H", content, start + 3)[0]
    places = struct.unpack_from(f">{cells}H", content, start + 12)
    first = content[start + places[0] : start + places[0] + 4]
    for place in places:
        content[start + place : start + place + 4] = first
    path.write_bytes(content)
    return path


def with_one_record_many_times(path: Path) -> Path:
    index = path.with_suffix(".shx")
    content = index.read_bytes()
    index.write_bytes(content[:100] + content[100:108] * (3 * COUNT))
    return path


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were copied."""
    names: list[str] = []

    def noted(path: Path, folder: Path, name: str) -> Path:
        names.append(name)
        return child.copied(path, folder, name)

    monkeypatch.setattr(layer, "copied", noted)
    return names


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_files_as_programs_write_them_are_read_in_this_process(tmp_path: Path, suffix: str, copies: list[str]) -> None:
    assert len(read_footprints(written(tmp_path / f"a{suffix}")).polygons) == COUNT
    assert not copies


@pytest.mark.parametrize("damage, suffix", [(with_one_page_as_all, ".gpkg"), (with_one_record_many_times, ".shp")])
def test_files_that_refer_to_one_part_many_times_are_read_apart(
    tmp_path: Path, damage: Callable[[Path], Path], suffix: str, copies: list[str]
) -> None:
    path = damage(written(tmp_path / f"a{suffix}"))
    assert not is_sound(path, "geopackage" if suffix == ".gpkg" else "shapefile")
    polygons: list[object] = []
    with suppress(TruthError):  # where the driver finds that it is damaged
        polygons += read_footprints(path).polygons
    assert len(polygons) < COUNT  # duplicates are dropped
    assert copies == [path.name]


def test_a_virtual_table_or_a_computed_column_is_not_sound(tmp_path: Path) -> None:

    for number, change in enumerate(
        ["CREATE VIRTUAL TABLE more USING fts5(x)", "CREATE TABLE more (x, y GENERATED ALWAYS AS (zeroblob(900)))"]
    ):
        path = written(tmp_path / f"{number}.gpkg", count=3)
        with sqlite3.connect(path) as database:
            database.execute(change)
        database.close()
        assert not is_sound(path, "geopackage")


def test_what_is_read_apart_is_the_same(tmp_path: Path, copies: list[str]) -> None:
    ours, theirs = (read_footprints(written(tmp_path / name, count=20)) for name in ("a.fgb", "a.gpkg"))
    assert copies == ["a.fgb"]
    assert ours.crs == theirs.crs
    assert sorted(p.wkt for p in ours.polygons) == sorted(p.wkt for p in theirs.polygons)


@pytest.mark.parametrize("kind", ["geoparquet", "gml"])
def test_geoparquet_and_gml_are_converted_apart(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files(tmp_path)["GeoParquet" if kind == "geoparquet" else "GML"]
    seen: list[str] = []
    monkeypatch.setattr(unpack, "converted", lambda kind, *how: seen.append(kind) or child.converted(kind, *how))
    assert len(read_footprints(path).polygons) == 3 and seen == [kind]
    monkeypatch.setattr(child, "COPY_S", 0.001)
    monkeypatch.setattr(child, "_child", BoundedChild("scinet.vector.child", 700_000_000))
    with pytest.raises(TruthError, match="too much memory or time"):
        read_footprints(path)


def test_a_geoparquet_that_names_one_polygon_a_million_times_is_refused(tmp_path: Path) -> None:
    ring = np.random.default_rng(0).random((50, 2))
    wkb = pa.array([to_wkb(Polygon(ring).convex_hull)]).take(pa.array(np.zeros(500_000, np.int64)))
    pq.write_table(pa.table({"geometry": wkb}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    with pytest.raises(TruthError, match="unpacks to far more than its size"):
        read_footprints(tmp_path / "a.parquet")


@pytest.mark.parametrize("seconds, memory_bytes", [(0.001, 700_000_000), (60, 1_000_000)])
def test_what_reaches_a_limit_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, memory_bytes: int
) -> None:
    monkeypatch.setattr(child, "COPY_S", seconds)
    monkeypatch.setattr(child, "_child", BoundedChild("scinet.vector.child", memory_bytes))
    with pytest.raises(TruthError, match=r"too much memory or time|cannot be read"):
        read_footprints(written(tmp_path / "a.fgb"))
