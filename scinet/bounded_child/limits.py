"""Limits of a process, as far as the system has them. Windows has none of these: there the parent's clock counts."""

import os
import signal
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

try:
    _resource: Any = import_module("resource")
except ImportError:
    _resource = None

_MOST_BYTES = 6_000_000_000
_CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int:
    """The memory of the container or of the machine, whichever is less; 12 GB where the system does not say."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _CGROUPS:
        with suppress(OSError, ValueError):  # "max" where the container has no limit
            found.append(int(path.read_text()))
    return min(found, default=2 * _MOST_BYTES)


def memory_for_models() -> int:
    """Bytes that a child may take which runs a stranger's model: half of the machine's memory, at most 6 GB."""
    return min(memory_bytes() // 2, _MOST_BYTES)


def limit_memory(more_bytes: int) -> None:
    """Let this process take so much more address space than it has now, and write no core files."""
    if _resource is None:
        return
    with suppress(OSError, ValueError):
        _resource.setrlimit(_resource.RLIMIT_CORE, (0, 0))
        limit = _address_space_bytes() + more_bytes
        _resource.setrlimit(_resource.RLIMIT_AS, (limit, limit))


def limit_time(seconds: float) -> None:
    """End this process after so many seconds, or so many on every processor, from now on. 0 takes the clock away.

    The parent's clock is the first to end it: this one is for a parent that is gone.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)  # whose signal ends a process that does not handle it
    if _resource is None:
        return
    with suppress(OSError, ValueError):
        _, most = _resource.getrlimit(_resource.RLIMIT_CPU)
        used = sum(os.times()[:2])
        soft = int(used + seconds * (os.cpu_count() or 1)) + 1 if seconds else _resource.RLIM_INFINITY
        _resource.setrlimit(_resource.RLIMIT_CPU, (soft, most))


def _address_space_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
