"""A model's scores on many test tiles: what a worker does for one of them, and the rows of all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scinet.batch.jobs import worker_model
from scinet.datasets.tiles import Tile
from scinet.engines.protocol import Engine
from scinet.evaluation.tile_scoring import score_tile
from scinet.models.memory import tune_memory

TileRows = list[dict[str, Any]]


@dataclass(frozen=True)
class TileJob:
    """A tile, and how it is scored.

    Attributes:
        model: A name, or the path of a custom model.
        device: "cpu", "cuda" or "mps"; None for the best that a worker has.
        folder: Of the tiles.
        strategies: What the model sees; see `score_tile`.
        tile: The tile.
    """

    model: str
    device: str | None
    folder: Path
    strategies: tuple[str, ...]
    tile: Tile


def score(job: TileJob) -> TileRows:
    """The rows of a tile. Raises SciNetError."""
    tune_memory()
    return score_tile(worker_model(job.model, job.device), job.folder, job.strategies, job.tile)


def score_tiles(
    engine: Engine, jobs: Sequence[TileJob], failed: Callable[[TileJob, str], None]
) -> Iterator[TileRows | None]:
    """Score tiles; one that fails does not stop the others.

    Args:
        engine: Does the work.
        jobs: The tiles.
        failed: Called with each one that fails, and why.

    Yields:
        The rows of a tile, or None for one that failed, in the order in which they end.

    Raises:
        EngineError: The engine has stopped.
    """
    for outcome in engine.run(score, jobs):
        if outcome.error:
            failed(jobs[outcome.index], outcome.error)
        yield outcome.result
