"""Source "Town": a generated one, whose buildings are known exactly."""

import streamlit as st

from pages.app.state import cache
from pages.app.subject import Choice, Subject
from scinet.evaluation.truth import Truth
from scinet.synthetic.town import make_town

GSDS_CM_PER_PX = (5.0, 10.0, 20.0)


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    left, right = st.columns(2)
    seed = left.number_input(
        "Generated town",
        0,
        9999,
        0,
        key="town",
        bind="query-params",
        persist_state="session",
        help="Each number is another town.",
    )
    cm_per_px = right.selectbox(
        "Native",
        GSDS_CM_PER_PX,
        index=1,
        format_func=lambda v: f"{v:g} cm/px",
        key="town_gsd",
        bind="query-params",
        persist_state="session",
        help="The ground resolution at which the town's image is drawn.",
    )
    return Choice(_town(int(seed), float(cm_per_px)))


def _town(seed: int, cm_per_px: float) -> Subject:
    def make() -> Subject:
        with st.spinner("Generating the town"):
            town = make_town(seed=seed)
            return Subject(
                key=f"town-{seed}-{cm_per_px:g}",
                title=f"Generated town {seed}",
                raster=town.render(cm_per_px),
                truth=Truth(town.footprints),
                credit="Generated image; the reference buildings are exact.",
            )

    return cache("images").get_or_make(("town", seed, cm_per_px), make, lambda subject: subject.size_bytes)
