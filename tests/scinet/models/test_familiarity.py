"""Distances of channel means from those of a training."""

import base64
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from scinet.models.familiarity import Distance, Familiarity, fit_familiarity, unlike_text


def training(count: int = 2000, seed: int = 0) -> np.ndarray:
    """Twelve channels with levels of their own."""
    return np.linspace(1, 3, 12) * np.random.default_rng(seed).normal(1, 0.1, (count, 12))


def test_nearly_all_windows_of_the_training_are_within_a_distance_of_1() -> None:
    familiarity = fit_familiarity(training())
    assert np.mean(familiarity.distances(training(seed=1)) < 1) == pytest.approx(0.99, abs=0.01)


def test_another_mixture_of_channels_is_far() -> None:
    assert (fit_familiarity(training()).distances(training(seed=1)[:20, ::-1]) > 1.5).all()


def test_the_median_window_counts() -> None:
    familiarity = replace(fit_familiarity(training()), limit=1.2)
    strange = training(seed=1)[:2, ::-1]
    windows = np.vstack([training(seed=1)[:5], strange])
    assert not familiarity.distance(windows).is_unlike
    assert familiarity.distance(windows[-3:]).is_unlike


def test_only_models_for_which_the_image_is_unlike_are_named() -> None:
    assert unlike_text({"UNet": Distance(1.0, 1.5), "mine": None}) == ""
    assert "of UNet (distance 1.60, limit 1.50)" in unlike_text({"UNet": Distance(1.6, 1.5), "HRNet": Distance(1, 2)})


def test_statistics_are_read_as_they_were_written() -> None:
    familiarity = fit_familiarity(training())
    assert Familiarity.from_json(json.loads(json.dumps(asdict(familiarity)))) == familiarity
    assert familiarity.channels == 12


@pytest.mark.parametrize(
    "change",
    [
        {"statistics": ""},
        {"statistics": "AAAA"},
        {"statistics": "not base64"},
        {"statistics": base64.b64encode(np.zeros((2, 12), "<f2")).decode()},
        {"statistics": 1},
        {"limit": -1},
        {"usual": 0},
    ],
)
def test_damaged_statistics_are_refused(change: dict[str, object]) -> None:
    good = json.loads(json.dumps(asdict(fit_familiarity(training()))))
    with pytest.raises(ValueError):
        Familiarity.from_json({**good, **change})
