"""Measures of doubt."""

from dataclasses import replace

import numpy as np
import pytest

from scinet.models.model import Model
from scinet.raster.raster import Raster
from training.doubt import auroc, found_in_most_doubtful, measures


def test_a_measure_without_information_finds_wrong_pixels_by_chance() -> None:
    random = np.random.default_rng(0)
    wrong = random.random((100, 100)) < 0.2
    doubt = random.random((100, 100)).astype(np.float32)
    assert auroc(doubt, wrong) == pytest.approx(0.5, abs=0.03)
    assert found_in_most_doubtful(doubt, wrong) == pytest.approx(0.1, abs=0.03)


def test_a_measure_that_knows_finds_them() -> None:
    wrong = np.zeros((100, 100), bool)
    wrong[:5] = True
    assert auroc(wrong.astype(np.float32), wrong) == 1
    assert found_in_most_doubtful(wrong.astype(np.float32), wrong) == 1


def test_a_network_that_does_not_mind_turns_has_no_doubt_by_them(brightness_model: Model, noise_raster: Raster) -> None:
    square = replace(noise_raster, pixels=noise_raster.pixels[:64, :64], valid=noise_raster.valid[:64, :64])
    probability, found = measures(brightness_model, square)
    assert found["turns"].max() < 1e-6
    assert found["near the threshold"] == pytest.approx(np.minimum(probability, 1 - probability))
