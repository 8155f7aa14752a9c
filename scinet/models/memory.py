"""Memory that the C library would keep for itself. On Linux it is told to give it back; elsewhere nothing happens."""

import ctypes
import gc
import os
from functools import cache

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # of mallopt(3)
_LARGE_BYTES = 8_000_000
_OBJECTS = 50_000  # between two looks for garbage; Python's 700 would be a fifth of the time of importing PyTorch


@cache
def tune_memory() -> None:
    """Set up the process for inference: for programs to call once, before PyTorch makes its first tensor.

    Threads started from now on share one memory pool, and large blocks return to the system as soon as they are free.
    Otherwise each thread's pool would keep the most that it ever held, and blocks of up to 32 MB would be kept for
    the next one of that size. Large tensors come in pages of 2 MB, which makes it quick to allocate them each time.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # PyTorch reads it at its first tensor
    gc.set_threshold(_OBJECTS)
    _call("mallopt", _M_ARENA_MAX, 1)
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Return freed memory to the system."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    try:
        getattr(ctypes.CDLL(None), name)(*arguments)
    except (AttributeError, OSError, TypeError):  # no glibc
        return
