"""Distances of images from a training, with small networks and generated towns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scinet.models.checkpoint import load_model
from training.familiarity import fit, limit_of, place_means, summary, training_means
from training.packed_tiles import PackedTiles


def test_each_image_of_a_place_is_measured_at_its_own_and_coarser_resolutions(
    town_folder: Path, tmp_path: Path, random_checkpoints: Path
) -> None:
    model = load_model(random_checkpoints / "unet.safetensors")
    packs = [PackedTiles(town_folder, "train", tmp_path / "cache")]
    found = list(place_means(model, packs, "town"))
    assert [step for step, _ in found] == [40.0, 40.0]
    assert all(means.shape == (1, 1008) for _, means in found)
    assert training_means(model, packs, leave_out=["town"]) == []


def test_the_limit_is_that_of_the_strangest_place_that_was_left_out() -> None:
    measured = pd.DataFrame(
        {
            "group": ["left out"] * 200 + ["training"] * 100 + ["photographs"] * 10,
            "name": ["a"] * 100 + ["b"] * 100 + ["training"] * 100 + ["x"] * 10,
            "iou": np.nan,
            "distance": np.r_[np.linspace(0, 1, 100), np.linspace(0, 2, 100), np.linspace(0, 1, 100), np.full(10, 3.0)],
        }
    )
    assert limit_of(measured) == pytest.approx(1.9, abs=0.01)
    shares = summary(measured)["beyond"]
    assert shares["photographs"] == 1 and shares["training"] == 0 and shares["left out, b"] == pytest.approx(0.05)


def test_the_limit_goes_into_the_statistics() -> None:
    means = [np.random.default_rng(seed).normal(size=(4, 20)) for seed in range(20)]
    assert fit(means, limit=1.23456).limit == 1.235
