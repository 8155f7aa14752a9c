"""A model on test tiles, at the benchmark's resolutions: the sums per tile that all of its scores follow from.

Every tile is segmented at its native resolution and at STEPS_CM_PER_PX, by each strategy, and scored on two grids:
working (the reference brought to the model's grid: what the model can be blamed for) and native (the prediction brought
back: what a user loses by flying higher).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import RasterError
from scinet.evaluation import yardstick
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES, STEPS_CM_PER_PX, THRESHOLD
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.threshold_sums import threshold_sums
from scinet.evaluation.tile_sums import object_sums
from scinet.evaluation.tile_traits import tile_traits
from scinet.evaluation.truth import Truth, read_truth, truth_labels
from scinet.models.model import Model
from scinet.progress import ReportProgress
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment

FINEST_AGAINST_NATIVE = 0.5  # finer steps than half the native resolution show a model nothing but interpolation


def working_steps(native_cm_per_px: float) -> list[float]:
    """The native resolution itself and the steps from half of it on; a step within 1 % of native is native.

    Example:
        >>> working_steps(29.86)
        [15.0, 20.0, 29.86, 40.0, 60.0]
    """
    others = [
        step
        for step in STEPS_CM_PER_PX
        if step >= FINEST_AGAINST_NATIVE * native_cm_per_px and abs(step / native_cm_per_px - 1) > 0.01
    ]
    return sorted([native_cm_per_px, *others])


def tiles_to_score(folder: Path, split: str = "test") -> list[Tile]:
    """The tiles of a split of a folder that have reference buildings.

    Of the test split, HOT's Banepa test is one more where the folder has it; it comes first, as it takes longest.

    Args:
        folder: A folder with an index.csv.
        split: Its column split; a folder of one's own may leave that column blank, then all tiles are test tiles.

    Raises:
        RasterError: There is no index.csv, or no such tile.
    """
    if not (folder / "index.csv").is_file():
        raise RasterError(f"{folder.name or folder} contains no index.csv: see docs/training.md for what it says.")
    tiles = tiles_in(folder)
    chosen = [tile for tile in tiles if tile.truth is not None and (tile.split or "test") == split]
    if not chosen:
        raise RasterError(f"{folder.name or folder}/index.csv has no tile with a mask in the split {split!r}.")
    scene = yardstick.yardstick_tile(folder) if split == "test" else None
    return [*([scene] if scene else []), *chosen]


def score_tile(
    model: Model, folder: Path, strategies: Sequence[str], tile: Tile, progress: ReportProgress = lambda _: None
) -> list[dict[str, Any]]:
    """One row per working resolution, strategy and grid: names, resolutions in cm/px and sums.

    Args:
        model: The model.
        folder: Of the tile; rows name images within it.
        strategies: Keys of BENCHMARK_STRATEGIES.
        tile: A tile with reference buildings.
        progress: Called with the share done, in [0, 1]; what it raises ends the work.

    Raises:
        SciNetError: The tile cannot be read, or the model fails on it.
    """
    raster, truth = _read(tile)
    labels: dict[tuple[int, int], NDArray[np.int32]] = {}

    def labels_on(grid: Raster) -> NDArray[np.int32]:
        if grid.shape not in labels:
            labels[grid.shape] = truth_labels(truth, grid)
        return labels[grid.shape]

    of_tile = {
        "dataset": tile.dataset,
        "city": tile.city,
        "image": tile.image.relative_to(folder).as_posix(),
        "native_cm_per_px": tile.cm_per_px or raster.cm_per_px,
        "pixels": raster.width * raster.height,
        **tile_traits(raster, labels_on(raster)),
    }
    min_area_m2 = yardstick.MIN_AREA_M2 if tile.dataset == yardstick.DATASET else 0.0
    rows = []
    steps = working_steps(raster.cm_per_px)
    for number, cm_per_px in enumerate(steps):
        progress(number / len(steps))
        working = resample(raster, cm_per_px)
        by_scale: dict[float, list[dict[str, Any]]] = {}
        for name in strategies:
            strategy = BENCHMARK_STRATEGIES[name]
            (scale,) = strategy.scales(model.card, working.cm_per_px)
            if scale not in by_scale:
                probability = segment(working, model, strategy=strategy).probability
                sums = threshold_sums(probability, working, labels_on(working), min_area_m2)
                by_scale[scale] = list(_on_grids(probability, working, raster, labels_on, min_area_m2, sums))
            rows += [
                {
                    "model": model.card.name,
                    "weights": model.card.sha256,
                    "strategy": name,
                    "scale": scale,
                    **of_tile,
                    "cm_per_px": cm_per_px,
                    "is_native": cm_per_px == raster.cm_per_px,
                    **sums_on_grid,
                }
                for sums_on_grid in by_scale[scale]
            ]
    return rows


def measure_traits(tile: Tile) -> dict[str, float]:
    """The traits of a tile with reference buildings, see `scinet.evaluation.tile_traits`."""
    raster, truth = _read(tile)
    return tile_traits(raster, truth_labels(truth, raster))


def _read(tile: Tile) -> tuple[Raster, Truth]:
    assert tile.truth is not None
    raster = read_raster(tile.image, cm_per_px=tile.cm_per_px)
    return raster, read_truth(tile.truth, raster, tile.truth.name)


def _on_grids(
    probability: NDArray[np.float32],
    working: Raster,
    native: Raster,
    labels_on: Callable[[Raster], NDArray[np.int32]],
    min_area_m2: float,
    at_thresholds: dict[str, list[int]],
) -> Iterator[dict[str, Any]]:
    """The sums on both grids; those at many thresholds on the working grid alone."""
    evaluations = evaluate_on_grids(
        probability, working, native, labels_on, threshold=THRESHOLD, min_area_m2=min_area_m2
    )
    for grid, evaluation in evaluations.items():
        assert evaluation.diagnosis is not None and evaluation.objects is not None
        sums = asdict(evaluation.diagnosis.tally) | object_sums(evaluation.objects.tally)
        yield {"grid": grid, **sums, **(at_thresholds if grid == "working" else dict.fromkeys(at_thresholds))}
