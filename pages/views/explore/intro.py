"""What the page is for, in three sentences and a picture, at the first visit of a session."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.app import drawing
from pages.app.result_cache import result_cache
from pages.app.runs import MADE, Key, MaskSettings, Task, judge, run
from pages.sources import Subject
from scinet.errors import SciNetError
from scinet.models.card import Card, list_models
from scinet.synthetic.town import make_town

OPEN = "intro.open"
SEED, TOWN_M = 0, 30.0
GSDS_CM_PER_PX = (5.0, 40.0)
PICTURE_PX = 124
TEXT = (
    "A model that maps buildings well at 5 cm/px may fail at 40: roofs blur, neighbours fuse, small houses vanish. "
    "Move **Ground resolution** and see on the map which buildings each model finds, misses, merges or breaks. "
    "Start with the generated town, then take your own image: **Upload**, in the sidebar."
)


def button() -> None:
    """Brings the card back, or puts it away."""
    st.button("?", key="intro_toggle", help="What this page shows", on_click=_toggle)


def open_card() -> DeltaGenerator | None:
    """The card, where it is open; returns the place of its picture."""
    place = st.container()  # there when the card is not: what follows must not move, or its links to the address break
    if not st.session_state.setdefault(OPEN, True):
        return None
    with place.container(border=True, key="intro"):
        left, right = st.columns([2, 5], vertical_alignment="center", gap="small")
        picture = left.container(key="intro_picture").empty()
        right.markdown(TEXT)
        right.button("Close", key="intro_close", on_click=_toggle, help='"?" brings this back.')
    return picture


def fill(place: DeltaGenerator | None) -> None:
    """Draw the card's picture: called at the end, as the page itself comes first; two small forward passes, once."""
    cards = list_models()
    if place is None or not cards:
        return
    card = cards[0]
    key: Key = ("intro", card.name, card.sha256)
    try:
        pictures = result_cache(MADE).get_or_make(key, lambda: _pictures(card), lambda made: sum(map(len, made)))
    except SciNetError:
        return  # the page itself says what is wrong with the checkpoint
    place.image(pictures, caption=[f"{card.title}, {gsd:g} cm/px" for gsd in GSDS_CM_PER_PX], width=PICTURE_PX)


def _pictures(card: Card) -> list[bytes]:
    """A generated town at two resolutions with the errors of a model, each as JPEG."""
    town = make_town(SEED, TOWN_M)
    subject = Subject("intro", "Town", town.render(min(GSDS_CM_PER_PX)), town.footprints)
    made = []
    for cm_per_px in GSDS_CM_PER_PX:
        verdict = judge(run(Task(subject, card, cm_per_px, "direct"), lambda _: None), MaskSettings())
        assert verdict.diagnosis is not None
        classes = drawing.error_classes(verdict.diagnosis, verdict.prediction)
        colours = list(drawing.KIND_COLOURS.values())
        made.append(drawing.overlay_picture(verdict.raster, classes, colours, side_px=2 * PICTURE_PX))
    return made


def _toggle() -> None:
    st.session_state[OPEN] = not st.session_state.get(OPEN, True)
