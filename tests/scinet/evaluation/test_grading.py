import doctest

import numpy as np
import pytest

from scinet.evaluation import grading
from scinet.evaluation.grading import agreement, steps_around
from scinet.raster.raster import Raster
from scinet.raster.resolution import STEPS_CM_PER_PX


def test_doctests() -> None:
    result = doctest.testmod(grading)
    assert result.attempted == 3 and result.failed == 0


def test_native_takes_the_place_of_a_step_that_is_nearly_it() -> None:
    assert steps_around(5.05)[3:6] == [4.0, 5.05, 6.3]
    assert set(steps_around(5.18)) == {*STEPS_CM_PER_PX, 5.18}
    assert steps_around(300.0)[-1] == 300.0


def test_agreement_is_the_iou_with_the_models_own_native_mask(noise_raster: Raster) -> None:
    house, moved = np.zeros((96, 128), bool), np.zeros((96, 128), bool)
    house[16:40, 16:40] = moved[16:40, 28:52] = True
    assert agreement(house, house, noise_raster) == pytest.approx(1)
    assert agreement(moved, house, noise_raster) == pytest.approx(1 / 3, abs=1e-4)
