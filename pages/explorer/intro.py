"""What the page is for, in three sentences and a picture, at the first visit of a session."""

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw
from streamlit.delta_generator import DeltaGenerator

from scinet import draw
from scinet.town import make_town

GSDS_CM_PER_PX = (5.0, 40.0)
TOWN_M, VIEW_M, SIDE_PX, LINE_PX = 40.0, 20.0, 250, 6
TEXT = (
    "A model that maps buildings well at 5 cm/px may fail at 40: roofs blur, neighbours fuse, small houses vanish. "
    "Move **Ground resolution** and see on the map which buildings each model finds, misses, merges or breaks. "
    "Start with the generated town, then take your own image: **Upload**, in the sidebar."
)


def open_card() -> DeltaGenerator | None:
    """The card above the page's lower edge, which moves nothing, and the place of its picture; None once closed."""
    if st.session_state.get("intro.closed"):
        st.sidebar.button("?", key="intro_open", on_click=_close, args=(False,), help="What this page shows")
        return None
    with st.container(key="intro"):
        picture = st.empty()
        st.markdown(TEXT)
        st.button(
            "Close", key="intro_close", on_click=_close, args=(True,), help='"?" in the sidebar brings this back.'
        )
    return picture


def fill(picture: DeltaGenerator | None) -> None:
    """Draw the card's picture: called at the end, as the page itself comes first."""
    if picture is not None:
        picture.image(_two_resolutions(), width="stretch", caption="The same place at 5 and at 40 cm/px")


def _close(closed: bool) -> None:
    st.session_state["intro.closed"] = closed


@st.cache_data(show_spinner=False)
def _two_resolutions() -> bytes:
    """A generated town at both resolutions side by side, its true footprints outlined, as WebP."""
    town = make_town(seed=0, size_m=TOWN_M)
    page = Image.new("RGB", (2 * SIDE_PX + LINE_PX, SIDE_PX), "white")
    top_m, px_per_m = TOWN_M - VIEW_M, SIDE_PX / VIEW_M  # the lower left quarter
    for i, cm_per_px in enumerate(GSDS_CM_PER_PX):
        view_px = round(VIEW_M * 100 / cm_per_px)
        side = Image.fromarray(town.render(cm_per_px).pixels[-view_px:, :view_px])
        side = side.resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST if view_px < SIDE_PX else None)
        pen = ImageDraw.Draw(side)
        for polygon in town.footprints.polygons:
            for part in getattr(polygon, "geoms", [polygon]):
                pen.line([(x * px_per_m, (-y - top_m) * px_per_m) for x, y in part.exterior.coords], draw.YELLOW, 2)
        page.paste(side, (i * (SIDE_PX + LINE_PX), 0))
    return draw.encode_image(np.asarray(page))
