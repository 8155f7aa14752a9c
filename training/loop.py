"""The loop that training and distillation share: numbered steps over numbered chips, which stops between two."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from training.parallel import rank, share_of
from training.resume import ignore_interrupts


@dataclass
class Progress:
    """Sums over the steps since the last row of metrics; part of the resume file."""

    steps: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0  # of the seconds, for chips

    @property
    def mean_loss(self) -> float:
        """Over the steps so far; NaN before the first."""
        return self.loss / self.steps if self.steps else float("nan")

    @property
    def waiting_share(self) -> float:
        """The fraction of the time that went by waiting for data, in [0, 1]."""
        return self.waited / self.seconds if self.seconds else 0.0

    def reset(self) -> None:
        """Begin the next row."""
        self.steps, self.loss, self.seconds, self.waited = 0, 0.0, 0.0, 0.0


@dataclass(frozen=True)
class Loading:
    """How chips become batches on a device."""

    batch: int
    workers: int
    device: torch.device

    def batches(self, chips: Dataset[Any], steps: range) -> DataLoader[Any]:
        """This process's share of the batches of these steps: step `i` has the chips from `i * batch` on."""
        share = share_of(self.batch)
        firsts = (step * self.batch + rank() * share for step in steps)
        return DataLoader(
            Subset(chips, [first + number for first in firsts for number in range(share)]),
            share,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=ignore_interrupts,
        )


def run_steps(
    learn: Callable[..., float],
    chips: Dataset[Any],
    steps: range,
    loading: Loading,
    progress: Progress,
    title: str,
) -> Iterator[int]:
    """Learn step by step, adding up `progress`; yields the number of each step that is done.

    Args:
        learn: Called with the step's number, the images (N, 3, S, S), and what else the chips have; returns the loss.
        steps: Which steps to do; they have their chips by their number, wherever a run was resumed.
    """
    batches = loading.batches(chips, steps)
    bar = tqdm(
        batches,
        title,
        total=len(steps),
        unit="step",
        mininterval=10,
        file=sys.stderr,
        disable=None if rank() else False,
    )
    asked = time.perf_counter()
    for step, batch in zip(steps, bar, strict=True):
        began = time.perf_counter()
        image, *others = (tensor.to(loading.device, non_blocking=True) for tensor in batch)
        progress.loss += learn(step, image.contiguous(memory_format=torch.channels_last), *others)
        progress.steps += 1
        if progress.steps % 20 == 1:
            bar.set_postfix(loss=f"{progress.mean_loss:.4f}", refresh=False)
        done = time.perf_counter()
        progress.waited += began - asked
        progress.seconds += done - asked
        yield step
        asked = time.perf_counter()
