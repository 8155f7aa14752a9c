"""GeoPackages whose layers are views: the query of one can run for ever, or give more than the file holds."""

import sqlite3
from contextlib import closing
from pathlib import Path

from scinet.errors import TruthError


def refuse_views(path: Path, name: str) -> None:
    """Raise TruthError where a layer, or a table that describes the layers, is a view, or cannot be read.

    Args:
        path: The GeoPackage.
        name: What to call it in a message.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            kinds = dict(
                database.execute("SELECT lower(name), type FROM sqlite_master WHERE type IN ('table', 'view')")
            )
            if any(kind == "view" and table.startswith(("gpkg_", "rtree_")) for table, kind in kinds.items()):
                raise TruthError(f"{name} describes its layers by views. Save it again: ogr2ogr OUT.gpkg IN.")
            layers = [str(row[0]) for row in database.execute("SELECT table_name FROM gpkg_contents LIMIT 1000")]
    except (sqlite3.Error, UnicodeError):
        raise TruthError(f"{name} is damaged: its layers cannot be read. Save it again as a GeoPackage.") from None
    for layer in layers:
        if kinds.get(layer.lower()) == "view":
            raise TruthError(
                f"The layer {layer[:80]} of {name} is a view. Save it as a table: ogr2ogr OUT.gpkg IN {layer[:80]}."
            )
