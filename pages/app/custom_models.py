"""Models that a reader has added: known to that session alone, their networks on a shelf of bounded size."""

from collections.abc import Sequence

import streamlit as st

from pages.app.result_cache import ResultCache, result_cache
from scinet.errors import CheckpointError
from scinet.models.card import Card, list_models
from scinet.models.checkpoint import Model

CARDS = "own.cards"
MOST = 4  # of one session
KEPT_BYTES = 3_000_000_000  # of all sessions; those used longest ago are dropped


def cards() -> list[Card]:
    """The cards of this session's own models that are still in memory."""
    held: list[Card] = st.session_state.get(CARDS, [])
    return [card for card in held if _networks().get(card.sha256) is not None]


def all_cards() -> list[Card]:
    """The checkpoints on board, then this session's own models."""
    return [*list_models(), *cards()]


def add(model: Model, size_bytes: int) -> None:
    """Keep a model for this session. Raises CheckpointError where its name is taken or there are too many."""
    held = cards()
    if any(model.card.title == card.title or model.card.name == card.name for card in all_cards()):
        raise CheckpointError(f"There is a model {model.card.title} already: give this one another name.")
    if len(held) >= MOST:
        raise CheckpointError(f"A session holds {MOST} models of its own: remove one first.")
    _networks().put(model.card.sha256, model, 2 * size_bytes)  # half precision becomes single precision
    st.session_state[CARDS] = [*held, model.card]


def remove(name: str) -> None:
    st.session_state[CARDS] = [card for card in cards() if card.name != name]


def network(card: Card) -> Model:
    """The model of an own card. Raises CheckpointError where memory ran out for it."""
    model: Model | None = _networks().get(card.sha256)
    if model is None:
        raise CheckpointError(f"{card.title} is no longer in memory: add its file again on the page Models.")
    return model


def forgotten() -> Sequence[str]:
    """Titles of models that this session added and memory had no room for."""
    held = {card.sha256 for card in cards()}
    return [card.title for card in st.session_state.get(CARDS, []) if card.sha256 not in held]


def _networks() -> ResultCache:
    return result_cache("own", kept_bytes=KEPT_BYTES)
