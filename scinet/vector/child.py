"""Copies vector files in a bounded child, so that the copy can be read in this process: what runs there, and how."""

from pathlib import Path

import pyogrio

from scinet.bounded_child.messages import Message
from scinet.bounded_child.process import BoundedChild, ChildError
from scinet.errors import TruthError

COPY_S = 15
_MEMORY_BYTES = 700_000_000
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
    try:
        _child.call("copy", {"path": str(path), "copy": str(copy)}, timeout_s=COPY_S)
    except ChildError as error:
        _child.close()  # with what it holds
        if error.cause == "failure":
            raise TruthError(
                f"{name} is damaged: its polygons cannot be read. Save it again: ogr2ogr OUT.gpkg IN."
            ) from None
        raise TruthError(
            f"{name} takes too much memory or time to read for its size. Save it again: ogr2ogr OUT.gpkg IN."
        ) from None
    return copy


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
