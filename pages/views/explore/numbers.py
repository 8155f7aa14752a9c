"""The numbers next to the map, or of many models below it: scores, error shares and buildings, or areas."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import isnan, nan

import numpy as np
import streamlit as st

from pages.app import drawing
from pages.app.benchmark_file import versioned_benchmark
from pages.app.html_table import DASH, HtmlTable, column_title, show_tables
from pages.app.markdown import escaped, sentence
from pages.app.measures import KIND_HELP, KIND_TITLES, SCORE_TITLES, SHARE_TITLES
from pages.app.runs import Result
from pages.app.subject import Subject
from scinet.errors import BenchmarkError
from scinet.evaluation import scores
from scinet.models.card import Card

MAX_COLUMNS = 3  # of more models, each has a row
AREA_ROWS = (
    ("Building area", "predicted building area", "{:,.0f} m²"),
    ("Share of image", "of the valid pixels", "{:.1%}"),
    ("Components", "4-connected components of the mask", "{:,.0f}"),
    ("Median area", "of a component", "{:,.1f} m²"),
)


@dataclass(frozen=True)
class Shown:
    """A model's result at the chosen resolution, and at the native one if that has run."""

    result: Result
    native: Result | None


@dataclass(frozen=True)
class Line:
    """One quantity of all models: a cell of HTML per model."""

    title: str
    cells: Sequence[str]
    tip: str = ""
    colour: str | None = None


@dataclass(frozen=True)
class Block:
    """Quantities under one heading."""

    title: str
    lines: list[Line] = field(default_factory=list)


def show(subject: Subject, shown: Sequence[Shown], cm_per_px: float) -> None:
    """Draw the table, and remarks on it."""
    if not shown:
        st.info("Choose a model in the sidebar to see its mask and its errors.")
    elif subject.truth is None:
        _areas(shown, cm_per_px)
    else:
        _scores_and_shares(shown, cm_per_px)
    remark = _outside_training([each.result.card for each in shown], cm_per_px)
    if remark:
        st.caption(sentence(remark))
    if subject.credit:
        st.caption(escaped(subject.credit))


def _scores_and_shares(shown: Sequence[Shown], cm_per_px: float) -> None:
    """Scores, error shares and buildings of each model, with the change from the native resolution."""
    scores_block, shares_block, buildings_block = Block("Scores"), Block("Error shares"), Block("Buildings")
    for name, (title, tip) in SCORE_TITLES.items():
        cells = [_number(_score(each.result, name), _score(each.native, name)) for each in shown]
        scores_block.lines.append(Line(title, cells, tip))
    for name, (title, tip) in SHARE_TITLES.items():
        colour = drawing.SHARE_COLOURS[name]
        cells = [_percent(_share(each.result, name), _share(each.native, name), colour) for each in shown]
        shares_block.lines.append(Line(title, cells, tip, colour))
    for kind in drawing.KINDS:
        title = "False areas" if kind == "false" else KIND_TITLES[kind]
        cells = [
            _integer(_count(each.result, kind), _count(each.native, kind), good_up=kind == "found") for each in shown
        ]
        buildings_block.lines.append(Line(title, cells, KIND_HELP[kind], drawing.KIND_COLOURS[kind]))
    change = "; ▲▼ change from the native resolution" if any(each.native for each in shown) else ""
    blocks = [scores_block, shares_block, buildings_block, *_test_scores(shown, cm_per_px)]
    _show_blocks(blocks, shown, f"Scored at {cm_per_px:.3g} cm/px{change}{_without_specks(shown)}")


def _areas(shown: Sequence[Shown], cm_per_px: float) -> None:
    """What can be said of a mask without a reference."""
    block = Block("Mask")
    measured = [(_measure_areas(each.result), _measure_areas(each.native) if each.native else None) for each in shown]
    for i, (title, tip, form) in enumerate(AREA_ROWS):
        cells = [
            (DASH if isnan(now[i]) else f"<b>{form.format(now[i])}</b>")
            + (
                f'<small class="sn-under">native {form.format(native[i])}</small>'
                if native and not isnan(native[i])
                else ""
            )
            for now, native in measured
        ]
        block.lines.append(Line(title, cells, tip))
    foot = "Scores need reference buildings: upload a mask of the same size, GeoJSON or GeoPackage along with the image"
    _show_blocks([block, *_test_scores(shown, cm_per_px)], shown, foot + _without_specks(shown))


def _show_blocks(blocks: Sequence[Block], shown: Sequence[Shown], foot: str) -> None:
    """Draw the blocks as one table with a column per model, or of many models as tables with a row per model."""
    titles = [escape(each.result.card.title) for each in shown]
    if len(shown) <= MAX_COLUMNS:
        table = HtmlTable("sn-stacked" if len(shown) == MAX_COLUMNS else "")
        for i, block in enumerate(blocks):
            table.head(block.title, *(titles if i == 0 else ()))
            for line in block.lines:
                table.row(line.title, line.cells, tip=line.tip, colour=line.colour)
        table.show(foot)
        return
    tables = []
    for block in blocks:
        table = HtmlTable("sn-stacked")
        table.head(block.title, *(column_title(line.title, line.tip, line.colour) for line in block.lines))
        for i, title in enumerate(titles):
            table.row(title, [line.cells[i] for line in block.lines])
        tables.append(table)
    show_tables(tables, foot)


def _without_specks(shown: Sequence[Shown]) -> str:
    min_area_m2 = shown[0].result.settings.min_area_m2
    return f"; components under {min_area_m2:g} m² are left out" if min_area_m2 else ""


def _outside_training(cards: Sequence[Card], cm_per_px: float) -> str:
    """A remark on the models that run at a resolution they were not trained at, else ""."""
    ranges = {
        f"{sentence(card.title)} ({low:.3g} to {high:.3g} cm/px)"
        for card in cards
        for low, high in [card.gsd_range_cm_per_px]
        if not 0.98 * low <= cm_per_px <= 1.02 * high
    }
    return f"Outside the resolutions of the training: {', '.join(sorted(ranges))}." if ranges else ""


def _test_scores(shown: Sequence[Shown], cm_per_px: float) -> list[Block]:
    """What the models scored on test tiles at about this resolution, if that is known."""
    try:
        known = versioned_benchmark()
    except BenchmarkError:
        return []  # the page Benchmark says what is wrong
    by_model = {each.result.card.name: known.benchmark.at(each.result.card.name, cm_per_px) for each in shown if known}
    found = [rows for rows in by_model.values() if len(rows)]
    if not found:
        return []
    block = Block(f"IoU on test tiles at {found[0]['cm_per_px'].iloc[0]:.3g} cm/px")
    for dataset in sorted(set().union(*(rows["dataset"] for rows in found))):
        of_dataset = [rows[rows["dataset"] == dataset] for rows in by_model.values()]
        tiles = max(int(rows["tiles"].max()) for rows in of_dataset if len(rows))
        cells = [f"<b>{rows['micro_iou'].iloc[0]:.3f}</b>" if len(rows) else DASH for rows in of_dataset]
        tip = f"micro-IoU on {tiles} tiles not used in any training"
        block.lines.append(Line(escape(dataset.capitalize()), cells, tip))
    return [block]


# ---- numbers


def _score(result: Result | None, name: str) -> float:
    if result is None or result.evaluation.diagnosis is None:
        return nan
    return float(getattr(scores, name)(result.evaluation.diagnosis.counts))


def _share(result: Result | None, name: str) -> float:
    if result is None or result.evaluation.diagnosis is None:
        return nan
    return float(getattr(result.evaluation.diagnosis.shares, name))


def _count(result: Result | None, kind: str) -> float:
    if result is None or result.evaluation.diagnosis is None:
        return nan
    diagnosis = result.evaluation.diagnosis
    kinds = diagnosis.components.kind if kind == "false" else diagnosis.buildings.kind
    return float(np.count_nonzero(kinds == kind))


def _measure_areas(result: Result) -> tuple[float, float, float, float]:
    """The values of AREA_ROWS."""
    sizes_m2 = np.bincount(result.evaluation.predicted_labels.ravel())[1:] * result.evaluation.raster.pixel_area_m2
    valid_px = int(result.evaluation.raster.valid.sum())
    share = float(result.evaluation.prediction.sum()) / valid_px if valid_px else nan
    return float(sizes_m2.sum()), share, float(len(sizes_m2)), float(np.median(sizes_m2)) if len(sizes_m2) else nan


# ---- cells


def _number(value: float, native: float) -> str:
    return DASH if isnan(value) else f"<b>{value:.3f}</b>{_change(value - native, '.3f', good_up=True)}"


def _percent(value: float, native: float, colour: str) -> str:
    if isnan(value):
        return DASH
    bar = f'<span class="sn-bar"><i style="width:{100 * min(1, value):.1f}%;background:{colour}"></i></span>'
    return f"<b>{100 * value:.1f} %</b>{_change(100 * (value - native), '.1f', good_up=False)}{bar}"


def _integer(value: float, native: float, *, good_up: bool) -> str:
    return DASH if isnan(value) else f"<b>{value:.0f}</b>{_change(value - native, '.0f', good_up=good_up)}"


def _change(change: float, form: str, *, good_up: bool) -> str:
    """The change from native with an arrow; nothing if native is not known."""
    if isnan(change):
        return ""
    text = format(abs(change), form)
    if float(text) == 0:
        return "<small>±0</small>"
    tone = "sn-better" if (change > 0) == good_up else "sn-worse"
    return f'<small class="{tone}">{"▲" if change > 0 else "▼"} {text}</small>'
