"""Whose turn it is to run a model: few at a time, and nothing twice."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition

import streamlit as st

AT_A_TIME = 2  # while one's windows go through its network, the other's image is made ready or its mask drawn
MOST_PIXELS = 40_000_000  # of those that run together: a large image runs alone, for its memory
ASKS_EVERY_S = 0.3


@dataclass
class Turns:
    """The tasks that run now, by their keys, with their pixels and the share done."""

    _running: dict[Hashable, int] = field(default_factory=dict)
    _shares: dict[Hashable, float] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    @contextmanager
    def turn(self, key: Hashable, pixels: int, waiting: Callable[[], None]) -> Iterator[Callable[[float], None]]:
        """Wait for a turn and hold it through the block, which tells what is given here the share done.

        `waiting` is called again and again until then; where it raises, the wait ends there.
        """
        with self._changed:
            while not self._has_room(key, pixels):
                if not self._changed.wait(ASKS_EVERY_S):
                    waiting()
            self._running[key] = pixels
        try:
            yield lambda share: self._shares.__setitem__(key, share)
        finally:
            with self._changed:
                del self._running[key]
                self._shares.pop(key, None)
                self._changed.notify_all()

    def share(self, key: Hashable) -> float:
        """How much of a task is done, from 0 to 1; 0 for one that does not run."""
        return self._shares.get(key, 0.0)

    def _has_room(self, key: Hashable, pixels: int) -> bool:
        if key in self._running or len(self._running) >= AT_A_TIME:
            return False
        return not self._running or sum(self._running.values()) + pixels <= MOST_PIXELS


@st.cache_resource(show_spinner=False)
def turns() -> Turns:
    """The server's, for all sessions."""
    return Turns()
