"""Forward passes in background threads: several windows at a time, each on its own share of the cores.

One core per window is faster than two cores that share a window, since those wait for each other at every layer. So a
CPU runs as many windows at a time as it has cores, up to four, no matter who asks for them. A window gets several
cores only where cores are left over; its answer does not depend on their number.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from scinet.bounded_child.process import no_longer_wanted
from scinet.models.cores import cores
from scinet.models.model import Model, Runtime

_MOST_AT_A_TIME = 4  # on a processor: each takes 100 MB
_BATCH = {"cuda": 16, "mps": 8, "cpu": 1}  # on a CPU a larger batch is not faster


class Forward:
    """Runs a model on the windows of one image, with `flips` in all eight turns and reflections.

    Args:
        model: The model.
        cm_per_px: The resolution of the image as the model sees it.
        windows: How many windows there are.
        flips: Whether each is run in all turns and reflections.

    Attributes:
        batch: How many windows go through the network together.
        at_a_time: How many batches run at once.
    """

    def __init__(self, model: Model, cm_per_px: float, windows: int, flips: bool = False) -> None:
        self._task = _Task(model, cm_per_px, flips)
        self.batch = _BATCH[model.device.type]
        self.at_a_time = min(cores(), windows, _MOST_AT_A_TIME) if model.device.type == "cpu" else 1
        self._pool = _pool(model.device.type)
        self._stopped = Event()

    def begin(self, windows: list[NDArray[np.uint8]]) -> Future[NDArray[np.float32]]:
        """Start on up to `batch` windows of one size, uint8 (H, W, 3) each.

        Gives what the model's outputs are there, float32 (N, H, W, C) in [0, 1].
        """
        return self._pool.submit(windows, self._task, self.at_a_time, self._stopped)

    def stop(self) -> None:
        """Nobody wants the answers that are still missing: a model in a process of its own is ended."""
        self._stopped.set()


@dataclass(frozen=True)
class _Task:
    """What is the same for all windows of an image."""

    model: Model
    cm_per_px: float
    flips: bool


class _Pool:
    """Threads that run the batches of all callers and share the cores among them."""

    def __init__(self, size: int, name: str) -> None:
        self._size, self._threads = size, ThreadPoolExecutor(size, name)
        self._asked, self._guard = 0, Lock()

    def submit(
        self, windows: list[NDArray[np.uint8]], task: _Task, at_a_time: int, stopped: Event
    ) -> Future[NDArray[np.float32]]:
        self._count(1)
        future = self._threads.submit(self._run, windows, task, at_a_time, stopped)
        future.add_done_callback(lambda _: self._count(-1))
        return future

    def _count(self, change: int) -> None:
        with self._guard:
            self._asked += change

    def _run(
        self, windows: list[NDArray[np.uint8]], task: _Task, at_a_time: int, stopped: Event
    ) -> NDArray[np.float32]:
        in_parallel = max(at_a_time, min(self._asked, self._size))
        no_longer_wanted.set(stopped)  # in this thread
        return _forward(windows, task, cores() // in_parallel)


@cache
def _pool(device_type: str) -> _Pool:
    return _Pool(min(cores(), _MOST_AT_A_TIME) if device_type == "cpu" else 1, f"forward {device_type}")


def _forward(windows: list[NDArray[np.uint8]], task: _Task, threads: int) -> NDArray[np.float32]:
    seen = np.stack(windows)
    if not task.flips:
        return _probability(seen, task, threads)
    total = np.zeros((*seen.shape[:3], len(task.model.outputs)), np.float32)
    for turns, mirrored in product(range(4), (False, True)):
        turned = np.rot90(seen[:, :, ::-1] if mirrored else seen, turns, (1, 2))
        answer = np.rot90(_probability(np.ascontiguousarray(turned), task, threads), -turns, (1, 2))
        total += answer[:, :, ::-1] if mirrored else answer
    total /= 8
    return total


def _probability(windows: NDArray[np.uint8], task: _Task, threads: int) -> NDArray[np.float32]:
    """Of windows uint8 (N, H, W, 3), float32 (N, H, W, C)."""
    if not isinstance(task.model.network, Runtime):
        from scinet.segmentation.torch_forward import probability  # PyTorch takes seconds to import

        return probability(windows, task.model, threads, task.cm_per_px)
    images = np.moveaxis(windows, -1, 1).astype(np.float32, order="C")
    images /= 255
    logits = np.moveaxis(task.model.network.logits(images, threads, task.cm_per_px), 1, -1)
    found: NDArray[np.float32] = 1 / (1 + np.exp(-logits.clip(-80, 80)))  # beyond which float32 has no others
    return found
