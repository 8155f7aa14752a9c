"""How many cores networks may use."""

import os
from functools import cache

import psutil


@cache
def cores() -> int:
    """As many as PyTorch uses: OMP_NUM_THREADS where that is set, else the cores that this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit():
        return max(1, int(asked))
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)
