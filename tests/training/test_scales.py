"""The choice of scales: the best on average, unless it harms a place."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from scinet.models.card import read_card
from training.cards import write_card
from training.scales import TOLERANCE, choose, main


def table(scores: dict[str, dict[float, float]], cm_per_px: float = 40.0) -> pd.DataFrame:
    """Micro-IoU by place and scale, as `measure` gives it."""
    rows = [
        {"place": place, "cm_per_px": cm_per_px, "scale": scale, "tiles": 4, "micro_iou": iou}
        for place, by_scale in scores.items()
        for scale, iou in by_scale.items()
    ]
    return pd.DataFrame(rows)


def test_the_two_best_scales_on_average_are_chosen() -> None:
    scores = {"a": {0.67: 0.3, 1.0: 0.4, 1.5: 0.5, 2.0: 0.6}, "b": {0.67: 0.4, 1.0: 0.5, 1.5: 0.7, 2.0: 0.6}}
    assert choose(table(scores)) == [(40.0, 1.5, 2.0)]


@pytest.mark.parametrize(("loss", "best"), [(TOLERANCE / 2, 2.0), (2 * TOLERANCE, 1.0)])
def test_a_scale_that_harms_a_place_is_not_chosen(loss: float, best: float) -> None:
    scores = {"gains": {1.0: 0.4, 2.0: 0.7}, "loses": {1.0: 0.5, 2.0: 0.5 - loss}}
    assert choose(table(scores))[0][1] == best


def test_each_resolution_has_a_row() -> None:
    scores = {"a": {1.0: 0.4, 2.0: 0.7}}
    both = pd.concat([table(scores, 10.0), table({"a": {1.0: 0.7, 2.0: 0.4}}, 20.0)])
    assert [(row[0], row[1]) for row in choose(both)] == [(10.0, 2.0), (20.0, 1.0)]


def test_scales_go_onto_the_card_next_to_those_for_other_places(random_checkpoints: Path, tmp_path: Path) -> None:
    for name in ("unet.json", "unet.safetensors"):
        shutil.copy(random_checkpoints / name, tmp_path)
    weights = tmp_path / "unet.safetensors"
    write_card(weights, scales={"known": [(40.0, 3.0, 2.0)]})
    gains, loses = tmp_path / "gains.csv", tmp_path / "loses.csv"
    table({"gains": {1.0: 0.4, 1.5: 0.5, 2.0: 0.7}}).to_csv(gains, index=False)
    table({"loses": {1.0: 0.5, 1.5: 0.5, 2.0: 0.4}}).to_csv(loses, index=False)
    result = CliRunner().invoke(main, ["choose", str(gains), str(loses), "--for", "unknown", "--model", str(weights)])
    assert result.exit_code == 0, result.output
    scales = read_card(tmp_path / "unet.json").scales
    assert {kind: [tuple(row) for row in rows] for kind, rows in scales.items()} == {
        "known": [(40.0, 3.0, 2.0)],
        "unknown": [(40.0, 1.5, 1.0)],
    }
