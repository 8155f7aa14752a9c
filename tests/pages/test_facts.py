"""The table of facts, over cards whose free parts hold anything."""

import json
import random
from contextlib import suppress
from dataclasses import asdict

import pytest

from pages.views.models.facts import all_rows
from scinet.errors import CheckpointError
from scinet.models.card import REPOSITORY_FOLDER, Card, list_models, read_card
from scinet.models.custom import ModelSpec

ODD = [
    None,
    True,
    0,
    -1,
    10**400,
    1e999,
    float("nan"),
    "many",
    "<b>x</b>",
    [],
    [[]],
    {},
    {"a": [1]},
    [None, "x", 10**400],
]
CARD = read_card(REPOSITORY_FOLDER / "sci-net.json")


def odd_cards(seed: int) -> list[str]:
    """The card of Sci-Net as JSON with every value on its own replaced by an odd one."""
    chance = random.Random(seed)
    found = []

    def replace_each(value, rebuild):
        found.extend(json.dumps(rebuild(odd)) for odd in ODD)
        if isinstance(value, dict):
            for key in value:
                replace_each(value[key], lambda odd, k=key: rebuild({**value, k: odd}))
        elif isinstance(value, list) and value:
            at = chance.randrange(len(value))
            replace_each(value[at], lambda odd: rebuild([*value[:at], odd, *value[at + 1 :]]))

    replace_each(asdict(CARD) | {"data": asdict(CARD)["data"][:1]}, lambda whole: whole)
    return found


def test_any_value_anywhere_in_a_card_is_shown_or_refused():
    accepted = 0
    for text in odd_cards(0):
        try:
            card = Card.from_json(text, "odd.json")
        except CheckpointError:
            continue
        accepted += 1
        for _, _, cells in all_rows([card, CARD], None):
            assert not any("<b>" in cell for cell in cells)
    assert accepted > 100


def test_any_value_anywhere_in_a_description_is_a_sentence():
    for text in odd_cards(1):
        with suppress(CheckpointError):
            ModelSpec.from_json(text, "odd.json")


def test_html_in_a_hash_and_in_a_former_round_is_text():
    card = Card("a", "unet", (1, 2), 64, sha256="<b>x</b>", settings={"started_from": {"epoch": "<b>1</b>"}})
    assert "<b>" not in "".join(cell for _, _, cells in all_rows([card], None) for cell in cells)


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, '{"name": 5}', json.dumps(asdict(CARD) | {"name": 5}), json.dumps(asdict(CARD) | {"window_m": {}})],
)
def test_a_damaged_card_hides_only_itself(tmp_path, text):
    for name, content in {"good": json.dumps(asdict(CARD)), "bad": text}.items():
        (tmp_path / f"{name}.json").write_text(content)
        (tmp_path / f"{name}.safetensors").touch()
    (tmp_path / "folder.json").mkdir()
    assert [card.name for card in list_models(tmp_path)] == ["sci-net"]


def test_a_card_that_is_a_folder_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(tmp_path))
    (tmp_path / "net.json").mkdir()
    with pytest.raises(CheckpointError, match="There is no card net"):
        read_card(tmp_path / "net.json")
