"""What a sweep keeps of every run: its figures, a picture, and one table of them all."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pages.app import drawing, runs
from pages.app.result_cache import ResultCache, result_cache
from pages.app.runs import MaskSettings, Run
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.grading import GRIDS, agreement, diagnose_on, mask_on
from scinet.evaluation.scores import Scores

SCORES, SHARES = ("iou", "f1", "precision", "recall"), ("omission", "fragmentation", "merging", "false_area", "holes")
COLUMNS = ("model", "cm_per_px", "grid", *SCORES, *SHARES, "building_area_m2", "components", "agreement")
CELL_PX = 720
CELL_OPACITY = 0.6


def _kept() -> ResultCache:
    return result_cache("figures", kept_bytes=100_000_000)


@dataclass(frozen=True)
class Figures:
    """The tallies of a run on each grid, empty without a truth, and what a mask says by itself."""

    tallies: dict[str, Tally]
    building_area_m2: float
    components: int


def figures(run: Run, settings: MaskSettings) -> Figures:
    """Counted once a run and settings; no forward pass."""

    def make() -> Figures:
        subject, verdict = run.task.subject, runs.judge(run, settings)
        tallies: dict[str, Tally] = {}
        components = int(verdict.predicted_labels.max(initial=0))
        if verdict.diagnosis is not None:
            native = subject.raster
            on_native = diagnose_on(native, _native_mask(run, settings), runs.truth_on(subject, native))
            tallies = {"working": verdict.diagnosis.tally, "native": on_native.tally}
        area_m2 = float(verdict.prediction.sum()) * verdict.raster.pixel_area_m2
        return Figures(tallies, area_m2, components)

    return _kept().get_or_make(("figures", *run.task.key, *settings), make, lambda _: 1000)


def _native_mask(run: Run, settings: MaskSettings) -> NDArray[np.bool_]:
    """The run's mask, brought back to the image's own grid."""
    return result_cache(runs.MADE).get_or_make(
        ("native", *run.task.key, *settings),
        lambda: mask_on(run.task.subject.raster, run.probability, *settings),
        lambda mask: mask.nbytes,
    )


def agreement_with_native(run: Run, native: Run, settings: MaskSettings) -> float:
    """IoU of the run's mask with the model's own at the native GSD."""
    subject = run.task.subject

    def make() -> float:
        return agreement(_native_mask(run, settings), runs.judge(native, settings).prediction, subject.raster)

    return _kept().get_or_make(("agreement", *run.task.key, *settings), make, lambda _: 200)


def table(results: Iterable[Run], settings: MaskSettings) -> pd.DataFrame:
    """One row a run and grid with `COLUMNS`; the model by its title, NaN where there is nothing to score."""
    results = list(results)
    natives = {r.task.card.name: r for r in results if r.task.cm_per_px == r.task.subject.raster.cm_per_px}
    rows = []
    for run in results:
        own, native = figures(run, settings), natives.get(run.task.card.name)
        common = {
            "model": run.task.card.title,
            "cm_per_px": run.task.cm_per_px,
            "building_area_m2": own.building_area_m2,
            "components": own.components,
            "agreement": agreement_with_native(run, native, settings) if native else float("nan"),
        }
        for grid in GRIDS:
            tally = own.tallies.get(grid)
            scored = {**Scores.of(tally.counts)._asdict(), **tally.shares._asdict()} if tally else {}
            rows.append({**common, "grid": grid, **scored})
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(["model", "cm_per_px", "grid"], ignore_index=True)


def cell(run: Run, settings: MaskSettings) -> bytes:
    """The image at the run's resolution under its mask, coloured by what became of every pixel, as JPEG."""

    def make() -> bytes:
        verdict = runs.judge(run, settings)
        if verdict.diagnosis is None:
            classes, colours = verdict.prediction.astype(np.uint8), [drawing.MASK_COLOUR]
        else:
            classes = drawing.error_classes(verdict.diagnosis, verdict.prediction)
            colours = list(drawing.KIND_COLOURS.values())
        return drawing.overlay_picture(verdict.raster, classes, colours, opacity=CELL_OPACITY, side_px=CELL_PX)

    return _kept().get_or_make(("cell", *run.task.key, *settings), make, len)
