"""The same image as GeoPackage, MBTiles, PMTiles and folder: the same pixels at the same place."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from scinet.errors import GsdMissingError, NodataError, RasterError
from scinet.raster.choice import ImageChoice, parse_crs
from scinet.raster.pyramid import database
from scinet.raster.pyramid.matrix import web_mercator_matrix
from scinet.raster.scene import open_scene, read_raster
from tests.png import png
from tests.scinet.raster.pyramid.samples import (
    COLUMN,
    ROW,
    ZOOM,
    pixels,
    pmtiles,
    tiles,
    write_folder,
    write_mbtiles,
)

Make = Callable[[Path], Any]
MATRIX = web_mercator_matrix(ZOOM, 256)
CORNER = MATRIX.x + 256 * COLUMN * MATRIX.x_per_px, MATRIX.y - 256 * ROW * MATRIX.y_per_px


def geopackage(path: Path, **options: Any) -> Path:
    """As GDAL writes it."""
    profile = {"count": 3, "height": 512, "width": 768, "dtype": "uint8", "crs": "EPSG:3857", "TILE_FORMAT": "PNG"}
    place = from_origin(*CORNER, MATRIX.x_per_px, MATRIX.y_per_px)
    with rasterio.open(path, "w", driver="GPKG", **(profile | {"transform": place} | options)) as dataset:
        dataset.write(np.moveaxis(pixels(), -1, 0))
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


KINDS: dict[str, Make] = {
    "GeoPackage": lambda folder: geopackage(folder / "a.gpkg"),
    "GeoPackage as bytes": lambda folder: geopackage(folder / "a.gpkg").read_bytes(),
    "MBTiles": lambda folder: write_mbtiles(folder / "a.mbtiles", tiles()),
    "MBTiles as a view": lambda folder: write_mbtiles(folder / "a.mbtiles", tiles(), as_view=True),
    "MBTiles as bytes": lambda folder: write_mbtiles(folder / "a.mbtiles", tiles()).read_bytes(),
    "PMTiles": lambda folder: written(folder / "a.pmtiles", pmtiles(tiles())),
    "PMTiles as bytes": lambda _: pmtiles(tiles()),
    "folder": lambda folder: write_folder(folder / "a", tiles()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_whole_and_in_its_place(kind: str, tmp_path: Path) -> None:
    scene = open_scene(KINDS[kind](tmp_path))
    whole = scene.read()
    assert (whole.pixels == pixels()).all() and whole.valid.all()
    np.testing.assert_allclose((scene.transform.c, scene.transform.f), CORNER, atol=1e-6)
    assert scene.crs is not None and scene.crs.to_epsg() == 3857
    assert scene.cm_per_px == pytest.approx(59.4, abs=0.2)
    part = scene.window(300, 200, 100, 80)
    assert (part.pixels == pixels()[200:280, 300:400]).all()
    rows = list(scene.rows(scene.cm_per_px).bands(130))
    assert rows[0].top <= 130 < rows[0].bottom and rows[-1].bottom == scene.height
    assert (np.concatenate([band.values for band in rows]) == whole.pixels[rows[0].top :]).all()


@pytest.mark.parametrize("kind", ["MBTiles", "GeoPackage", "folder"])
def test_the_overview_shows_what_area_means_show(kind: str, tmp_path: Path) -> None:
    found = open_scene(KINDS[kind](tmp_path)).overview(96)
    means = pixels().reshape(64, 8, 96, 8, 3).mean(axis=(1, 3))
    assert found.shape == (64, 96) and found.valid.all()
    assert np.abs(found.pixels - means).max() <= 1.5


def test_a_zoom_and_bounds_choose_a_part(tmp_path: Path) -> None:
    path = write_mbtiles(tmp_path / "a.mbtiles", tiles())
    scene = open_scene(path, choice=ImageChoice(zoom=17))
    assert scene.cm_per_px == pytest.approx(118.8, abs=0.4)
    middle = (-0.2975, 5.5755, -0.2960, 5.5770)
    part = open_scene(path, choice=ImageChoice(bounds=middle))
    assert part.width == pytest.approx(0.0015 / 360 * 2**ZOOM * 256, abs=1.5)
    left, top = (
        round(value) for value in ~from_origin(*CORNER, *(MATRIX.x_per_px,) * 2) @ (part.transform.c, part.transform.f)
    )
    assert (part.read().pixels == pixels()[top : top + part.height, left : left + part.width]).all()
    with pytest.raises(RasterError, match=r"has no zoom 25; it has 17 to 18\. Choose one with --zoom N\."):
        open_scene(path, choice=ImageChoice(zoom=25))
    with pytest.raises(RasterError, match=r"lies at -0\.298 to -0\.2938. degrees east.*--bounds"):
        open_scene(path, choice=ImageChoice(bounds=(10, 10, 11, 11)))


def test_the_bounds_of_mbtiles_count_where_they_are_narrower_than_the_tiles(tmp_path: Path) -> None:
    whole = open_scene(write_mbtiles(tmp_path / "a.mbtiles", tiles(), bounds="-180,-85,180,85"))
    assert whole.grid.shape == (512, 768)
    part = open_scene(write_mbtiles(tmp_path / "b.mbtiles", tiles(), bounds="-0.2975,5.5755,-0.2960,5.5770"))
    assert part.width == pytest.approx(280, abs=2)


def test_rows_of_a_folder_that_count_from_the_south(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", tiles(), from_south=True)
    assert "count from the north" in open_scene(folder).notes[0]
    assert (open_scene(folder, choice=ImageChoice(tms=True)).read().pixels == pixels()).all()
    (folder / "tilemapresource.xml").write_text("<TileMap/>")
    scene = open_scene(folder)
    assert "count from the south" in scene.notes[0] and (scene.read().pixels == pixels()).all()


def test_a_link_that_leads_out_of_a_folder_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", tiles())
    tile = folder / str(ZOOM) / str(COLUMN) / f"{ROW}.png"
    elsewhere = tmp_path / "secret.png"
    tile.rename(elsewhere)
    tile.symlink_to(elsewhere)
    with pytest.raises(RasterError, match="is a link that leads out of it"):
        open_scene(folder).read()


def test_missing_tiles_are_nodata(tmp_path: Path) -> None:
    held = {place: content for place, content in tiles().items() if place[:2] != (ZOOM, COLUMN + 1)}
    scene = open_scene(write_mbtiles(tmp_path / "a.mbtiles", held))
    assert scene.read().valid.mean() == pytest.approx(2 / 3)
    with pytest.raises(NodataError, match="holds no image at column 300, row 10"):
        scene.window(300, 10, 64, 64)


def test_bands_and_nodata_are_chosen(tmp_path: Path) -> None:
    path = write_mbtiles(tmp_path / "a.mbtiles", tiles())
    turned = read_raster(path, choice=ImageChoice(bands=(3, 2, 1)))
    assert (turned.pixels == pixels()[..., ::-1]).all()
    with pytest.raises(RasterError, match="has 3 bands"):
        open_scene(path, choice=ImageChoice(bands=(4, 3, 2)))
    with pytest.raises(RasterError, match="Leave --stretch out"):
        open_scene(path, choice=ImageChoice(stretch=(0, 100)))
    white = write_mbtiles(tmp_path / "b.mbtiles", {(ZOOM, COLUMN, ROW): png(np.full((256, 256, 3), 255, np.uint8))})
    with pytest.raises(NodataError):
        read_raster(white, choice=ImageChoice(nodata=255))


def test_a_geopackage_in_another_crs_and_with_several_images(tmp_path: Path) -> None:
    utm = {"crs": "EPSG:32630", "transform": from_origin(810_000, 620_000, 0.1, 0.1)}
    path = geopackage(tmp_path / "a.gpkg", RASTER_TABLE="first", **utm)
    geopackage(path, RASTER_TABLE="second", APPEND_SUBDATASET="YES", **utm)
    scene = open_scene(path)
    assert scene.crs is not None and scene.crs.to_epsg() == 32630 and scene.cm_per_px == pytest.approx(9.99, abs=0.01)
    assert scene.notes == ("a.gpkg has 2 images: first, second. Number 1 is read; choose another with --page N.",)
    assert (open_scene(path, choice=ImageChoice(page=2)).read().pixels == pixels()).all()
    with pytest.raises(RasterError, match="has 2 images, so page 3"):
        open_scene(path, choice=ImageChoice(page=3))


@pytest.mark.parametrize("srs_id", [0, -1])
def test_a_geopackage_without_a_crs_asks_for_one(srs_id: int, tmp_path: Path) -> None:
    path = geopackage(tmp_path / "a.gpkg", crs="EPSG:32630", transform=from_origin(810_000, 620_000, 0.1, 0.1))
    with closing(sqlite3.connect(path)) as opened, opened:
        for (trigger,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            opened.execute(f'DROP TRIGGER "{trigger}"')
        opened.execute("UPDATE gpkg_tile_matrix_set SET srs_id = ?", (srs_id,))
    with pytest.raises(GsdMissingError, match="names no CRS"):
        open_scene(path)
    assert open_scene(path, choice=ImageChoice(crs=parse_crs("EPSG:32630"))).cm_per_px == pytest.approx(9.99, abs=0.01)
    assert open_scene(path, cm_per_px=10).crs is None


def damaged_pmtiles(**changes: Any) -> bytes:
    content = bytearray(pmtiles(tiles()))
    for at, value in changes.items():
        content[int(at[1:])] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pmtiles(tiles(), kind=1), "has vector tiles"),
        (damaged_pmtiles(_7=2), "not a PMTiles file of version 3"),
        (damaged_pmtiles(_97=3), "not compressed by gzip"),
        (damaged_pmtiles(_101=90), "no possible zooms"),
        (damaged_pmtiles(_140=7), "damaged"),
        (pmtiles(tiles())[:4000], "damaged"),
        (pmtiles(tiles(), bounds=(5.0, 5.0, 4.0, 4.0)), "no possible bounds"),
        (pmtiles({(18, 1, 1): b"a text"}), "a tile that is not a PNG, JPEG or WebP"),
        (pmtiles({(18, 1, 1): png(np.zeros((16, 32, 3), np.uint8))}), "not square"),
    ],
)
def test_pmtiles_that_cannot_be_read(content: bytes, reason: str) -> None:
    with pytest.raises(RasterError, match=reason):
        open_scene(content, name="a.pmtiles").read()


@pytest.mark.parametrize(
    ("metadata", "held", "reason"),
    [
        ({"format": "pbf"}, tiles(), "vector tiles"),
        ({}, {}, "it has no tiles"),
        ({}, {(18, 0, 0): b"GIF89a"}, "not a PNG, JPEG or WebP"),
        ({}, {(18, 0, 0): png(np.zeros((256, 256), np.uint16))}, "more than 8 bits"),
    ],
)
def test_mbtiles_that_cannot_be_read(metadata: dict[str, str], held: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RasterError, match=reason):
        open_scene(write_mbtiles(tmp_path / "a.mbtiles", held, **metadata))


HOSTILE = {
    "endless": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i, i, NULL FROM n",
    "large": "SELECT 1, 1, 1, zeroblob(1000000000)",
    "file": "SELECT 1, 1, 1, readfile('/etc/passwd')",
    "crossed": "SELECT a.rowid, 0, 0, NULL FROM big a, big b, big c, big d, big e, big f",
}


@pytest.mark.parametrize("view", HOSTILE)
def test_a_view_that_computes_is_not_asked(view: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_MOST_LOOKS", 50)
    path = tmp_path / "a.mbtiles"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        opened.execute("CREATE TABLE big (x INT)")
        opened.executemany("INSERT INTO big VALUES (?)", [(n,) for n in range(100)])
        opened.execute(f"CREATE VIEW tiles (zoom_level, tile_column, tile_row, tile_data) AS {HOSTILE[view]}")
    with pytest.raises(RasterError, match=r"a\.mbtiles (is damaged|takes too long)"):
        open_scene(path)


def test_a_geopackage_of_polygons_and_another_database_are_no_images(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE a (b INT)")
    with pytest.raises(RasterError, match="a database without an image"):
        open_scene(path)
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE gpkg_contents (table_name, data_type, min_x, min_y, max_x, max_y)")
    with pytest.raises(RasterError, match="a GeoPackage without an image"):
        open_scene(path)


def test_a_folder_without_tiles_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    with pytest.raises(RasterError, match="is a folder"):
        open_scene(tmp_path)
