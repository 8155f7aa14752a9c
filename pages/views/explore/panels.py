"""The panels beside and below the map: scores, error shares, buildings, pictures. Tables in HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan, nan
from pathlib import Path

import numpy as np
import streamlit as st

from pages.app import drawing
from pages.app.runs import Verdict, truth_on
from pages.sources import Subject
from scinet.errors import BenchmarkError
from scinet.evaluation import scores
from scinet.evaluation.benchmark import Benchmark, read_benchmark
from scinet.models.card import Card, checkpoints_folder
from scinet.raster.raster import Raster

SHARE_TITLES = {
    "omission": ("Omission", "share of the true building area that the mask misses"),
    "fragmentation": ("Fragmentation", "share of the found area outside each building's largest piece"),
    "merging": ("Merging", "share of the found area that sits in another building's component"),
    "false_area": ("False area", "share of the predicted area that is no building"),
    "holes": ("Holes", "area of holes inside buildings as a share of the true building area"),
}
SCORE_TITLES = {
    "iou": ("IoU", "intersection over union of building pixels"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "precision": ("Precision", "share of the predicted area that is building"),
    "recall": ("Recall", "share of the building area that is predicted"),
}
KIND_HELP = {
    "found": "true buildings that one component covers by half or more",
    "missed": "true buildings covered by less than half",
    "merged": "true buildings that share their component with another one",
    "fragmented": "true buildings in two or more pieces, or full of holes",
    "false": "predicted components of which less than half is building",
}
DASH = "&ndash;"


@dataclass(frozen=True)
class Shown:
    """A model's verdict at the chosen resolution, and at the native one where that has run."""

    verdict: Verdict
    native: Verdict | None


def style() -> None:
    st.html(Path(__file__).parents[2] / "app" / "style.css")


def facts(subject: Subject) -> None:
    """One line on the image, and what reading did to it."""
    raster = subject.raster
    metres = [size * side for size, side in zip(raster.metres_per_px, (raster.width, raster.height), strict=True)]
    place = "no georeference" if raster.crs is None else _crs_name(raster)
    parts = [
        f"{raster.width} &times; {raster.height} px",
        f"native {raster.cm_per_px:.3g} cm/px",
        f"{metres[0]:,.0f} &times; {metres[1]:,.0f} m",
        place,
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in raster.notes)
    st.html(
        f'<div class="sn-facts"><b>{escape(subject.title)}</b><span>{"</span><span>".join(parts)}</span>'
        + (f"<ul>{notes}</ul>" if notes else "")
        + "</div>"
    )


def _crs_name(raster: Raster) -> str:
    code = raster.crs.to_epsg() if raster.crs else None
    return f"EPSG:{code}" if code else "own CRS"


def scores_and_shares(shown: Sequence[Shown], cm_per_px: float) -> None:
    """Scores, error shares and buildings of each model, with the change against the native resolution."""
    rows = [_head("Scores", shown)]
    for name, (title, tip) in SCORE_TITLES.items():
        rows.append(_row(title, tip, [_number(_score(s.verdict, name), _score(s.native, name)) for s in shown]))
    rows.append(_head("Error shares"))
    for name, (title, tip) in SHARE_TITLES.items():
        colour = drawing.SHARE_COLOURS[name]
        cells = [_percent(_share(s.verdict, name), _share(s.native, name), colour) for s in shown]
        rows.append(_row(title, tip, cells, colour))
    rows.append(_head("Buildings"))
    for kind in drawing.KINDS:
        title = "False areas" if kind == "false" else drawing.KIND_TITLES[kind]
        cells = [_integer(_count(s.verdict, kind), _count(s.native, kind), good_up=kind == "found") for s in shown]
        rows.append(_row(title, KIND_HELP[kind], cells, drawing.KIND_COLOURS[kind]))
    rows += _tested([s.verdict.card for s in shown], cm_per_px)
    change = "; ▲▼ change against native" if any(s.native for s in shown) else ""
    _card(rows, f"Working grid, {cm_per_px:.3g} cm/px{change}")


AREA_ROWS = (
    ("Building area", "predicted building area", "{:,.0f} m²"),
    ("Share of image", "of the valid pixels", "{:.1%}"),
    ("Components", "4-connected components of the mask", "{:,.0f}"),
    ("Median area", "of a component", "{:,.1f} m²"),
)


def areas(shown: Sequence[Shown], cm_per_px: float) -> None:
    """What can be said of a mask without a truth."""
    rows = [_head("Mask", shown)]
    measured = [(_areas(s.verdict), _areas(s.native) if s.native else None) for s in shown]
    for i, (title, tip, form) in enumerate(AREA_ROWS):
        cells = [
            (DASH if isnan(now[i]) else f"<b>{form.format(now[i])}</b>")
            + (f"<small>native {form.format(native[i])}</small>" if native and not isnan(native[i]) else "")
            for now, native in measured
        ]
        rows.append(_row(title, tip, cells))
    rows += _tested([s.verdict.card for s in shown], cm_per_px)
    _card(rows, "Scores need a truth: upload a mask of the same size, GeoJSON or GeoPackage beside the image.")


def pictures(subject: Subject, raster: Raster, verdicts: Sequence[Verdict]) -> None:
    """Image, truth and masks side by side; each opens large."""
    with st.container(key="pictures"):
        st.image(picture(subject, raster), caption="Image", width="stretch")
        if subject.truth is not None:
            truth = truth_on(subject, raster) > 0
            st.image(_mask_picture((subject.key, raster.shape), truth), caption="Truth", width="stretch")
        for verdict in verdicts:
            mask = _mask_picture(verdict.key, verdict.prediction)
            st.image(mask, caption=verdict.card.title, width="stretch")


def picture(subject: Subject, raster: Raster) -> bytes:
    """The image at the working resolution as a file."""
    return _image_picture(subject.key, raster.shape, raster)


@st.cache_data(max_entries=16, show_spinner=False)
def _image_picture(key: str, shape: tuple[int, int], _raster: Raster) -> bytes:
    return drawing.image_picture(_raster)


@st.cache_data(max_entries=48, show_spinner=False)
def _mask_picture(key: object, _mask: np.ndarray) -> bytes:
    return drawing.mask_picture(_mask)


def outside_training(cards: Sequence[Card], cm_per_px: float) -> str:
    """A remark on the models that work at a resolution they were not trained at, else ""."""
    ranges = {
        f"{card.title} ({low:.3g} to {high:.3g} cm/px)"
        for card in cards
        for low, high in [card.gsd_range_cm_per_px]
        if not 0.98 * low <= cm_per_px <= 1.02 * high
    }
    return f"Outside the resolutions trained at: {', '.join(sorted(ranges))}." if ranges else ""


def _tested(cards: Sequence[Card], cm_per_px: float) -> list[str]:
    """What the models scored on test tiles at about this resolution; nothing where nothing is known."""
    try:
        known = benchmark()
    except BenchmarkError:
        return []  # the page Benchmark says what is wrong
    by_model = {card.name: known.at(card.name, cm_per_px) for card in cards} if known else {}
    found = [table for table in by_model.values() if len(table)]
    if not found:
        return []
    rows = [_head(f"IoU on test tiles at {found[0]['cm_per_px'].iloc[0]:.3g} cm/px")]
    for dataset in sorted(set().union(*(table["dataset"] for table in found))):
        own = {name: table[table["dataset"] == dataset] for name, table in by_model.items()}
        tiles = max(int(table["tiles"].max()) for table in own.values() if len(table))
        cells = [f"<b>{table['micro_iou'].iloc[0]:.3f}</b>" if len(table) else DASH for table in own.values()]
        rows.append(_row(dataset.capitalize(), f"micro-IoU on {tiles} tiles that no training saw", cells))
    return rows


def benchmark() -> Benchmark | None:
    """The checkpoints' scores on test tiles, read anew when the file changes. Raises BenchmarkError."""
    path = checkpoints_folder() / "benchmark.json"
    return _benchmark(path.parent, path.stat().st_mtime) if path.is_file() else None


@st.cache_resource(max_entries=2, show_spinner=False)
def _benchmark(folder: Path, modified: float) -> Benchmark | None:
    return read_benchmark(folder)


# ---- numbers


def _score(verdict: Verdict | None, name: str) -> float:
    if verdict is None or verdict.diagnosis is None:
        return nan
    return float(getattr(scores, name)(verdict.diagnosis.counts))


def _share(verdict: Verdict | None, name: str) -> float:
    if verdict is None or verdict.diagnosis is None:
        return nan
    return float(getattr(verdict.diagnosis.shares, name))


def _count(verdict: Verdict | None, kind: str) -> float:
    if verdict is None or verdict.diagnosis is None:
        return nan
    kinds = verdict.diagnosis.components.kind if kind == "false" else verdict.diagnosis.buildings.kind
    return float(np.count_nonzero(kinds == kind))


def _areas(verdict: Verdict) -> tuple[float, float, float, float]:
    sizes = np.bincount(verdict.predicted_labels.ravel())[1:] * verdict.raster.pixel_area_m2
    valid = int(verdict.raster.valid.sum())
    share = float(verdict.prediction.sum()) / valid if valid else nan
    return float(sizes.sum()), share, float(len(sizes)), float(np.median(sizes)) if len(sizes) else nan


# ---- HTML


def _card(rows: Sequence[str], foot: str) -> None:
    table = f'<table class="sn-table">{"".join(rows)}</table>'
    st.html(f'<div class="sn-card">{table}<p class="sn-foot">{foot}</p></div>')


def _head(title: str, shown: Sequence[Shown] = ()) -> str:
    names = "".join(f"<th>{escape(s.verdict.card.title)}</th>" for s in shown)
    return f'<tr class="sn-head"><th>{title}</th>{names or "<th colspan=9></th>"}</tr>'


def _row(title: str, tip: str, cells: Sequence[str], colour: str | None = None) -> str:
    dot = f'<i class="sn-dot" style="background:{colour}"></i>' if colour else ""
    inner = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th title="{escape(tip)}">{dot}{title}</th>{inner}</tr>'


def _number(value: float, native: float) -> str:
    return DASH if isnan(value) else f"<b>{value:.3f}</b>{_delta(value - native, '.3f', good_up=True)}"


def _percent(value: float, native: float, colour: str) -> str:
    if isnan(value):
        return DASH
    bar = f'<span class="sn-bar"><i style="width:{100 * min(1, value):.1f}%;background:{colour}"></i></span>'
    return f"<b>{100 * value:.1f} %</b>{_delta(100 * (value - native), '.1f', good_up=False)}{bar}"


def _integer(value: float, native: float, *, good_up: bool) -> str:
    return DASH if isnan(value) else f"<b>{value:.0f}</b>{_delta(value - native, '.0f', good_up=good_up)}"


def _delta(change: float, form: str, *, good_up: bool) -> str:
    """The change against native with an arrow; nothing where native is not known."""
    if isnan(change):
        return ""
    text = format(abs(change), form)
    if float(text) == 0:
        return "<small>±0</small>"
    tone = "sn-better" if (change > 0) == good_up else "sn-worse"
    return f'<small class="{tone}">{"▲" if change > 0 else "▼"} {text}</small>'
