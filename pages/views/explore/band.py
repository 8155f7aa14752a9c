"""What a sweep has found out, on Explore's slider: where the target holds, and how high a resolution is."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from pages.app.runs import MaskSettings, Task
from pages.app.state import cache
from pages.app.subject import Subject
from pages.app.target import height_text
from scinet.camera.camera import Camera
from scinet.errors import TargetError
from scinet.evaluation.sweep_rows import SweepPoint, verdicts
from scinet.evaluation.target import State, Target, Verdict
from scinet.models.card import Card
from scinet.segmentation.strategies import Strategy
from scinet.share.pictures import GREEN, VERMILION, YELLOW

STATE_COLOURS: dict[State | None, str] = {"holds": GREEN, "doubtful": YELLOW, "fails": VERMILION, None: "transparent"}
LEAST_STEPS = 3  # native and two coarser ones: with fewer there is no sweep to speak of


def show(
    subject: Subject,
    cards: Sequence[Card],
    strategy: Strategy,
    mask: MaskSettings,
    target: Target,
    camera: Camera | None,
    steps_cm_per_px: Sequence[float],
    cm_per_px: float,
) -> None:
    """Draw the band of the first model that a sweep has judged, its verdict, and the flying height.

    Args:
        subject: The image.
        cards: The chosen models.
        strategy: What they see.
        mask: What makes masks of their probabilities.
        target: What the reader needs.
        camera: Whose flying heights are told.
        steps_cm_per_px: The steps of the slider, evenly spaced on it.
        cm_per_px: The chosen resolution.
    """
    of_cards = ([Task(subject, card, step, strategy) for step in steps_cm_per_px] for card in cards)
    found = next(filter(None, (_verdict(known_points(tasks, mask), target, subject) for tasks in of_cards)), None)
    height = height_text(camera, cm_per_px)
    parts = [f"{cm_per_px:.3g} cm/px is a flying height of {height} with {camera.name}." if camera else ""]
    if found is not None:
        parts.append(found.text)
        st.html(f"<style>{slider_style(found, steps_cm_per_px)}</style>")
    if any(parts):
        st.html(f'<p class="sn-foot sn-band">{escape(" ".join(filter(None, parts)))}</p>')


def known_points(tasks: Sequence[Task], mask: MaskSettings) -> list[SweepPoint]:
    """The figures of those tasks that a sweep has judged; none is computed here."""
    points = (cache("sweep").get(("point", *task.scored_key, *mask)) for task in tasks)
    return [point for point in points if point is not None]


def _verdict(points: Sequence[SweepPoint], target: Target, subject: Subject) -> Verdict | None:
    native = subject.raster.cm_per_px
    if len(points) < LEAST_STEPS or native not in {point.cm_per_px for point in points}:
        return None
    try:
        return verdicts(points, target, native)[0]
    except TargetError:
        return None


def slider_style(found: Verdict, steps_cm_per_px: Sequence[float]) -> str:
    """A rule that draws a band along the slider: green where the target holds, yellow in doubt, red where it fails."""
    last = max(1, len(steps_cm_per_px) - 1)
    stops = []
    for i, step in enumerate(steps_cm_per_px):
        start, end = max(0.0, (i - 0.5) / last), min(1.0, (i + 0.5) / last)
        stops.append(f"{STATE_COLOURS[found.state(step)]} {100 * start:.1f}% {100 * end:.1f}%")
    # Just below the track, which is 6 px narrower than its box on either side, and above the numbers of its ends
    place = "left 6px bottom 10px / calc(100% - 12px) 5px no-repeat"
    return (
        ".st-key-gsd [data-testid=stSlider] > div:last-of-type "
        f"{{ background: linear-gradient(to right, {', '.join(stops)}) {place}; }}"
    )
