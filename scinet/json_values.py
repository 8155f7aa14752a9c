"""Values from JSON files that anyone may have edited: each reader checks one value, and raises ValueError alone."""

import json
import math
from typing import Any


def parse(content: str) -> Any:
    """Parse JSON. Raises ValueError where it is damaged, nested too deeply, or has text that is not Unicode."""
    try:
        value = json.loads(content)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be shown or written
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def text(value: Any, what: str) -> str:
    """A text; `what` names it in the error."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not a text")
    return value


def number(value: Any, what: str) -> float:
    """A finite number.

    Example:
        >>> number(576, "window_px")
        576.0
        >>> number("many", "tiles")
        Traceback (most recent call last):
        ...
        ValueError: tiles is not a finite number
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= 1e300:
        raise ValueError(f"{what} is not a finite number")
    return float(value)


def positive(value: Any, what: str) -> float:
    """A finite number above 0."""
    found = number(value, what)
    if found <= 0:
        raise ValueError(f"{what} is not above 0")
    return found


def whole(value: Any, what: str) -> int:
    """A whole number, which may be written as 576.0."""
    found = number(value, what)
    if not found.is_integer():
        raise ValueError(f"{what} is not a whole number")
    return int(value)


def score(value: Any, what: str) -> float:
    """A number, or NaN where nothing could be scored."""
    return math.nan if value is None or (isinstance(value, float) and math.isnan(value)) else number(value, what)


def mapping(value: Any, what: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    return value


def sequence(value: Any, what: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError(f"{what} is not a list")
    return value
