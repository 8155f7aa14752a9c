"""What a reader says about a vector file where it leaves open which of its features are buildings."""

import re
from dataclasses import dataclass

from scinet.errors import TruthError

MAX_CHARACTERS = 500
# A condition of a user goes to GDAL and SQLite: no functions and no queries, which can run for ever.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>"[^"\0]{1,100}"|[A-Za-z_][\w:@.]*)
        |'(?:[^'\0]|'')*'
        |[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?
        |<>|!=|<=|>=|=|<|>|,|(?P<open>\()|\)
    )""",
    re.VERBOSE,
)
_WORDS = {"and", "or", "not", "is", "null", "in", "like", "ilike", "between", "true", "false"}
_QUERIES = {"select", "with", "union", "case", "cast", "exists", "glob", "match", "regexp"}


@dataclass(frozen=True)
class VectorChoice:
    """Which layer and which features of a vector file are the reference buildings.

    Attributes:
        layer: The layer's name; None: the only one with polygons.
        where: A condition on the attributes, such as `building = 'yes'`; "none": all features; None: the likeliest.

    Raises:
        TruthError: The condition is more than comparisons of attributes with values.

    Example:
        >>> VectorChoice(where="height >= 3 AND building IS NOT NULL").attributes
        ('height', 'building')
    """

    layer: str | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        if self.where is not None and self.where != "none":
            _names_in(self.where)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that the condition compares, in their order."""
        return () if self.where in (None, "none") else _names_in(str(self.where))


def _names_in(where: str) -> tuple[str, ...]:
    """The attributes in a condition; TruthError where it is more than comparisons."""
    names: list[str] = []
    place, is_name = 0, False
    text = where.rstrip()
    while place < len(text):
        token = _TOKEN.match(text, place)
        is_call = token is not None and token["open"] is not None and is_name
        word = (token["name"] or "") if token else ""
        if token is None or is_call or word.lower() in _QUERIES or len(where) > MAX_CHARACTERS:
            raise TruthError(
                f'"{where[:80]}" cannot be used as a condition. Compare attributes with values, such as '
                '--where "building IS NOT NULL" or --where "height >= 3 AND type = \'house\'".'
            )
        is_name = bool(word) and word.lower() not in _WORDS
        if is_name:
            names.append(word.strip('"'))
        place = token.end()
    return tuple(dict.fromkeys(names))
