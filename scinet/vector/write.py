"""Writes polygons to GeoPackage, GeoJSON and FlatGeobuf, in batches, however many there are."""

import errno
import os
import sqlite3
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS

from scinet.atomic_write import atomic_write
from scinet.errors import WriteError

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".gpkg": ("GPKG", {}),
    ".geojson": ("GeoJSON", {"RFC7946": "YES", "COORDINATE_PRECISION": "7"}),
    ".fgb": ("FlatGeobuf", {}),
}
_GEOMETRY = pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
_ARROW = {"f": pa.float64(), "O": pa.string()}

# Geometries (n,), and the columns (n,) of their properties.
Batch = tuple[NDArray[np.object_], dict[str, NDArray[Any]]]


def check_suffix(path: str | Path) -> None:
    """Raise WriteError where a path's suffix is not that of a format that can be written."""
    if Path(path).suffix not in _FORMATS:
        raise WriteError(f"{path} cannot be written: give a path that ends in {', '.join(_FORMATS)}.")


def check_vector_path(path: str | Path, crs: CRS | None) -> None:
    """Raise WriteError where a path's suffix is of a format that cannot be written, or not without a CRS."""
    check_suffix(path)
    if Path(path).suffix == ".geojson" and crs is None:
        raise WriteError("GeoJSON needs longitudes and latitudes, and the image has none. Write a GeoPackage instead.")


def write_batches(
    path: str | Path, batches: Iterable[Batch], columns: dict[str, str], crs: CRS | None, geometry_type: str
) -> int:
    """Write batches of polygons as the layer "buildings". The file appears when it is complete.

    Args:
        path: Its suffix tells the format: `.gpkg` (GeoPackage) and `.fgb` (FlatGeobuf) are in `crs`, or without one in
            metres of a local plane; `.geojson` is that of RFC 7946, longitude and latitude (CRS84) with 7 decimals, a
            centimetre on the ground.
        batches: Geometries (n,) and the columns (n,) of their properties.
        columns: The properties' names and numpy kinds ("f" or "O").
        crs: Of the coordinates.
        geometry_type: Of all geometries, such as "Polygon".

    Returns:
        How many polygons were written.

    Raises:
        WriteError: The file cannot be written.
    """
    import pyogrio  # here, as it imports geopandas: 100 MB, which writing a mask does not need
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    check_vector_path(path, crs)
    driver, options = _FORMATS[Path(path).suffix]
    schema = pa.schema([_GEOMETRY, *(pa.field(name, _ARROW[kind]) for name, kind in columns.items())])
    written = [0]
    problems: list[BaseException] = []

    def record_batches() -> Iterator[pa.RecordBatch]:
        try:
            for geometries, values in batches:
                if len(geometries):
                    written[0] += len(geometries)
                    arrays = zip([shapely.to_wkb(geometries), *(values[name] for name in columns)], schema, strict=True)
                    yield pa.record_batch([pa.array(array, field.type) for array, field in arrays], schema)
        except BaseException as error:  # Ctrl-C too: GDAL, which iterates, would replace it by another error
            problems.append(error)
            raise

    with atomic_write(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # metres in a local plane
        try:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, record_batches()),
                partial,
                layer="buildings",
                driver=driver,
                geometry_name="geometry",
                geometry_type=geometry_type,
                crs=crs.to_wkt() if crs else None,
                **options,
            )
            _check_complete(partial, written[0])
        except Exception as error:
            if problems:
                raise problems[0] from None
            if isinstance(error, DataLayerError | DataSourceError | FeatureError):
                raise OSError from error
            raise
    return written[0]


def _check_complete(path: Path, features: int) -> None:
    """Read back a file that was just written: drivers report no error where the disk was full when they closed it.

    Raises:
        OSError: It does not hold as many features, or lacks its end or its spatial index.
    """
    counts = {".geojson": _count_lines, ".gpkg": _count_rows}.get(path.suffix, _count_features)
    if counts(path) != features:
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


def _count_features(path: Path) -> int:
    import pyogrio

    with pyogrio.open_arrow(path, columns=[], use_pyarrow=True) as (_, batches):
        return sum(batch.num_rows for batch in batches)
