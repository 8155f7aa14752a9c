"""Writes polygons as GeoParquet, which GDAL as it comes with pyogrio cannot."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
from rasterio.crs import CRS


def write_geoparquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], crs: CRS | None) -> None:
    """Write record batches whose column `geometry` holds polygons as WKB.

    Args:
        path: The file to write.
        schema: Of the batches.
        batches: The polygons and their attributes.
        crs: Of the coordinates; None for metres in a local plane.
    """
    named = None if crs is None else pyproj.CRS.from_wkt(crs.to_wkt()).to_json_dict()
    about = {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": named}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": about}}
    form = schema.with_metadata({"geo": json.dumps(geo)})
    with pq.ParquetWriter(path, form, compression="zstd") as file:
        for batch in batches:
            file.write_batch(batch.cast(form))
