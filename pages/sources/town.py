"""Source "Town": the generated one that is on board."""

import streamlit as st

from pages.app.subject import Choice, Subject
from scinet.synthetic.town import make_town

GSDS_CM_PER_PX = (5.0, 10.0, 20.0)


def choose() -> Choice:
    left, right = st.columns(2)
    seed = left.number_input(
        "Town",
        0,
        9999,
        0,
        key="town",
        bind="query-params",
        persist_state="session",
        help="Each number is another town.",
    )
    cm_per_px = right.selectbox(
        "Rendered at",
        GSDS_CM_PER_PX,
        index=1,
        format_func=lambda v: f"{v:g} cm/px",
        key="town_gsd",
        bind="query-params",
        persist_state="session",
        help="The town's native ground sample distance, in cm/px.",
    )
    return Choice(_town(int(seed), float(cm_per_px)))


@st.cache_resource(max_entries=6, show_spinner="Building the town")
def _town(seed: int, cm_per_px: float) -> Subject:
    town = make_town(seed=seed)
    return Subject(
        key=f"town-{seed}-{cm_per_px:g}",
        title=f"Generated town {seed}",
        raster=town.render(cm_per_px),
        truth=town.footprints,
        credit="Drawn by the program; the footprints are exact.",
    )
