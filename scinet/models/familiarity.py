"""Whether a model has seen anything like an image.

The means of an encoder's channels over a window say what kind of thing it shows. Their distance from those of the
training, each in multiples of its deviation there (a Mahalanobis distance with a diagonal covariance, Lee et al. 2018,
arXiv:1807.03888), tells some photographs of other things from places; docs/training.md says how many.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet import json_values

Floats = NDArray[np.float64]
_LEAST_SCALE = 1e-3  # of a channel that training hardly moves


class Distance(NamedTuple):
    """How far an image is from a model's training.

    Attributes:
        value: The median over its windows; 1 is what 99 % of the training's windows stay below.
        limit: Beyond it, the image is unlike anything on which estimates were measured.
    """

    value: float
    limit: float

    @property
    def is_unlike(self) -> bool:
        """Whether nothing is known about such images."""
        return self.value > self.limit


def unlike_text(by_model: Mapping[str, Distance | None]) -> str:
    """A sentence on the models for which an image is unlike their training, by title; "" if it is for none.

    >>> unlike_text({"UNet": Distance(2.04, 1.5), "HRNet": Distance(1.2, 1.5), "mine": None}).partition(":")[0]
    'This image is unlike anything that was seen in the training and the trials of UNet (distance 2.04, limit 1.50)'
    """
    unlike = [
        f"{model} (distance {distance.value:.2f}, limit {distance.limit:.2f})"
        for model, distance in by_model.items()
        if distance is not None and distance.is_unlike
    ]
    if not unlike:
        return ""
    return (
        f"This image is unlike anything that was seen in the training and the trials of {', '.join(unlike)}: the mask "
        "may be wrong anywhere, and no estimate or promise holds for it."
    )


@dataclass(frozen=True)
class Familiarity:
    """What the channel means of an encoder are like in the windows of its training.

    Attributes:
        statistics: float16 (2, C) in base64: the mean of each of C channels, and its standard deviation.
        usual: The distance that 99 % of the training's windows stay below.
        limit: See `Distance`.
    """

    statistics: str
    usual: float = 1.0
    limit: float = 1.0

    @property
    def channels(self) -> int:
        """How many there are."""
        return len(self._mean_and_scale[0])

    def distances(self, channel_means: Floats) -> Floats:
        """The distance of each window, (N,), of channel means (N, C), in multiples of `usual`."""
        mean, scale = self._mean_and_scale
        distances: Floats = np.sqrt((((channel_means - mean) / scale) ** 2).mean(axis=1))
        return distances / self.usual

    def distance(self, channel_means: Floats) -> Distance:
        """That of an image, from the channel means (N, C) of its windows, at least one."""
        return Distance(float(np.median(self.distances(channel_means))), self.limit)

    @cached_property
    def _mean_and_scale(self) -> Floats:
        """The statistics, float64 (2, C). Raises ValueError where they have another size or are not finite."""
        try:
            values = np.frombuffer(base64.b64decode(self.statistics, validate=True), "<f2").astype(np.float64)
        except binascii.Error as error:
            raise ValueError("statistics are not in base64") from error
        if not len(values) or len(values) % 2:
            raise ValueError("statistics are not two numbers for each channel")
        mean, scale = values.reshape(2, -1)
        if not np.isfinite(values).all() or not (scale > 0).all():
            raise ValueError("statistics are not finite, or a deviation is not above 0")
        return np.stack([mean, scale])

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Familiarity":
        """Read what `dataclasses.asdict` made of one. Raises ValueError or KeyError where it is not that."""
        read = cls(
            json_values.text(values["statistics"], "statistics"),
            *(json_values.positive(values[name], name) for name in ("usual", "limit")),
        )
        _ = read._mean_and_scale
        return read


def fit_familiarity(channel_means: Floats, limit: float = 1.0) -> Familiarity:
    """The statistics of training windows.

    Args:
        channel_means: float64 (N, C), of N windows of the training.
        limit: See `Distance`.
    """
    statistics = np.stack([channel_means.mean(axis=0), np.maximum(channel_means.std(axis=0), _LEAST_SCALE)])
    fitted = Familiarity(base64.b64encode(statistics.astype("<f2").tobytes()).decode(), limit=limit)
    usual = float(np.quantile(fitted.distances(channel_means), 0.99))
    return replace(fitted, usual=float(f"{usual:.4g}"))
