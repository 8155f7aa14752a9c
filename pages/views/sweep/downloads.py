"""The buttons that hand a sweep over: its figures as CSV and JSON, and the film strip."""

from collections.abc import Callable, Sequence

import streamlit as st

from pages.app.subject import Subject
from pages.views.sweep import rows
from scinet.evaluation.report import to_json
from scinet.evaluation.sweep_rows import SweepPoint, sweep_content
from scinet.evaluation.target import Target


def buttons(subject: Subject, points: Sequence[SweepPoint], sheet: Callable[[], bytes], target: Target) -> None:
    """Draw the buttons; the film strip is made when it is asked for."""
    name = f"sweep-{subject.key[:12]}"
    st.download_button(
        "Table as CSV",
        lambda: rows.table(points).to_csv(index=False),
        f"{name}.csv",
        "text/csv",
        on_click="ignore",
        help="All scores and shares, one row per model, resolution and grid",
    )
    st.download_button(
        "Everything as JSON",
        lambda: to_json(sweep_content(subject.title, list(subject.notes), subject.raster.cm_per_px, points, target)),
        f"{name}.json",
        "application/json",
        on_click="ignore",
        help="The table, the target and the verdicts",
    )
    st.download_button(
        "Film strip as PNG",
        sheet,
        f"{name}.png",
        "image/png",
        on_click="ignore",
        help="All cells on one page. The curves have a camera button each.",
    )
