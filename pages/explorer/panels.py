"""The panels beside and below the map: scores, error shares, buildings, pictures. Tables in HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan
from pathlib import Path

import numpy as np
import streamlit as st

from pages.explorer.runs import Verdict, truth_on
from pages.explorer.sources import Subject
from scinet import draw, scores
from scinet.checkpoint import Card
from scinet.raster import Raster

SHARE_TITLES = {
    "omission": ("Omission", "share of the true building area that the mask misses"),
    "fragmentation": ("Fragmentation", "share of the found area outside each building's largest piece"),
    "merging": ("Merging", "share of the found area that sits in another building's component"),
    "false_area": ("False area", "share of the predicted area that is no building"),
    "holes": ("Holes", "area of holes inside buildings as a share of the true building area"),
}  # fmt: skip
SCORE_TITLES = {
    "iou": ("IoU", "intersection over union of building pixels"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "precision": ("Precision", "share of the predicted area that is building"),
    "recall": ("Recall", "share of the building area that is predicted"),
}  # fmt: skip
KIND_HELP = {
    "found": "true buildings that one component covers by half or more",
    "missed": "true buildings covered by less than half",
    "merged": "true buildings that share their component with another one",
    "fragmented": "true buildings in two or more pieces, or full of holes",
    "false": "predicted components of which less than half is building",
}
DASH = "–"


@dataclass(frozen=True)
class Shown:
    """A model's verdict at the chosen resolution and at the native one."""

    verdict: Verdict
    native: Verdict


def style() -> None:
    st.html(Path(__file__).with_name("panels.css"))


def facts(subject: Subject) -> None:
    """One line on the image, and what reading did to it."""
    raster = subject.raster
    metres = [size * side for size, side in zip(raster.metres_per_px, (raster.width, raster.height), strict=True)]
    place = "no georeference" if raster.crs is None else _crs_name(raster)
    parts = [f"{raster.width} × {raster.height} px", f"native {raster.cm_per_px:.3g} cm/px",
             f"{metres[0]:,.0f} × {metres[1]:,.0f} m", place]  # fmt: skip
    notes = "".join(f"<li>{escape(note)}</li>" for note in raster.notes)
    st.html(
        f'<div class="sn-facts"><b>{escape(subject.title)}</b><span>{"</span><span>".join(map(escape, parts))}</span>'
        + (f"<ul>{notes}</ul>" if notes else "")
        + "</div>"
    )


def _crs_name(raster: Raster) -> str:
    code = raster.crs.to_epsg() if raster.crs else None
    return f"EPSG:{code}" if code else "own CRS"


def scores_and_shares(shown: Sequence[Shown], cm_per_px: float, *, at_native: bool) -> None:
    """Scores, error shares and buildings of each model, with the change against the native resolution."""
    rows = [_head("Scores", shown)]
    for name, (title, tip) in SCORE_TITLES.items():
        cells = [(_score(s.verdict, name), _score(s.native, name)) for s in shown]
        rows.append(_row(title, tip, [_number(a, b, at_native, good_up=True) for a, b in cells]))
    rows.append(_head("Error shares"))
    for name, (title, tip) in SHARE_TITLES.items():
        colour = draw.SHARE_COLOURS[name]
        cells = [(_share(s.verdict, name), _share(s.native, name)) for s in shown]
        rows.append(_row(title, tip, [_percent(a, b, at_native, colour) for a, b in cells], colour))
    rows.append(_head("Buildings"))
    for kind in draw.KINDS:
        counts = [(_count(s.verdict, kind), _count(s.native, kind)) for s in shown]
        title = "False areas" if kind == "false" else draw.KIND_TITLES[kind]
        cells_html = [_integer(a, b, at_native, good_up=kind == "found") for a, b in counts]
        rows.append(_row(title, KIND_HELP[kind], cells_html, draw.KIND_COLOURS[kind]))
    change = "" if at_native else "; ▲▼ change against native"
    st.html(
        f'<div class="sn-card"><table class="sn-table">{"".join(rows)}</table>'
        f'<p class="sn-foot">Working grid, {cm_per_px:.3g} cm/px{change}</p></div>'
    )


def areas(shown: Sequence[Shown], *, at_native: bool) -> None:
    """What can be said of a mask without a truth."""
    rows = [_head("Mask", shown)]
    measured = [(_areas(s.verdict), _areas(s.native)) for s in shown]
    for i, (title, tip, form) in enumerate(
        [
            ("Building area", "predicted building area", "{:,.0f} m²"),
            ("Share of image", "of the valid pixels", "{:.1%}"),
            ("Components", "4-connected components of the mask", "{:,.0f}"),
            ("Median area", "of a component", "{:,.1f} m²"),
        ]
    ):
        cells = []
        for now, native in measured:
            text = DASH if isnan(now[i]) else form.format(now[i])
            was = "" if at_native or isnan(native[i]) else f"<small>native {form.format(native[i])}</small>"
            cells.append(f"{text}{was}")
        rows.append(_row(title, tip, cells))
    st.html(
        f'<div class="sn-card"><table class="sn-table">{"".join(rows)}</table><p class="sn-foot">'
        "Scores need a truth: upload a mask of the same size, GeoJSON or GeoPackage beside the image.</p></div>"
    )


def pictures(subject: Subject, raster: Raster, shown: Sequence[Shown], threshold: float) -> None:
    """Image, truth and masks side by side; each opens large."""
    with st.container(key="pictures"):
        st.image(_image_picture(subject.key, raster.shape, raster), caption="Image", width="stretch")
        if subject.truth is not None:
            truth = truth_on(subject, raster) > 0
            st.image(_mask_picture((subject.key, raster.shape), truth), caption="Truth", width="stretch")
        for s in shown:
            key = (s.verdict.run_key, threshold)
            st.image(_mask_picture(key, s.verdict.prediction), caption=s.verdict.card.title, width="stretch")


@st.cache_data(max_entries=16, show_spinner=False)
def _image_picture(key: str, shape: tuple[int, int], _raster: Raster) -> bytes:
    return draw.image_picture(_raster)


@st.cache_data(max_entries=48, show_spinner=False)
def _mask_picture(key: object, _mask: np.ndarray) -> bytes:
    return draw.mask_picture(_mask)


def outside_training(card: Card, cm_per_px: float) -> str:
    """A remark where a model works at a resolution it was not trained at, else ""."""
    low, high = card.gsd_range_cm_per_px
    if low * 0.98 <= cm_per_px <= high * 1.02:
        return ""
    return f"{card.title} was trained at {low:.3g} to {high:.3g} cm/px."


# ---- numbers


def _score(verdict: Verdict, name: str) -> float:
    assert verdict.diagnosis is not None
    return float(getattr(scores, name)(verdict.diagnosis.counts))


def _share(verdict: Verdict, name: str) -> float:
    assert verdict.diagnosis is not None
    return float(getattr(verdict.diagnosis.shares, name))


def _count(verdict: Verdict, kind: str) -> int:
    assert verdict.diagnosis is not None
    kinds = verdict.diagnosis.components.kind if kind == "false" else verdict.diagnosis.buildings.kind
    return int(np.count_nonzero(np.asarray(kinds) == kind))


def _areas(verdict: Verdict) -> tuple[float, float, float, float]:
    sizes = np.bincount(verdict.predicted_labels.ravel())[1:] * verdict.raster.pixel_area_m2
    valid = int(verdict.raster.valid.sum())
    share = float(verdict.prediction.sum()) / valid if valid else float("nan")
    return float(sizes.sum()), share, float(len(sizes)), float(np.median(sizes)) if len(sizes) else float("nan")


# ---- HTML


def _head(title: str, shown: Sequence[Shown] = ()) -> str:
    names = "".join(f"<th>{escape(s.verdict.card.title)}</th>" for s in shown)
    return f'<tr class="sn-head"><th>{title}</th>{names or "<th colspan=9></th>"}</tr>'


def _row(title: str, tip: str, cells: Sequence[str], colour: str | None = None) -> str:
    dot = f'<i class="sn-dot" style="background:{colour}"></i>' if colour else ""
    inner = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th title="{escape(tip)}">{dot}{title}</th>{inner}</tr>'


def _delta(change: float, text: str, good_up: bool) -> str:
    if isnan(change) or not any(digit in text for digit in "123456789"):
        return "<small>±0</small>" if not isnan(change) else ""
    tone = "sn-better" if (change > 0) == good_up else "sn-worse"
    return f'<small class="{tone}">{"▲" if change > 0 else "▼"} {text}</small>'


def _number(value: float, native: float, at_native: bool, *, good_up: bool) -> str:
    if isnan(value):
        return DASH
    change = value - native
    return f"<b>{value:.3f}</b>" + ("" if at_native else _delta(change, f"{abs(change):.3f}", good_up))


def _percent(value: float, native: float, at_native: bool, colour: str) -> str:
    if isnan(value):
        return DASH
    change = value - native
    bar = f'<span class="sn-bar"><i style="width:{100 * min(1, value):.1f}%;background:{colour}"></i></span>'
    delta = "" if at_native else _delta(change, f"{100 * abs(change):.1f}", good_up=False)
    return f"<b>{100 * value:.1f} %</b>{delta}{bar}"


def _integer(value: int, native: int, at_native: bool, *, good_up: bool) -> str:
    change = value - native
    return f"<b>{value}</b>" + ("" if at_native else _delta(change, f"{abs(change)}", good_up))
