"""Memory that the C library would keep for itself: on Linux it is told to give it back, elsewhere nothing is done."""

import ctypes
import os

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # of mallopt(3)
_LARGE_BYTES = 8_000_000

# PyTorch reads it at its first tensor. Large ones then come in pages of 2 MB, which are quick to fetch anew each time.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def keep_little() -> None:
    """Have threads to come take memory from one pool, and what is large go back to the system as soon as it is free.

    From a pool each, all would keep the most that each ever had; and what is large, up to 32 MB, would be kept for
    the next one of its size.
    """
    _call("mallopt", _M_ARENA_MAX, 1)
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Return what has been freed to the system."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    try:
        getattr(ctypes.CDLL(None), name)(*arguments)
    except (AttributeError, OSError, TypeError):  # no glibc
        return
