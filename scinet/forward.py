"""Forward passes beside other work: several windows at a time, each by the processor's cores that are left for it.

A core that runs a window of its own is done with it sooner than two cores that share one: they wait for each other at
every layer. So on a processor there are as many windows at a time as cores, up to four, whoever asks for them; each is
run by more than one core only where cores are left.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from scinet.checkpoint import Model
from scinet.device import has_bfloat16
from scinet.memory import share_one_arena

_CORES = torch.get_num_threads()  # asked once: new threads begin with what the last one has set for itself
_MOST_AT_A_TIME = 4  # on a processor: each takes 100 MB
_BATCH = {"cuda": 16, "mps": 8, "cpu": 1}  # on a CPU a batch fills only the cache


class Forward:
    """A model's answers to the windows of an image of so many windows.

    batch      how many windows go through the network together
    at_a_time  how many batches run at once
    """

    def __init__(self, model: Model, windows: int) -> None:
        self._model = model
        self.batch = _BATCH[model.device.type]
        self.at_a_time = min(_CORES, windows, _MOST_AT_A_TIME) if model.device.type == "cpu" else 1
        self._threads = _CORES // self.at_a_time
        self._pool = _pool(model.device.type)

    def begin(self, windows: list[NDArray[np.uint8]]) -> Future[NDArray[np.float32]]:
        """Colours uint8 (H, W, 3) of up to `batch` windows of one size, to probabilities float32 (N, H, W)."""
        return self._pool.submit(_forward, windows, self._model, self._threads)


@cache
def _pool(device_type: str) -> ThreadPoolExecutor:
    share_one_arena()
    return ThreadPoolExecutor(min(_CORES, _MOST_AT_A_TIME) if device_type == "cpu" else 1, f"forward {device_type}")


@torch.inference_mode()
def _forward(windows: list[NDArray[np.uint8]], model: Model, threads: int) -> NDArray[np.float32]:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)  # of this thread's own work alone
    image = torch.from_numpy(np.stack(windows)).to(model.device).permute(0, 3, 1, 2)  # channels_last by its strides
    image = (image.float() / 255 - model.card.mean) / model.card.std
    # Twice as fast where the processor has it; on the trained checkpoints under 0.1 % of the mask's pixels differ
    with torch.autocast(model.device.type, torch.bfloat16, enabled=has_bfloat16(model.device)):
        logits = model.network(image)
    return logits[:, 0].float().sigmoid().cpu().numpy()
