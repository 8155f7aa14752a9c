import doctest
from math import nan

import numpy as np
import pytest

from scinet.evaluation import grading
from scinet.evaluation.grading import agreement, holds_to, steps_around
from scinet.raster.raster import Raster
from scinet.raster.resolution import STEPS_CM_PER_PX


def test_doctests() -> None:
    result = doctest.testmod(grading)
    assert result.attempted == 4 and result.failed == 0


def test_native_takes_the_place_of_a_step_that_is_nearly_it() -> None:
    assert steps_around(5.05)[3:6] == [4.0, 5.05, 6.3]
    assert set(steps_around(5.18)) == {*STEPS_CM_PER_PX, 5.18}
    assert steps_around(300.0)[-1] == 300.0


def test_agreement_is_the_iou_with_the_models_own_native_mask(noise_raster: Raster) -> None:
    house, moved = np.zeros((96, 128), bool), np.zeros((96, 128), bool)
    house[16:40, 16:40] = moved[16:40, 28:52] = True
    assert agreement(house, house, noise_raster) == pytest.approx(1)
    assert agreement(moved, house, noise_raster) == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({10: 0.8, 20: 0.77, 40: 0.75}, 20),  # 0.75 is less than 0.76
        ({10: 0.8, 20: 0.5, 40: 0.8}, 10),  # a break is a break
        ({5: 0.1, 10: 0.8, 20: 0.9}, 20),  # finer than native counts nothing
        ({20: 0.8, 40: 0.8}, None),  # native has not run yet
        ({10: 0.0, 20: 0.0}, None),
        ({10: nan, 20: 0.5}, None),
        ({10: 0.8, 20: nan}, 10),
    ],
)
def test_a_model_holds_until_the_first_step_below_the_limit(scores: dict[float, float], expected: float | None) -> None:
    assert holds_to(scores, native_cm_per_px=10) == expected
