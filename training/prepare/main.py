"""Tiles and masks from scenes as published: ``python -m training.prepare --scenes DIR --out DIR``.

Writes a data folder (index.csv, images, masks) that ``training.train`` and ``training.benchmark`` take as it is,
and figure 4 of the paper, the tiles per GSD. Killed at any moment, the same command resumes.
"""

import argparse
import json
import math
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.express as px
from tqdm import tqdm

from scinet.atomic_write import write_text
from scinet.datasets.open_cities import SceneFiles, scenes_in
from scinet.errors import RasterError, SciNetError, TruthError, WriteError
from scinet.raster.scene import Scene, open_scene
from training.prepare.cut import Record, Row, cut_row
from training.prepare.index import build_index, split_index
from training.prepare.labels import LabelCounts, SceneLabels, read_labels
from training.prepare.splits import BLOCK_M

TILE_PX = 1024  # section 5.2 of the paper
SPLITS = ("random", "block")
_MOST_JOBS = 8  # a process needs about 200 MB


@dataclass
class Prepared:
    """What became of a scene; `problem` says why it gave nothing, or not all of it."""

    files: SceneFiles
    scene: Scene | None = None
    labels: LabelCounts | None = None
    rows: list[Row] = field(default_factory=list)
    problem: str | None = None

    @property
    def tiles(self) -> list[dict[str, Any]]:
        """The index rows of all tiles."""
        return [tile for row in self.rows for tile in row.tiles]


def main(arguments: Sequence[str] | None = None) -> None:
    """Cut published scenes into tiles with masks."""
    parser = argparse.ArgumentParser(
        prog="python -m training.prepare", description="Cut published scenes into tiles with masks."
    )
    parser.add_argument("--scenes", required=True, type=Path, metavar="DIR", help="a folder with train_tier_1")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the data folder to write")
    parser.add_argument(
        "--split",
        choices=SPLITS,
        default="random",
        help=f"tile by tile as in the paper, or in blocks of {BLOCK_M:g} m without shared ground (default: random)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    jobs = min(_MOST_JOBS, os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, help=f"processes that cut tiles (default: {jobs})")
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.seed < 0:
        parser.error("--jobs is at least 1, --seed at least 0")
    prepare(options.scenes, options.out, options.split, options.seed, options.jobs)


def prepare(scenes: Path, out: Path, split: str, seed: int = 0, jobs: int = 1, tile_px: int = TILE_PX) -> None:
    """Cut all scenes of a folder and write the index, the report and figure 4.

    A scene that cannot be read is left out, and the others are cut. Raises SciNetError where there is no scene or no
    tile, and once all is written where a scene had a problem.
    """
    found = scenes_in(scenes)
    if not found:
        raise SciNetError(f"{scenes} holds no scene as train_tier_1/<city>/<scene>/<scene>.tif. Give --scenes another.")
    prepared = []
    with _workers(jobs) as pool:
        for files in found.values():
            one = Prepared(files)
            try:
                _prepare_scene(one, out, tile_px, pool)
            except (RasterError, TruthError) as error:
                one.problem = str(error)
            print(_summary(one), flush=True)
            prepared.append(one)
    index = build_index([(one.files, one.scene, one.tiles) for one in prepared if one.scene], tile_px)
    if index.empty:
        raise SciNetError(f"No scene of {scenes} gave a tile: see above.")
    index, shared = split_index(index, split, seed)
    _write(out, index, prepared, split, shared)
    counts = index["split"].value_counts()
    print(f"{out / 'index.csv'}: {len(index)} tiles, " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    print(_overlap_sentence(split, shared))
    troubled = [one.files.id for one in prepared if one.problem]
    if troubled:
        raise SciNetError(f"{len(troubled)} of {len(prepared)} scenes had a problem: {', '.join(troubled)}; see above.")


def _prepare_scene(one: Prepared, out: Path, tile_px: int, pool: ProcessPoolExecutor | None) -> None:
    files = one.files
    if files.labels is None:
        raise TruthError(f"{files.id} has no labels as {files.id}-labels/{files.id}.geojson. Fetch them.")
    one.scene = open_scene(files.image)
    labels = read_labels(files.labels, one.scene)
    one.labels = labels.counts
    try:
        for folder in (out / "scenes", out / "images" / files.city_code, out / "masks" / files.city_code):
            folder.mkdir(parents=True, exist_ok=True)
        record = Record(out / "scenes" / f"{files.id}.jsonl", files, tile_px)
        wanted = range(0, one.scene.height - tile_px + 1, tile_px)
        todo = [row for row in wanted if row not in record.rows]
        done = _cut(one.scene, files, labels, todo, out, tile_px, pool)
        for row in tqdm(done, files.id, len(wanted), unit="row", initial=len(wanted) - len(todo), file=sys.stderr):
            record.add(row)
    except OSError as error:
        raise WriteError(f"{out} cannot be written: {error.strerror or error}.") from None
    one.rows = [record.rows[row] for row in sorted(record.rows)]
    damaged = sum(row.damaged for row in one.rows)
    if damaged:
        one.problem = f"{damaged} of its tiles are damaged and were left out. Fetch it again."


def _cut(
    scene: Scene,
    files: SceneFiles,
    labels: SceneLabels,
    rows: Sequence[int],
    out: Path,
    tile_px: int,
    pool: ProcessPoolExecutor | None,
) -> Iterator[Row]:
    """The rows, as they are done."""
    calls = (
        (scene, (files.city_code, files.id), labels.within(0, row, scene.width, tile_px), row, out, tile_px)
        for row in rows
    )
    if pool is None:
        yield from (cut_row(*call) for call in calls)
        return
    futures = [pool.submit(cut_row, *call) for call in calls]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise SciNetError("A process was ended, perhaps for want of memory. Try again with fewer --jobs.") from None
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes of their own, without the parent's threads and open files; none for a single job."""
    if jobs == 1:
        yield None
        return
    # Ctrl-C is for the parent, which lets them end their rows
    ignore = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), *ignore) as pool:
        yield pool


def _write(out: Path, index: pd.DataFrame, prepared: Sequence[Prepared], split: str, shared: dict[str, int]) -> None:
    """index.csv, prepare.json, and figure 4 as tiles_per_gsd.csv and .html."""
    per_gsd = index.assign(gsd=index["cm_per_px"].map(lambda value: max(1, math.floor(value + 0.5))))
    counts = per_gsd.groupby(["gsd", "city"]).size().rename("tiles").reset_index()
    report = {
        "split": split,
        **shared,
        "scenes": {
            one.files.id: {
                "city": one.files.city_code,
                "cm_per_px": round(one.scene.cm_per_px, 3) if one.scene else None,
                "tiles": len(one.tiles),
                "empty": sum(row.empty for row in one.rows),
                "damaged": sum(row.damaged for row in one.rows),
                "labels": asdict(one.labels) if one.labels else None,
                "problem": one.problem,
            }
            for one in prepared
        },
    }
    write_text(out / "tiles_per_gsd.csv", counts.to_csv(index=False))
    figure = px.bar(
        counts,
        x="gsd",
        y="tiles",
        color="city",
        labels={"gsd": "native GSD, cm/px", "tiles": "tiles"},
        title="Tiles per resolution (figure 4 of the paper)",
    )
    write_text(out / "tiles_per_gsd.html", figure.to_html(include_plotlyjs=True))
    write_text(out / "prepare.json", json.dumps(report, indent=1) + "\n")
    write_text(out / "index.csv", index.to_csv(index=False))


def _summary(one: Prepared) -> str:
    if one.labels is None or not one.rows:
        return f"{one.files.id}: left out. {one.problem or 'It is smaller than a tile.'}"
    empty = sum(row.empty for row in one.rows)
    dirty = one.labels
    text = (
        f"{one.files.id}: {len(one.tiles)} tiles, {empty} places of nodata; {dirty.buildings} buildings "
        f"({dirty.invalid} mended, {dirty.duplicates} duplicates and {dirty.dropped} without area dropped)"
    )
    return f"{text}. {one.problem}" if one.problem else text


def _overlap_sentence(split: str, shared: dict[str, int]) -> str:
    if split == "block":
        return f"{shared['left_out']} tiles share ground with those of another split and were left out."
    seen, of = shared["test_tiles_seen_in_training"], shared["test_tiles"]
    return f"{seen} of {of} test tiles lie on ground that training sees in another scene; --split block avoids that."
