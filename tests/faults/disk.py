"""A disk that fills up."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Writing beyond the limit fails, as on a full disk."""
    resource = import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
