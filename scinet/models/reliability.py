"""How often pixels of a probability are building: the curve by which a model's probabilities are judged."""

from dataclasses import dataclass
from typing import Any

from scinet import json_values


@dataclass(frozen=True)
class Reliability:
    """A model's probabilities beside what they turned out to be, at a resolution.

    Attributes:
        cm_per_px: The resolution.
        error: The expected calibration error, in [0, 1].
        points: By probability, from 0 to 1: the mean probability of some pixels, the share of them that is building,
            and their share of all pixels.
    """

    cm_per_px: float
    error: float
    points: tuple[tuple[float, float, float], ...]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Reliability":
        """Read what `dataclasses.asdict` made of one. Raises ValueError or KeyError where it is not that."""
        points = []
        for row in json_values.sequence(values["points"], "points"):
            probability, share, weight = (
                json_values.number(value, "a point") for value in json_values.sequence(row, "points")
            )
            points.append((probability, share, weight))
        return cls(
            json_values.positive(values["cm_per_px"], "cm/px"),
            json_values.number(values["error"], "error"),
            tuple(points),
        )
