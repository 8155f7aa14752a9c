"""A cache of large results that is bounded by their size in bytes. Plain Python, no Streamlit."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class ResultCache:
    """Values by key. Where they exceed `max_bytes`, the least recently used ones are dropped.

    The newest value always stays, however large it is. All methods may be called from any thread.
    """

    max_bytes: int
    _values: OrderedDict[Hashable, tuple[Any, int]] = field(default_factory=OrderedDict)
    _makers: dict[Hashable, tuple[Lock, int]] = field(default_factory=dict)  # with the number of threads at each
    _guard: Lock = field(default_factory=Lock)
    _size_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """The size of all values."""
        return self._size_bytes

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, or None."""
        with self._guard:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Keep a value, in place of the former one of this key."""
        with self._guard:
            self._size_bytes += size_bytes - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size_bytes
            while len(self._values) > 1 and self._size_bytes > self.max_bytes:
                self._size_bytes -= self._values.popitem(last=False)[1][1]

    def drop(self, key: Hashable) -> None:
        """Forget the value of a key, if there is one."""
        with self._guard:
            self._size_bytes -= self._values.pop(key, (None, 0))[1]

    def get_or_make(self, key: Hashable, make: Callable[[], T], size_bytes: Callable[[T], int]) -> T:
        """The value of a key, made if it is missing: by one thread, while others that ask for it wait.

        Args:
            key: What the value depends on.
            make: Returns the value, which must not be None.
            size_bytes: The size of the value in memory.
        """
        value: T | None = self.get(key)
        if value is None:
            with self._one_maker(key):
                value = self.get(key)
                if value is None:
                    value = make()
                    self.put(key, value, size_bytes(value))
        return value

    @contextmanager
    def _one_maker(self, key: Hashable) -> Iterator[None]:
        with self._guard:
            lock, threads = self._makers.get(key, (Lock(), 0))
            self._makers[key] = lock, threads + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, threads = self._makers.pop(key)
                if threads > 1:
                    self._makers[key] = lock, threads - 1
