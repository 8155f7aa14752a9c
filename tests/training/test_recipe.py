from dataclasses import FrozenInstanceError

import pytest

from training.recipe import Recipe


def test_defaults_are_the_papers_figures():
    paper = Recipe()
    assert (paper.learning_rate, paper.poly_power) == (1e-4, 0.9)
    assert (paper.bce_weight, paper.dice_weight) == (0.5, 0.5)
    assert (paper.batch, paper.chip_px, paper.flip_probability) == (12, 512, 0.8)
    assert paper.deviations() == {}


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (500, 0.535887), (900, 0.125893), (1000, 0.0)])
def test_closed_form_poly(step, share):
    assert Recipe(learning_rate=2e-3).learning_rate_at(step, 1000) == pytest.approx(2e-3 * share, rel=1e-5)


def test_deviations_name_what_was_changed_and_no_more():
    recipe = Recipe(batch=8, chip_px=512, gsd_range_cm_per_px=(5.0, 20.0), dataset_weights={"accra": 1.0})
    assert recipe.deviations() == {
        "batch": 8,
        "gsd_range_cm_per_px": (5.0, 20.0),
        "dataset_weights": {"accra": 1.0},
    }


def test_a_recipe_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Recipe().batch = 3  # type: ignore[misc]
