"""Probability of building for every pixel: overlapping windows, in batches, blended.

Squeeze-and-excite pools over the whole window, so the same pixel gets another probability in a window of
another size. Windows have therefore one size, the one on the checkpoint's card; an image that is smaller
is one window as it is.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Literal, get_args

import numpy as np
import torch

from scinet.checkpoint import Model
from scinet.device import has_bfloat16
from scinet.models import MIN_SIDE_PX
from scinet.raster import Raster
from scinet.resample import resample, resample_probability

Strategy = Literal["direct", "canonical", "multi-scale"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
Progress = Callable[[float], None]

OVERLAP = 0.25  # of a window's side, shared with its neighbour
BATCH = {"cuda": 16, "mps": 8, "cpu": 1}  # on a CPU one window fills the cores, and a batch only the cache
MULTI_SCALES = (0.5, 1.0, 2.0)  # of the working GSD


def segment_at(
    raster: Raster, model: Model, cm_per_px: float, strategy: Strategy = "direct", progress: Progress | None = None
) -> tuple[Raster, np.ndarray]:
    """Segment an image at a working GSD: the raster at that GSD, and the probability float32 (H, W) on its grid.

    direct       the model sees the working raster as it is
    canonical    the working raster goes to the middle of the model's training GSD range, the probability back
    multi-scale  the mean of the probabilities at half, once and twice the working GSD

    Raises ResolutionError where an image at a needed GSD would not fit in memory.
    """
    working = resample(raster, cm_per_px)
    if strategy == "direct":
        return working, segment(working, model, progress=progress)
    seen_at = (
        [model.card.canonical_cm_per_px]
        if strategy == "canonical"
        else [scale * working.cm_per_px for scale in MULTI_SCALES]
    )
    total = np.zeros(working.shape, np.float32)
    for index, gsd in enumerate(seen_at):
        part = _part(progress, index, len(seen_at))
        probability = segment(resample(working, gsd), model, progress=part)
        total += resample_probability(probability, working.shape)
    return working, np.where(working.valid, total / len(seen_at), 0).astype(np.float32)


@torch.inference_mode()
def segment(
    raster: Raster, model: Model, *, window_px: int | None = None, progress: Progress | None = None
) -> np.ndarray:
    """Probability of building, float32 (H, W) in [0, 1], 0 where the raster is not valid.

    ``window_px`` is the side of a window, by default the card's. ``progress`` is called with the done share
    in (0, 1]. An image of one window gets exactly the network's answer.
    """
    height, width = raster.shape
    window_px = max(window_px or model.card.window_px, MIN_SIDE_PX)
    pixels = _at_least(raster.pixels, MIN_SIDE_PX)
    size = min(window_px, pixels.shape[0]), min(window_px, pixels.shape[1])
    weight = _weight(size)
    windows = [
        np.s_[top : top + size[0], left : left + size[1]]
        for top in window_starts(pixels.shape[0], size[0])
        for left in window_starts(pixels.shape[1], size[1])
        if raster.valid[top : top + size[0], left : left + size[1]].any()
    ]
    total = np.zeros(pixels.shape[:2], np.float32)
    weights = np.zeros(pixels.shape[:2], np.float32)
    done = 0
    for batch in _batches(windows, BATCH[model.device.type]):
        for where, probability in zip(batch, _forward(np.stack([pixels[w] for w in batch]), model), strict=True):
            total[where] += weight * probability
            weights[where] += weight
        done += len(batch)
        if progress:
            progress(done / len(windows))
    blended = np.divide(total, weights, out=total, where=weights > 0)[:height, :width]
    return np.where(raster.valid, blended, np.float32(0))


def window_starts(length_px: int, window_px: int) -> list[int]:
    """Where windows begin along a side: evenly spread, each sharing at least OVERLAP with the next.

    >>> window_starts(1024, 512)
    [0, 256, 512]
    >>> window_starts(300, 512)
    [0]
    """
    if length_px <= window_px:
        return [0]
    stride = window_px * (1 - OVERLAP)
    gaps = int(np.ceil((length_px - window_px) / stride))
    return [round(index * (length_px - window_px) / gaps) for index in range(gaps + 1)]


def _weight(size: tuple[int, int]) -> np.ndarray:
    """Weight of a window's pixels, float32 (H, W) in (0, 1]: a Hann window sampled at the pixels' centres.

    It leaves zero with slope zero but never reaches it. So a window comes in without a step (a tent's first
    pixel has a share of some per cent, and that showed), and a pixel that one window alone covers still gets
    that window's probability.
    """
    bells = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in size]
    return np.outer(*bells).astype(np.float32)


def _forward(windows: np.ndarray, model: Model) -> np.ndarray:
    """uint8 (N, H, W, 3) to probability float32 (N, H, W)."""
    image = torch.from_numpy(windows).to(model.device).permute(0, 3, 1, 2)  # channels_last by its strides
    image = (image.float() / 255 - model.card.mean) / model.card.std
    # Twice as fast where the processor has it; on the trained checkpoints under 0.1 % of the mask's pixels differ
    with torch.autocast(model.device.type, torch.bfloat16, enabled=has_bfloat16(model.device)):
        logits = model.network(image)
    return logits[:, 0].float().sigmoid().cpu().numpy()


def _at_least(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """Pixels (H, W, 3) with their border repeated where a side is too short for the networks."""
    missing = [max(0, side_px - side) for side in pixels.shape[:2]]
    if not any(missing):
        return pixels
    return np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _batches(windows: list, size: int) -> Iterator[list]:
    iterator = iter(windows)
    while batch := list(islice(iterator, size)):
        yield batch


def _part(progress: Progress | None, index: int, count: int) -> Progress | None:
    return None if progress is None else lambda share: progress((index + share) / count)
