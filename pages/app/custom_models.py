"""Models that users add: each is known to one session alone, their networks share a cache of bounded size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.app.result_cache import ResultCache
from pages.app.state import cache, session
from scinet.errors import CheckpointError
from scinet.models.card import Card, list_models

if TYPE_CHECKING:
    from scinet.models.model import Model

MAX_PER_SESSION = 4


def cards() -> list[Card]:
    """The cards of this session's custom models that are still in memory."""
    return [card for card in session().custom_cards if _network(card) is not None]


def all_cards() -> list[Card]:
    """The models on board, then this session's custom ones."""
    return [*list_models(), *cards()]


def add(model: "Model", size_bytes: int) -> None:
    """Keep a model for this session.

    Args:
        model: The model.
        size_bytes: The size of its file.

    Raises:
        CheckpointError: Its name is taken, or the session has too many models.
    """
    held = cards()
    if any(model.card.title == card.title or model.card.name == card.name for card in all_cards()):
        raise CheckpointError(f"There is a model {model.card.title} already: give this one another name.")
    if len(held) >= MAX_PER_SESSION:
        raise CheckpointError(f"A session holds {MAX_PER_SESSION} custom models: remove one first.")
    # Half precision becomes single precision
    _failures().drop(model.card.sha256)
    cache("custom models").put(model.card.sha256, model, 2 * size_bytes)
    session().custom_cards = [*held, model.card]


def remove(name: str) -> None:
    """Remove the model with this name from the session."""
    session().custom_cards = [card for card in cards() if card.name != name]


def network(card: Card) -> "Model":
    """The model of a custom card.

    Raises:
        CheckpointError: It was dropped to free memory.
    """
    model = _network(card)
    if model is None:
        if reason := _failures().get(card.sha256):
            raise CheckpointError(reason)
        raise CheckpointError(f"{card.title} is no longer in memory: add its file again on the page Models.")
    return model


def remove_failed(card: Card, reason: str) -> None:
    """Take a model that failed in a run from the lists of all sessions that added this file."""
    cache("custom models").drop(card.sha256)
    _failures().put(card.sha256, reason, len(reason))


def failures() -> Sequence[str]:
    """Why models that this session added were removed."""
    reasons = [_failures().get(card.sha256) for card in session().custom_cards if _network(card) is None]
    return [str(reason) for reason in reasons if reason is not None]


def dropped_titles() -> Sequence[str]:
    """Titles of models that this session added and that were dropped to free memory."""
    dropped = [card for card in session().custom_cards if _network(card) is None]
    return [card.title for card in dropped if _failures().get(card.sha256) is None]


@st.cache_resource(show_spinner=False)
def _failures() -> ResultCache:
    """Why models failed, by the hash of their files."""
    return ResultCache(1_000_000)


def _network(card: Card) -> "Model | None":
    model: Model | None = cache("custom models").get(card.sha256)
    return model
