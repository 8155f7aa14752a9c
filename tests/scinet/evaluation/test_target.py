"""Targets, and down to which resolution a model keeps them."""

import doctest
from math import nan

import numpy as np
import pytest

from scinet.errors import TargetError
from scinet.evaluation import parts, target
from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.parts import FIGURE_NAMES, PARTS_PER_SIDE, figure_of, sums_by_part
from scinet.evaluation.scores import Scores
from scinet.evaluation.target import Target, estimated_figure, estimated_verdict, parse_target, verdict
from scinet.models.confidence import Estimate
from scinet.raster.raster import Raster

IOU = Target("iou", 0.7)


def even(share: float) -> np.ndarray:
    """Sums of 16 parts, in each of which a share of 100 px is found: IoU is the share."""
    return np.tile([100.0, 100 * share, 100 * share, 1, 1, 1, 1, 1], (16, 1))


def uneven(shares: list[float]) -> np.ndarray:
    return np.vstack([even(share)[:1] for share in shares])


def test_doctests() -> None:
    for module in (parts, target):
        result = doctest.testmod(module)
        assert result.attempted and not result.failed


def test_the_sums_of_all_parts_give_the_scores_of_the_image(noise_raster: Raster) -> None:
    random = np.random.default_rng(1)
    labels = np.zeros(noise_raster.shape, np.int32)
    for number in range(1, 31):
        row, column = random.integers(0, 80), random.integers(0, 110)
        labels[row : row + 12, column : column + 10] = number
    probability = (random.random(noise_raster.shape) < np.where(labels > 0, 0.9, 0.1)).astype(np.float32)
    found = evaluate(probability, noise_raster, lambda _: labels, min_area_m2=0.05)
    assert found.diagnosis is not None and found.objects is not None
    sums = sums_by_part(found.diagnosis, found.objects)
    assert sums.shape == (PARTS_PER_SIDE**2, 8)
    scores, total = Scores.of(found.diagnosis.counts), sums.sum(axis=0)
    assert figure_of(total, "iou") == pytest.approx(scores.iou) and figure_of(total, "f1") == pytest.approx(scores.f1)
    assert figure_of(total, "object_f1") == pytest.approx(found.objects.tally.scores.f1)


def test_pixels_and_buildings_count_in_the_part_where_they_are(noise_raster: Raster) -> None:
    truth = np.zeros(noise_raster.shape, bool)
    truth[74:94, 100:126] = True  # in the lower right part
    found = evaluate(truth, noise_raster, truth)
    assert found.diagnosis is not None and found.objects is not None
    sums = sums_by_part(found.diagnosis, found.objects)
    assert sums[-1].tolist() == [*(20 * 26,) * 3, 1, 1, 1, 0, 0] and not sums[:-1].any()  # of 5 m2, so not large


def test_houses_merged_with_those_that_they_touch_alone_are_found(noise_raster: Raster) -> None:
    row, apart = np.zeros(noise_raster.shape, np.int32), np.zeros(noise_raster.shape, np.int32)
    row[10:60, 10:60], row[10:60, 60:110] = 1, 2
    apart[10:60, 10:60], apart[10:60, 64:110] = 1, 2
    mask = np.zeros(noise_raster.shape, bool)
    mask[10:60, 10:110] = True
    shares = []
    for labels in (row, apart):
        found = evaluate(mask, noise_raster, lambda _, labels=labels: labels)
        assert found.diagnosis is not None and found.objects is not None
        shares.append(figure_of(sums_by_part(found.diagnosis, found.objects).sum(axis=0), "found_over_20_m2"))
    assert shares == [1.0, 0.0]


def test_a_figure_of_nothing_is_undefined_or_whole() -> None:
    nothing = np.zeros(8)
    assert [float(figure_of(nothing, name)) for name in FIGURE_NAMES[:3]] == [1.0, 1.0, 1.0]
    assert np.isnan(figure_of(nothing, "found_over_20_m2"))


@pytest.mark.parametrize(
    ("shares", "kept"),
    [
        ({10: 0.8, 20: 0.75, 40: 0.6}, 20),
        ({10: 0.8, 20: 0.5, 40: 0.8}, 10),  # a break is a break
        ({5: 0.1, 10: 0.8, 20: 0.9}, 20),  # finer than native counts nothing
        ({10: 0.5, 20: 0.55, 40: 0.55}, None),  # a bad model that stays as bad keeps nothing
        ({10: 0.6, 20: 0.8, 40: 0.6}, 20),
    ],
)
def test_a_model_keeps_a_target_until_the_first_step_that_misses_it(shares: dict[float, float], kept: float) -> None:
    found = verdict("UNet", {step: even(share) for step, share in shares.items()}, IOU, native_cm_per_px=10)
    assert (found.kept, found.low, found.high) == (kept, kept, kept)


def test_the_interval_covers_the_steps_at_which_parts_disagree() -> None:
    steps = {10: even(0.9), 20: uneven([0.9] * 9 + [0.55] * 7), 40: even(0.3)}
    found = verdict("UNet", steps, IOU, native_cm_per_px=10)
    assert (found.kept, found.low, found.high) == (20, 10, 20)
    assert found.text == "UNet keeps your target to 20 cm/px (10 to 20)."
    assert [found.state(step) for step in (5, 10, 15, 20, 40, 80)] == [
        None,
        "holds",
        "doubtful",
        "doubtful",
        "fails",
        None,
    ]


def test_sentences_say_what_is_not_kept_and_from_where() -> None:
    missed = verdict("UNet", {10: even(0.5), 20: even(0.6)}, IOU, native_cm_per_px=10)
    assert missed.text == "UNet does not keep your target at any step: its best is 0.60 at 20 cm/px."
    late = verdict("UNet", {10: even(0.5), 20: even(0.8)}, IOU, native_cm_per_px=10)
    assert late.text == "UNet keeps your target from 20 to 20 cm/px, the coarsest step (20 to 20)."
    perhaps = verdict("UNet", {10: uneven([0.75] * 8 + [0.6] * 8)}, IOU, native_cm_per_px=10)
    assert perhaps.kept is None and "though it may to 10" in perhaps.text


def test_a_reference_without_large_buildings_has_no_share_of_them() -> None:
    sums = even(0.9)
    sums[:, 6:] = 0
    with pytest.raises(TargetError, match="no reference building over 20 m²"):
        verdict("UNet", {10: sums}, Target("found_over_20_m2", 0.9), native_cm_per_px=10)
    with pytest.raises(TargetError, match="No step"):
        verdict("UNet", {5: sums}, IOU, native_cm_per_px=10)


@pytest.mark.parametrize("least", [0.0, -1.0, 1.1, nan])
def test_a_target_outside_the_scale_is_refused(least: float) -> None:
    with pytest.raises(TargetError, match="cannot be met"):
        Target("iou", least)
    with pytest.raises(TargetError):
        parse_target(f"iou={least}")


def estimates(values: dict[float, tuple[float, float, float]]) -> dict[float, dict[str, Estimate]]:
    return {step: {"iou": Estimate(*ends, 0.9)} for step, ends in values.items()}


def test_an_estimated_verdict_reaches_as_far_as_the_estimates_and_the_ends_of_their_intervals() -> None:
    at = estimates({10: (0.9, 0.75, 0.95), 20: (0.75, 0.6, 0.9), 40: (0.6, 0.4, 0.8), 80: (0.4, 0.2, 0.6)})
    found = estimated_verdict("UNet", at, Target("iou", 0.7), 10)
    assert (found.kept, found.low, found.high, found.is_estimated) == (20, 10, 40, True)
    assert found.text == "UNet probably keeps your target to 20 cm/px (10 to 40)."
    assert [found.state(step) for step in (10, 20, 40, 80)] == ["holds", "doubtful", "doubtful", "fails"]
    none = estimated_verdict("UNet", at, Target("iou", 0.99), 10)
    assert none.text.startswith("UNet probably does not keep your target at any step: its best is 0.90")


def test_f1_is_estimated_by_way_of_iou() -> None:
    at = estimates({10: (0.5, 0.25, 0.75)})[10]
    assert estimated_figure(at, "f1") == pytest.approx((2 / 3, 0.4, 6 / 7, 0.9))


def test_what_cannot_be_estimated_at_every_step_has_no_verdict() -> None:
    at = estimates({10: (0.9, 0.75, 0.95)})
    with pytest.raises(TargetError, match="cannot be estimated for UNet"):
        estimated_verdict("UNet", at, Target("found_over_20_m2", 0.7), 10)
    with pytest.raises(TargetError, match="at every step"):
        estimated_verdict("UNet", {**at, 20: {}}, Target("iou", 0.7), 10)
    with pytest.raises(TargetError, match="No step"):
        estimated_verdict("UNet", at, Target("iou", 0.7), 20)
