import doctest

import pytest

from scinet import progress
from scinet.progress import time_left


def test_the_example() -> None:
    assert doctest.testmod(progress).failed == 0


@pytest.mark.parametrize(
    ("done", "elapsed_s", "text"),
    [
        (0.5, 0.9, ""),  # just begun
        (0.019, 60, ""),
        (0.5, 99, "about 99 s left"),
        (0.5, 150, "about 2 min left"),
        (0.1, 3600, "about 9 h left"),
        (1.0, 5, "about 0 s left"),
    ],
)
def test_the_time_left_is_told_once_the_speed_is_known(done: float, elapsed_s: float, text: str) -> None:
    assert time_left(done, elapsed_s) == text
