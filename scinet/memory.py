"""Memory that the C library would keep for itself: on Linux it is told to give it back, elsewhere nothing is done."""

import ctypes

_M_ARENA_MAX = -8  # of mallopt(3)


def share_one_arena() -> None:
    """Have threads to come take memory from one pool: from one each, all would keep the most that each ever had."""
    _call("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Return what has been freed to the system."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    try:
        getattr(ctypes.CDLL(None), name)(*arguments)
    except (AttributeError, OSError, TypeError):  # no glibc
        return
