"""GeoParquet files, which GDAL as it comes with pyogrio cannot read, as FlatGeobuf."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rasterio.crs import CRS
from rasterio.errors import CRSError

from scinet.errors import TruthError
from scinet.raster.crs_text import crs_from_text
from scinet.raster.resolution import has_place_on_earth

_LONLAT = CRS.from_epsg(4326)
_MAX_BYTES = 4_000_000_000  # unpacked
_LEAST_BYTES, _BYTES_PER_BYTE = 50_000_000, 40  # of its polygons: a dictionary can name one of them a million times
_BATCH_ROWS = 20_000
_EDITED = "update_time"


def geoparquet_to_flatgeobuf(path: Path, out: Path, name: str) -> CRS | None:
    """Convert the geometries and plain attributes of a GeoParquet file, a batch at a time.

    Args:
        path: The file.
        out: The file to write, which names no CRS.
        name: What to call the file in a message.

    Returns:
        The CRS of its coordinates; None where the file says that it is unknown.

    Raises:
        TruthError: It is damaged, is not GeoParquet, unpacks to too much, or names an unknown CRS.
    """
    import pyogrio

    left = max(_LEAST_BYTES, _BYTES_PER_BYTE * path.stat().st_size)
    try:
        with pq.ParquetFile(path) as file:
            column, encoding, crs = _geometry_column(file.schema_arrow, name)
            size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if size > _MAX_BYTES:
                raise TruthError(f"{name} unpacks to more than {_MAX_BYTES / 1e9:g} GB. Cut it to the image first.")
            plain = [
                pa.field(field.name, pa.string() if pa.types.is_large_string(field.type) else field.type)
                for field in file.schema_arrow
                if field.name != column and _is_plain(field.type)
            ]
            geometry = pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
            edited = [pa.field(_EDITED, pa.string())] if _has_sources(file.schema_arrow) else []
            schema = pa.schema([geometry, *plain, *edited])

            def batches() -> Iterator[pa.RecordBatch]:
                nonlocal left
                columns = [column, *(field.name for field in plain), *("sources" for _ in edited)]
                for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                    wkb = _wkb(batch.column(column), encoding)
                    left -= wkb.nbytes
                    if left < 0:
                        raise ValueError
                    values = [batch.column(field.name).cast(field.type) for field in plain]
                    yield pa.record_batch([wkb, *values, *(_edited(batch.column("sources")) for _ in edited)], schema)

            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, batches()),
                out,
                layer="footprints",
                driver="FlatGeobuf",
                geometry_name="geometry",
                geometry_type="Unknown",
                crs="EPSG:4326",  # not read: see the result
                SPATIAL_INDEX="NO",
            )
    except TruthError:
        raise
    except Exception as error:  # pyarrow's errors are of many kinds, and pyogrio passes them on as its own
        if isinstance(error, MemoryError):
            raise
        if left < 0:
            raise TruthError(f"{name} unpacks to far more than its size. Save it again: ogr2ogr OUT.gpkg IN.") from None
        raise TruthError(
            f"{name} is damaged: its polygons cannot be read. Save it again as GeoParquet or GeoPackage."
        ) from None
    return crs


def _has_sources(schema: pa.Schema) -> bool:
    """Whether there is a column of sources with dates, as in Overture Maps, and none of dates."""
    if "sources" not in schema.names or _EDITED in schema.names:
        return False
    kind = schema.field("sources").type
    return (
        pa.types.is_list(kind)
        and pa.types.is_struct(kind.value_type)
        and any(f.name == _EDITED for f in kind.value_type)
    )


def _edited(sources: Any) -> Any:
    """The date of each feature's first source."""
    return pa.array([str(each[0].get(_EDITED) or "") if each else None for each in sources.to_pylist()], pa.string())


def _geometry_column(schema: pa.Schema, name: str) -> tuple[str, str, CRS | None]:
    """The name, encoding and CRS of the column of polygons."""
    metadata = (schema.metadata or {}).get(b"geo")
    if metadata is None:
        found = next((each for each in ("geometry", "geom", "wkb_geometry") if each in schema.names), None)
        if found is None or not pa.types.is_binary(schema.field(found).type):
            raise TruthError(f"{name} is a Parquet file without a column of polygons. Save it as GeoParquet.")
        return found, "WKB", _LONLAT
    facts = json.loads(metadata)
    column = facts["primary_column"]
    about = facts["columns"][column]
    if "crs" not in about:
        return column, about["encoding"], _LONLAT
    if about["crs"] is None:
        return column, about["encoding"], None
    try:
        crs = crs_from_text(json.dumps(about["crs"]))
    except CRSError:
        raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None
    return column, about["encoding"], crs if has_place_on_earth(crs) else None


def _is_plain(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
    )


def _wkb(column: Any, encoding: str) -> Any:
    if encoding == "WKB":
        return column.cast(pa.binary())
    import shapely

    if encoding.lower() not in ("polygon", "multipolygon"):
        return pa.nulls(len(column), pa.binary())
    depth = 2 if encoding.lower() == "polygon" else 3

    def rings(value: Any, level: int) -> Any:
        if level == 0:
            return (value["x"], value["y"]) if isinstance(value, dict) else tuple(value[:2])
        return [rings(each, level - 1) for each in value]

    found: list[bytes | None] = []
    for value in column.to_pylist():
        if not value:
            found.append(None)
            continue
        parts = [rings(value, depth)] if depth == 2 else rings(value, depth)
        polygons = [shapely.Polygon(part[0], part[1:]) for part in parts]
        found.append(shapely.to_wkb(polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)))
    return pa.array(found, pa.binary())
