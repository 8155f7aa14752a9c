"""The buttons that hand a sweep over: its figures as CSV and JSON, and the film strip."""

from collections.abc import Callable, Sequence

import streamlit as st

from pages.app import runs
from pages.app.runs import MaskSettings, Run
from pages.app.subject import Subject
from pages.views.sweep import rows
from scinet.camera.camera import Camera
from scinet.evaluation.report import to_json
from scinet.evaluation.sweep_rows import SweepPoint, sweep_content
from scinet.evaluation.target import Target
from scinet.share.report import Pictures, SharedImage, report_html


def buttons(
    subject: Subject,
    points: Sequence[SweepPoint],
    sheet: Callable[[], bytes],
    share: Callable[[], str],
    target: Target,
) -> None:
    """Draw the buttons; film strip and report are made when they are asked for."""
    name = f"sweep-{subject.key[:12]}"
    st.download_button(
        "Share",
        share,
        f"{name}.html",
        "text/html",
        on_click="ignore",
        type="primary",
        help="One file of at most 5 MB with the image, all masks, numbers and your target. It opens in any browser, "
        "without a network.",
    )
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


def report(
    subject: Subject,
    found: Sequence[Run],
    settings: MaskSettings,
    points: Sequence[SweepPoint],
    target: Target,
    camera: Camera | None,
) -> str:
    """The sweep as one HTML file."""
    pictures = Pictures()
    for run in found:
        card = run.task.card
        pictures.add(card.title, card.architecture, run.task.cm_per_px, runs.evaluate(run, settings).evaluation)
    image = SharedImage(subject.title, subject.credit, subject.notes)
    return report_html(image, subject.raster.cm_per_px, points, pictures, target, camera)
