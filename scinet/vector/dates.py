"""When buildings of OpenStreetMap and Overture Maps were last edited: the image may show another time."""

import re
from datetime import date
from typing import Any

import pyogrio

# As exports of OpenStreetMap and Overture Maps call the date of a feature's last change
ATTRIBUTES = ("@timestamp", "timestamp", "osm_timestamp", "@lastedit", "update_time")

_MOST_FEATURES = 100_000
_DATE = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})")


def date_note(path: str, attribute: str, how: dict[str, Any], name: str, taken: date | None) -> str | None:
    """What to say of the dates of a layer's features; None where they have none.

    Args:
        path: What GDAL calls the file.
        attribute: The one that holds the dates.
        how: The layer and condition for pyogrio.
        name: What to call the file.
        taken: The date of the image, or None.
    """
    _, _, _, fields = pyogrio.raw.read(
        path, **{**how, "columns": [attribute], "read_geometry": False, "max_features": _MOST_FEATURES}
    )
    found = sorted(day for value in (fields[0] if fields else ()) if (day := _day(str(value))) is not None)
    if not found:
        return None
    first, middle, last = found[0], found[len(found) // 2], found[-1]
    edited = f"on {first}" if first == last else f"between {first} and {last}, half of them by {middle}"
    image = f"the image is dated {taken}" if taken else "the image does not say when it was taken"
    return f"The buildings of {name} were last edited {edited}; {image}. What changed in between counts as an error."


def _day(text: str) -> date | None:
    match = _DATE.match(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
