"""Down to which resolution each model keeps the reader's target."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from pages.app import drawing
from pages.app.target import height_text
from scinet.camera.camera import Camera
from scinet.errors import TargetError
from scinet.evaluation.grading import Grid
from scinet.evaluation.parts import PARTS_PER_SIDE
from scinet.evaluation.sweep_rows import SweepPoint, verdicts
from scinet.evaluation.target import Target, Verdict
from scinet.models.card import Card
from scinet.models.estimates import borrowed_text

NEEDS_REFERENCE = (
    "Without reference buildings there is no verdict: agreement says how much a mask depends on the resolution, not "
    "whether it is right."
)

JUDGED = (
    f"In parentheses is the 95 % interval of the resolution, from {PARTS_PER_SIDE**2} parts of this image drawn with "
    "replacement; another place can differ more."
)
ESTIMATED = (
    "Estimated: there is no reference, so this is what the models' own probabilities make likely. In parentheses is "
    "where the ends of the estimates' intervals keep the target; these held the score of 9 in 10 images of places "
    "where the model was not trained, on average over places."
)


def show(
    points: Sequence[SweepPoint],
    cards: Sequence[Card],
    steps_cm_per_px: Sequence[float],
    native_cm_per_px: float,
    target: Target,
    camera: Camera | None,
    grid: Grid,
) -> None:
    """Draw one line for each model of which all steps have run.

    Args:
        points: What has run.
        cards: The models.
        steps_cm_per_px: The steps of the sweep.
        native_cm_per_px: The image's own resolution.
        target: What the reader needs.
        camera: Whose flying heights are told.
        grid: On which the masks are judged.
    """
    titles = [card.title for card in cards if complete(points, card, steps_cm_per_px)]
    judged = [point for point in points if point.model in titles]
    if not judged:
        return
    if not any(point.parts or point.estimates for point in judged):
        st.caption(NEEDS_REFERENCE)
        return
    try:
        found = {each.model: each for each in verdicts(judged, target, native_cm_per_px, grid)}
    except TargetError as error:
        st.info(str(error))
        return
    is_estimated = any(each.is_estimated for each in found.values())
    how = f"{ESTIMATED} {borrowed_text(card for card in cards if card.title in found)}" if is_estimated else JUDGED
    lines = [_line(found[card.title], card, camera) for card in cards if card.title in found]
    st.html(
        f'<div class="sn-verdicts">{"".join(lines)}</div>'
        f'<p class="sn-foot">Your target: a model that {escape(target.text)} at every step. '
        f"{escape(how)}</p>"
    )


def complete(points: Sequence[SweepPoint], card: Card, steps_cm_per_px: Sequence[float]) -> bool:
    """Whether all steps of a model have run: before that there is no verdict."""
    return {point.cm_per_px for point in points if point.model == card.title} >= set(steps_cm_per_px)


def _line(found: Verdict, card: Card, camera: Camera | None) -> str:
    sentence = escape(found.text.removeprefix(card.title).removesuffix("."))
    ends = dict.fromkeys(
        step for step in (*list(found.scores)[:1], found.kept, [*found.scores][-1]) if step is not None
    )
    scores = ", ".join(f"{found.scores[step]:.2f} at {step:.3g}" for step in ends) + " cm/px"
    height = height_text(camera, found.kept) if found.kept is not None else ""
    flight = f" · flying height {height}" if height else ""
    return (
        f'<div class="sn-verdict" style="border-color:{drawing.model_colour(card.architecture)}">'
        f"<b>{escape(card.title)}</b>{sentence}<small>{scores}{flight}</small></div>"
    )
