"""Large results kept for all sessions, bounded by their size: st.cache_* bound by number alone."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

import streamlit as st

KEPT_BYTES = 800_000_000

T = TypeVar("T")


@dataclass
class ResultCache:
    """Values by key; where they grow over `kept_bytes`, those used longest ago are dropped."""

    kept_bytes: int = KEPT_BYTES
    _values: OrderedDict[Hashable, tuple[Any, int]] = field(default_factory=OrderedDict)
    _guard: Lock = field(default_factory=Lock)

    def get(self, key: Hashable) -> Any | None:
        with self._guard:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        with self._guard:
            self._values[key] = value, size_bytes
            self._values.move_to_end(key)
            while len(self._values) > 1 and sum(size for _, size in self._values.values()) > self.kept_bytes:
                self._values.popitem(last=False)

    def get_or_make(self, key: Hashable, make: Callable[[], T], size_bytes: Callable[[T], int]) -> T:
        """The value of a key, made where it is not there."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value, size_bytes(value))
        return value


@st.cache_resource(show_spinner=False)
def result_cache(name: str, kept_bytes: int = KEPT_BYTES) -> ResultCache:
    """The server's shelf for runs, which cost seconds, or for what is quickly made again from them."""
    return ResultCache(kept_bytes)
