"""Which features of a vector file are buildings, by their attributes."""

from typing import Any

from scinet.errors import TruthError

_LISTED = 12


def likely_buildings(fields: dict[str, Any]) -> tuple[str | None, str | None]:
    """A condition for buildings, and the attribute that it compares, from names and numpy dtypes of attributes.

    OpenStreetMap's polygons have `building`, which other things lack; in exports it can be 0 or 1.

    Example:
        >>> likely_buildings({"osm_id": "int64", "building": "object"})[0]
        "building IS NOT NULL AND building <> '' AND building <> 'no'"
    """
    attribute = next((name for name in fields if name.lower() == "building"), None)
    if attribute is None:
        return None, None
    kind = str(fields[attribute])
    if kind == "object":
        return f"{attribute} IS NOT NULL AND {attribute} <> '' AND {attribute} <> 'no'", attribute
    if kind.startswith(("int", "float", "bool")):
        return f"{attribute} IS NOT NULL AND {attribute} <> 0", attribute
    return None, None


def unusable_condition(condition: str, name: str, fields: list[str] | None = None) -> TruthError:
    """The error for a condition that a file cannot be asked."""
    has = f" It has the attributes {', '.join(fields[:_LISTED])}." if fields else ""
    return TruthError(f'The condition "{condition[:80]}" does not fit the attributes of {name}.{has} Correct --where.')
