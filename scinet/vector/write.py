"""Writes polygons to vector files, in batches, however many there are."""

import errno
import os
import shutil
import sqlite3
import struct
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS

from scinet.atomic_write import atomic_write
from scinet.errors import WriteError

if TYPE_CHECKING:  # at run time where footprints are written: masks do without
    import pyarrow as pa

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".gpkg": ("GPKG", {}),
    ".geojson": ("GeoJSON", {"RFC7946": "YES", "COORDINATE_PRECISION": "7"}),
    ".fgb": ("FlatGeobuf", {}),
    ".shp": ("ESRI Shapefile", {"ENCODING": "UTF-8"}),
    ".zip": ("ESRI Shapefile", {"ENCODING": "UTF-8"}),
    ".parquet": ("GeoParquet", {}),
    ".pmtiles": ("PMTiles", {"MINZOOM": "12", "MAXZOOM": "17"}),  # a pixel of zoom 17 is parted in 16
    ".dxf": ("DXF", {}),
}
_NEED_A_CRS = {".geojson": "GeoJSON needs longitudes and latitudes", ".pmtiles": "PMTiles need a place on the earth"}
_PARTS = (".dbf", ".shx", ".prj", ".cpg", ".shp")  # of a Shapefile

# Geometries (n,), and the columns (n,) of their properties.
Batch = tuple[NDArray[np.object_], dict[str, NDArray[Any]]]


def check_suffix(path: str | Path) -> None:
    """Raise WriteError where a path's suffix is not that of a format that can be written."""
    if Path(path).suffix not in _FORMATS:
        raise WriteError(f"{path} cannot be written: give a path that ends in {', '.join(_FORMATS)}.")


def check_vector_path(path: str | Path, crs: CRS | None) -> None:
    """Raise WriteError where a path's suffix is of a format that cannot be written, or not without a CRS."""
    check_suffix(path)
    suffix = Path(path).suffix
    if suffix in _NEED_A_CRS and crs is None:
        raise WriteError(f"{_NEED_A_CRS[suffix]}, and the image has none. Write a GeoPackage instead.")


def write_batches(
    path: str | Path, batches: Iterable[Batch], columns: dict[str, str], crs: CRS | None, geometry_type: str
) -> int:
    """Write batches of polygons as the layer "buildings". The file appears when it is complete.

    Args:
        path: Its suffix tells the format: `.gpkg` (GeoPackage), `.fgb` (FlatGeobuf), `.parquet` (GeoParquet), `.shp`
            and `.zip` (Shapefile) are in `crs`, or without one in metres of a local plane; `.geojson` is that of RFC
            7946, longitude and latitude (CRS84) with 7 decimals, a centimetre on the ground; `.pmtiles` are vector
            tiles of zooms 12 to 17; `.dxf` has outlines alone, in `crs` without its name.
        batches: Geometries (n,) and the columns (n,) of their properties.
        columns: The properties' names and numpy kinds ("f" or "O").
        crs: Of the coordinates.
        geometry_type: Of all geometries, such as "Polygon".

    Returns:
        How many polygons were written.

    Raises:
        WriteError: The file cannot be written.
    """
    import pyarrow as pa

    check_vector_path(path, crs)
    suffix = Path(path).suffix
    arrow = {"f": pa.float64(), "O": pa.string()}
    fields = [] if suffix == ".dxf" else [pa.field(name, arrow[kind]) for name, kind in columns.items()]
    schema = pa.schema([pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}), *fields])
    written = [0, 0]  # polygons, and features of the file
    problems: list[BaseException] = []

    def record_batches() -> Iterator["pa.RecordBatch"]:
        try:
            for polygons, values in batches:
                if len(polygons):
                    geometries = shapely.get_rings(polygons) if suffix == ".dxf" else polygons
                    written[0] += len(polygons)
                    written[1] += len(geometries)
                    arrays = zip([shapely.to_wkb(geometries), *(values[f.name] for f in fields)], schema, strict=True)
                    yield pa.record_batch([pa.array(array, field.type) for array, field in arrays], schema)
        except BaseException as error:  # Ctrl-C too: GDAL, which iterates, would replace it by another error
            problems.append(error)
            raise

    with _parts(Path(path)) as partial:
        try:
            if suffix == ".parquet":
                from scinet.vector.geoparquet_write import write_geoparquet

                write_geoparquet(partial, schema, record_batches(), crs)
            else:
                kind = "LineString" if suffix == ".dxf" else geometry_type
                _write_with_gdal(partial, suffix, schema, record_batches(), crs, kind)
            _check_complete(partial, written[1])
        except Exception as error:
            if problems:
                raise problems[0] from None
            if type(error).__module__.startswith(("pyogrio", "pyarrow")):
                raise OSError from error
            raise
    return written[0]


def _write_with_gdal(
    path: Path,
    suffix: str,
    schema: "pa.Schema",
    batches: Iterable["pa.RecordBatch"],
    crs: CRS | None,
    geometry_type: str,
) -> None:
    import pyarrow as pa
    import pyogrio  # here, as it imports geopandas: 100 MB, which writing a mask does not need

    driver, options = _FORMATS[suffix]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")  # metres in a local plane
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, batches),
                path,
                layer="buildings",
                driver=driver,
                geometry_name="geometry",
                geometry_type=geometry_type,
                crs=crs.to_wkt() if crs else None,
                **options,
            )
    finally:
        path.with_name(f"{path.name}.tmp.mbtiles").unlink(missing_ok=True)  # GDAL leaves it where PMTiles fail


@contextmanager
def _parts(path: Path) -> Iterator[Path]:
    """The path to write to: a temporary one, of a Shapefile in a folder, whose files then get their names together."""
    if path.suffix not in (".shp", ".zip"):
        with atomic_write(path) as partial:
            yield partial
        return
    with ExitStack() as stack:
        outer = path if path.suffix == ".zip" else path.with_suffix(_PARTS[-1])
        partial = stack.enter_context(atomic_write(outer))
        folder = Path(stack.enter_context(TemporaryDirectory(dir=path.parent, prefix=".scinet-")))
        shapefile = folder / f"{path.stem}.shp"
        yield shapefile
        found = [shapefile.with_suffix(part) for part in _PARTS if shapefile.with_suffix(part).exists()]
        if path.suffix == ".zip":
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                for part in found:
                    archive.write(part, part.name)
            return
        for part in found[:-1]:
            shutil.copyfile(part, stack.enter_context(atomic_write(path.with_suffix(part.suffix))))
        shutil.copyfile(shapefile, partial)


def _check_complete(path: Path, features: int) -> None:
    """Read back a file that was just written: drivers report no error where the disk was full when they closed it.

    Raises:
        OSError: It does not hold as many features, or lacks its end or its spatial index.
    """
    if path.suffix == ".pmtiles":  # tiles part polygons at their edges
        if _count_features(path) < min(features, 1):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return
    counts = {
        ".geojson": _count_lines,
        ".gpkg": _count_rows,
        ".parquet": _count_parquet,
        ".shp": _count_shapes,
        ".dxf": _count_outlines,
    }
    if counts.get(path.suffix, _count_features)(path) != features:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _count_lines(path: Path) -> int:
    """Features of a GeoJSON, one per line; -1 without its end. GDAL would hold all of it in memory."""
    found, last = 0, b""
    with path.open("rb") as lines:
        for last in lines:
            found += last.startswith(b'{ "type": "Feature"')
    return found if last == b"}\n" else -1


def _count_rows(path: Path) -> int:
    """Features of a GeoPackage; -1 where it is damaged or its spatial index holds other ones."""
    with closing(sqlite3.connect(path)) as database:
        try:
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (rows,) = database.execute("SELECT count(*) FROM buildings").fetchone()
            (indexed,) = database.execute("SELECT count(*) FROM rtree_buildings_geom").fetchone()
        except sqlite3.Error:
            return -1
    return int(rows) if verdict == "ok" and indexed == rows else -1


def _count_shapes(path: Path) -> int:
    """Features of a Shapefile; -1 where one of its files is shorter than its header says."""
    for part in (path, path.with_suffix(".shx")):
        with part.open("rb") as file:
            words = int.from_bytes(file.read(28)[24:], "big")
        if part.stat().st_size != 2 * words:
            return -1
    table = path.with_suffix(".dbf")
    with table.open("rb") as file:
        _, rows, head_bytes, row_bytes = struct.unpack("<4sIHH", file.read(12))
    return _count_features(path) if table.stat().st_size >= head_bytes + rows * row_bytes else -1


def _count_outlines(path: Path) -> int:
    """Outlines of a DXF; -1 without its end."""
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        return _count_features(path) if file.read() == b"EOF\n" else -1


def _count_features(path: Path) -> int:
    import pyogrio

    with pyogrio.open_arrow(path, columns=[], use_pyarrow=True) as (_, batches):
        return sum(batch.num_rows for batch in batches)


def _count_parquet(path: Path) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return sum(batch.num_rows for batch in file.iter_batches(columns=["geometry"]))
