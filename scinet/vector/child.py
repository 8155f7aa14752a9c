"""Copies and converts vector files in a bounded child, so that what it writes can be read in this process."""

from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyogrio
from rasterio.crs import CRS

from scinet.bounded_child.messages import Message
from scinet.bounded_child.process import BoundedChild, ChildError
from scinet.errors import TruthError
from scinet.vector.geoparquet import geoparquet_to_flatgeobuf
from scinet.vector.gml import gml_to_geojson

COPY_S, COPY_S_PER_MB = 15, 1
_MEMORY_BYTES = 700_000_000
_LARGE_BYTES = 10_000_000  # of a file that gets a child of its own, with memory for its size
_MOST_BYTES, _BYTES_PER_BYTE = 6_000_000_000, 60
_child = BoundedChild(__name__, _MEMORY_BYTES)


def copied(path: Path, folder: Path, name: str) -> Path:
    """A copy of a vector file in which nothing is referred to twice: a GeoPackage.

    Args:
        path: The file.
        folder: Where the copy is written.
        name: What to call the file in messages.

    Raises:
        TruthError: The file cannot be read, or takes too much memory or time.
    """
    copy = folder / "footprints.gpkg"
    _call("copy", {"path": str(path), "copy": str(copy)}, path, name)
    return copy


def converted(kind: Literal["geoparquet", "gml"], path: Path, out: Path, name: str) -> CRS | None:
    """Convert a GeoParquet file to FlatGeobuf, or a GML file to GeoJSON.

    Args:
        kind: Which of the two.
        path: The file.
        out: The file to write, which names no CRS.
        name: What to call the file in messages.

    Returns:
        The CRS of its coordinates; None where the file names none.

    Raises:
        TruthError: The file cannot be read, or takes too much memory or time.
    """
    wkt = _call(kind, {"path": str(path), "out": str(out), "name": name}, path, name).get("crs")
    return None if wkt is None else CRS.from_wkt(str(wkt))


def _call(function: str, values: dict[str, Any], path: Path, name: str) -> dict[str, Any]:
    """Run a function in the child. Raises TruthError where it fails or reaches a limit."""
    size_bytes = path.stat().st_size
    is_large = size_bytes > _LARGE_BYTES
    memory_bytes = min(_MOST_BYTES, _MEMORY_BYTES + _BYTES_PER_BYTE * size_bytes)
    child = BoundedChild(__name__, memory_bytes) if is_large else _child
    try:
        return child.call(function, values, timeout_s=COPY_S + COPY_S_PER_MB * size_bytes / 1e6).values
    except ChildError as error:
        child.close()  # with what it holds
        if error.cause == "failure":
            raise TruthError(
                f"{name} is damaged: its polygons cannot be read. Save it again: ogr2ogr OUT.gpkg IN."
            ) from None
        raise TruthError(
            f"{name} takes too much memory or time to read for its size. Save it again: ogr2ogr OUT.gpkg IN."
        ) from None
    finally:
        if is_large:
            child.close()


def geoparquet(message: Message) -> Message:
    """In the child: convert a GeoParquet file."""
    pa.set_memory_pool(pa.system_memory_pool())  # others reserve more addresses than they use
    values = message.values
    return _with_crs(geoparquet_to_flatgeobuf(Path(values["path"]), Path(values["out"]), values["name"]))


def gml(message: Message) -> Message:
    """In the child: convert a GML file."""
    values = message.values
    text, crs = gml_to_geojson(Path(values["path"]).read_bytes(), values["name"])
    Path(values["out"]).write_text(text, encoding="utf-8")
    return _with_crs(crs)


def _with_crs(crs: CRS | None) -> Message:
    return Message({"crs": crs.to_wkt() if crs else None})


def copy(message: Message) -> Message:
    """In the child: write all layers of a file to a GeoPackage."""
    path = message.values["path"]
    for layer, kind in pyogrio.list_layers(path):
        if kind is None:
            continue
        facts, table = pyogrio.read_arrow(path, layer=layer)
        pyogrio.write_arrow(
            table,
            message.values["copy"],
            driver="GPKG",
            layer=layer,
            geometry_name=facts["geometry_name"] or "wkb_geometry",
            geometry_type=facts["geometry_type"],
            crs=facts["crs"],
        )
    return Message({})
