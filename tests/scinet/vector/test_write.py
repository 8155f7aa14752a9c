"""Footprints in every format that is written, read again by the libraries that others use."""

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.errors import WriteError
from scinet.raster.raster import Raster
from scinet.vector.footprint_file import write_footprints
from scinet.vector.read import read_footprints

PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SHAPE = 100, 100


UTM = CRS.from_epsg(32630)


def image(crs: CRS | None = UTM) -> Raster:
    return Raster(np.zeros((*SHAPE, 3), np.uint8), np.ones(SHAPE, bool), PLACE, crs)


def mask() -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    found[10:30, 10:30] = found[40:90, 40:90] = True
    found[60:70, 60:70] = False  # a courtyard
    return found


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".shp", ".zip", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"houses{suffix}"
    probability = np.full(SHAPE, 0.75, np.float32)
    for _ in range(2):  # the second replaces the first
        assert write_footprints(path, mask(), image(), probability=probability) == 2
    frame = gpd.read_parquet(path) if suffix == ".parquet" else gpd.read_file(path)
    assert frame.crs.to_epsg() == (4326 if suffix == ".geojson" else 32630)
    assert sorted(frame["area_m2"].round(1)) == pytest.approx([4, 24], rel=5e-3)
    assert frame["confidence"].tolist() == pytest.approx([0.75, 0.75], abs=5e-3)
    areas = sorted(frame.to_crs(32630).area)
    assert areas == pytest.approx([4, 24], rel=2e-3)
    assert len(read_footprints(path).polygons) == 2
    left = {found.name for found in tmp_path.iterdir()}
    assert left == (
        {f"houses.{part}" for part in ("shp", "shx", "dbf", "prj", "cpg")} if suffix == ".shp" else {path.name}
    )


def test_an_archive_holds_all_parts_of_a_shapefile(tmp_path: Path) -> None:
    write_footprints(tmp_path / "houses.zip", mask(), image())
    with zipfile.ZipFile(tmp_path / "houses.zip") as archive:
        assert {Path(name).suffix for name in archive.namelist()} >= {".shp", ".shx", ".dbf", ".prj"}


def test_vector_tiles_cover_the_buildings(tmp_path: Path) -> None:
    write_footprints(tmp_path / "houses.pmtiles", mask(), image())
    frame = gpd.read_file(tmp_path / "houses.pmtiles")
    drawn = shapely.union_all(frame.to_crs(32630).geometry.to_numpy())
    assert drawn.area == pytest.approx(28, rel=0.1)
    assert "area_m2" in frame.columns


def test_a_drawing_has_the_outlines(tmp_path: Path) -> None:
    assert write_footprints(tmp_path / "houses.dxf", mask(), image()) == 2
    _, _, wkb, _ = pyogrio.raw.read(tmp_path / "houses.dxf", columns=[])
    rings = shapely.from_wkb(wkb)
    assert sorted(shapely.area(shapely.polygons(shapely.get_coordinates(ring))) for ring in rings) == pytest.approx(
        [1, 4, 25]
    )


@pytest.mark.parametrize("suffix", [".shp", ".zip", ".parquet", ".dxf"])
def test_an_image_without_a_place_has_footprints_in_metres(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"houses{suffix}"
    assert write_footprints(path, mask(), image(None)) == 2
    if suffix != ".dxf":
        found = read_footprints(path)
        assert found.crs is None
        assert sorted(polygon.area for polygon in found.polygons) == pytest.approx([4, 24])
    assert write_footprints(path, np.zeros(SHAPE, bool), image(None)) == 0


def test_vector_tiles_need_a_place(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="PMTiles need a place on the earth, and the image has none"):
        write_footprints(tmp_path / "houses.pmtiles", mask(), image(None))
    with pytest.raises(WriteError, match=r"give a path that ends in .gpkg, .geojson, .fgb, .shp"):
        write_footprints(tmp_path / "houses.svg", mask(), image())
