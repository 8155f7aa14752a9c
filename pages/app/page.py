"""What every page begins with: its style sheet, its heading, and a line on the image."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.app.markdown import sentence
from pages.app.state import cache

if TYPE_CHECKING:  # the heading is there before anything slow is imported
    from pages.app.subject import Choice, Subject
    from scinet.raster.raster import Raster
    from scinet.vector.area import Area


def apply_style() -> None:
    """Add the style sheet of the app to the page."""
    st.html(Path(__file__).parent / "style.css")


def show_heading(title: str, question: str) -> None:
    """Draw the page's heading: what it is called, and the question that it answers."""
    st.html(f'<h1 class="sn-heading"><span>Sci-Net explorer: {escape(title)}</span> {escape(question)}</h1>')


def section(title: str) -> None:
    """Draw the heading of a part of the page."""
    st.html(f'<h2 class="sn-section">{escape(title)}</h2>')


def show_messages(choice: "Choice") -> None:
    """Say why there is no image, or not the one that was asked for."""
    with st.container(key="messages"):
        if choice.problem:
            st.error(sentence(choice.problem))
        if choice.hint:
            st.info(sentence(choice.hint))


def image_facts(subject: "Subject") -> None:
    """Show one line on the image, and notes on how it was read."""
    raster = subject.raster
    metres = [size * side for size, side in zip(raster.metres_per_px, (raster.width, raster.height), strict=True)]
    parts = [
        f"{raster.width} &times; {raster.height} px",
        f"native {raster.cm_per_px:.3g} cm/px",
        f"{metres[0]:,.0f} &times; {metres[1]:,.0f} m",
        "no georeference" if raster.crs is None else _crs_name(raster),
    ]
    if subject.area is not None:
        parts.append(f"area of interest {area_m2(subject, subject.area):,.0f} m²")
    if subject.truth is not None and subject.truth.is_partial:
        parts.append("not everything is labelled")
    notes = "".join(f"<li>{escape(note)}</li>" for note in subject.notes)
    st.html(
        f'<div class="sn-facts"><b>{escape(subject.title)}</b><span>{"</span><span>".join(parts)}</span>'
        + (f"<ul>{notes}</ul>" if notes else "")
        + "</div>"
    )


def area_m2(subject: "Subject", area: "Area") -> float:
    """How much of an image lies in an area of interest."""

    def make() -> float:
        raster = subject.raster
        return int((raster.valid & area.inside(raster.grid)).sum()) * raster.pixel_area_m2

    return cache("derived").get_or_make(("area", subject.key, area.key), make, lambda _: 100)


def _crs_name(raster: "Raster") -> str:
    code = raster.crs.to_epsg() if raster.crs else None
    return f"EPSG:{code}" if code else "custom CRS"
