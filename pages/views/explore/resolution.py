"""The resolution: a slider of usual steps, and beside it a field for any other value."""

import math
import re

import streamlit as st

from pages.app.markdown import sentence
from pages.app.state import RESOLUTION, session
from pages.app.subject import Subject
from scinet.evaluation.grading import step_title, steps_around

MIN_CM_PER_PX, MAX_CM_PER_PX = 2.0, 200.0


def choose_resolution(subject: Subject) -> float:
    """Draw slider and field; a new image starts at its native resolution, which is one of the steps."""
    native = subject.raster.cm_per_px
    if session().slider_of not in (None, subject.key):
        st.session_state[RESOLUTION] = native
        session().own_step = None
    if RESOLUTION not in st.session_state:
        _open_link(st.query_params.get(RESOLUTION), native)
    if session().typed_step is not None:
        st.session_state[RESOLUTION], session().typed_step = session().typed_step, None
    session().slider_of = subject.key
    chosen = st.select_slider(
        "Ground resolution",
        steps(subject),
        value=native,
        format_func=lambda v: step_title(v, native),
        key=RESOLUTION,
        bind="query-params",
        help="In cm/px. The image is resampled to this resolution before the models see it.",
    )
    _field(float(chosen), native)
    if session().resolution_problem:
        st.toast(sentence(session().resolution_problem or ""), icon=":material/error:")
        session().resolution_problem = None
    return float(chosen)


def steps(subject: Subject) -> list[float]:
    """The steps of the slider in cm/px, with the value that was typed or linked if it is none of the usual ones."""
    own = session().own_step
    usual = steps_around(subject.raster.cm_per_px)
    return usual if own is None or own in usual else sorted([*usual, own])


def _field(chosen: float, native: float) -> None:
    """Draw the field. Each value has its own, and what is typed is read where it is drawn, not in a callback: when the
    slider moves on before a run has ended, the browser sends fields that have gone as if somebody had typed."""
    shown = f"{chosen:.4g}"
    with st.container(key="own_gsd", width="content"):
        typed = st.text_input(
            "Exact value", shown, key=f"own_gsd_{session().typed_steps}_{shown}", width=88, placeholder="cm/px"
        )
    if typed == shown:
        session().refused_step = None
    if typed in (shown, session().refused_step):
        return
    try:
        step = _accept(typed, native)
    except ValueError:
        session().refused_step = typed
        session().resolution_problem = (
            f"“{typed}” is not a resolution from {MIN_CM_PER_PX:g} to {MAX_CM_PER_PX:g} cm/px: type a number such as "
            "15 or 33,3."
        )
        return
    if step != chosen:
        session().typed_step, session().typed_steps = step, session().typed_steps + 1
        st.rerun()


def _open_link(text: str | None, native: float) -> None:
    """Make the value of a link a step. One that is not a resolution leaves the image at its own, and says so."""
    if text is None:
        return
    try:
        step = _accept(text, native)
        if text != step_title(step, native):  # of an address the slider itself takes only its own titles
            st.session_state[RESOLUTION] = step
    except ValueError:
        session().resolution_problem = (
            f"The address asks for “{text}”, which is not a resolution from {MIN_CM_PER_PX:g} to {MAX_CM_PER_PX:g} "
            "cm/px: the image is shown at its own."
        )


def _accept(text: str, native: float) -> float:
    """The step that a text names, which becomes one if it is none yet; raises ValueError if there is none."""
    for step in steps_around(native):
        if text.strip() == step_title(step, native):
            return step
    number = re.fullmatch(r"\s*([\d.,]+)\s*(cm/px)?(\s*native)?\s*", text)
    if number is None:
        raise ValueError(text)
    cm_per_px = float(number[1].replace(",", "."))
    if math.isclose(cm_per_px, native, rel_tol=5e-4) or f"{cm_per_px:.3g}" == f"{native:.3g}":
        return native
    if not MIN_CM_PER_PX <= cm_per_px <= MAX_CM_PER_PX:
        raise ValueError(text)
    session().own_step = cm_per_px
    return cm_per_px
