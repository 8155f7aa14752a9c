"""Make the results of the sample tiles that come with the package: ``python -m training.sample_results``.

Run it again when weights on board change: what is up to date is kept, so a stopped run resumes where it stopped,
and one changed model costs a seventh. Coarse resolutions, which are quick and looked at most, come first.
"""

import time
from functools import cache

import click
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from scinet.datasets.sample_results import (
    FOLDER,
    THRESHOLD,
    TILES,
    Results,
    origin,
    read_index,
    read_mask,
    write_index,
    write_masks,
)
from scinet.datasets.samples import Sample, samples
from scinet.evaluation.grading import steps_around
from scinet.evaluation.tile_scoring import FINEST_AGAINST_NATIVE
from scinet.models.card import Card, list_models
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.segment import segment
from training.command import run_command


@click.command()
def main() -> None:
    """Write what is missing or out of date into the package."""
    began = time.monotonic()
    FOLDER.mkdir(exist_ok=True)
    cards = sorted(list_models(), key=lambda card: card.name)
    rasters = {sample.tile.name: sample.tile.open().read() for sample in _chosen()}
    wanted = wanted_results(cards)
    known = {row.file: row for row in read_index()}
    runs = 0
    for row in tqdm(sorted(wanted, key=lambda row: -row.cm_per_px), unit="step"):
        former = known.get(row.file)
        if former is None or former.origins != row.origins:
            runs += _write(row, former, rasters[row.tile], cards)
            known[row.file] = row
            write_index(FOLDER, [known[each.file] for each in wanted if each.file in known])
    for path in FOLDER.iterdir():
        if path.name not in {"index.csv", *(row.file for row in wanted)}:
            path.unlink()
    size_mb = sum(path.stat().st_size for path in FOLDER.iterdir()) / 1e6
    print(f"{runs} runs in {time.monotonic() - began:.0f} s; {len(wanted)} files in {FOLDER}, {size_mb:.1f} MB")


def wanted_results(cards: list[Card]) -> list[Results]:
    """The results that belong in the package, at the steps of the page Explore; `cards` are sorted by name.

    Steps finer than half the native resolution are left out, as in the benchmark: they show nothing but interpolation,
    and have five sixths of all pixels.
    """
    return [
        Results(sample.tile.name, cm_per_px, {card.name: origin(card, cm_per_px) for card in cards})
        for sample in _chosen()
        for cm_per_px in steps_around(sample.tile.open().cm_per_px)
        if cm_per_px >= FINEST_AGAINST_NATIVE * sample.tile.open().cm_per_px
    ]


def _chosen() -> list[Sample]:
    by_name = {sample.tile.name: sample for sample in samples()}
    return [by_name[name] for name in TILES]


def _write(row: Results, former: Results | None, raster: Raster, cards: list[Card]) -> int:
    """Write the file of a tile at a resolution, with what the former one has of the same origin; returns the runs."""
    working = resample(raster, row.cm_per_px)
    kept = former.origins if former is not None else {}
    masks: list[NDArray[np.bool_]] = []
    runs = 0
    for card in cards:
        if kept.get(card.name) == row.origins[card.name]:
            masks.append(read_mask(FOLDER / row.file, list(kept).index(card.name)))
        else:
            probability = segment(working, _model(card.name)).probability
            masks.append((probability > THRESHOLD) & working.valid)
            runs += 1
    write_masks(FOLDER / row.file, masks)
    return runs


@cache
def _model(name: str) -> Model:
    return load_model(name)


if __name__ == "__main__":
    run_command(main, resumes=True)
