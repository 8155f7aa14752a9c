"""What the page is for, in three sentences and a picture, on the first visit of a session."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.app import drawing
from pages.app.markdown import sentence
from pages.app.runs import MaskSettings, Task, evaluate, run
from pages.app.state import Key, cache, session
from pages.sources.examples import first_example
from scinet.errors import SciNetError
from scinet.models.card import Card, list_models
from scinet.segmentation.strategies import Strategy

GSDS_CM_PER_PX = (8.0, 50.0)
PICTURE_PX = 124
TEXT = (
    "A model that maps buildings well at 5 cm/px may fail at 40: roofs blur, neighbours merge, small houses vanish. "
    "Move **Ground resolution** and see on the map which buildings each model finds, misses, merges or fragments. "
    "Start with the examples, then use your own image: **Upload**, in the sidebar."
)


def decide() -> None:
    """Open the card on a first visit, unless that came by a link to something of its own."""
    if session().intro_is_open is None:
        session().intro_is_open = not st.query_params


def button() -> None:
    """Draw the button that opens and closes the card."""
    st.button("?", key="intro_toggle", help="What this page shows", on_click=_toggle)


def open_card() -> DeltaGenerator | None:
    """Draw the card if it is open; returns the place of its picture."""
    place = st.container()  # also without the card: what follows must not move, or its links to the address break
    if not session().intro_is_open:
        return None
    with place.container(border=True, key="intro"):
        left, right = st.columns([2, 5], vertical_alignment="center", gap="small")
        picture = left.container(key="intro_picture").empty()
        right.markdown(TEXT)
        right.button("Close", key="intro_close", on_click=_toggle, help='"?" opens it again.')
    return picture


def fill(place: DeltaGenerator | None) -> None:
    """Draw the card's picture: called last, so that it does not hold up the page itself."""
    cards = list_models()
    if place is None or not cards:
        return
    card = cards[0]
    key: Key = ("intro", card.name, card.sha256)
    try:
        pictures = cache("derived").get_or_make(key, lambda: _pictures(card), lambda made: sum(map(len, made)))
    except SciNetError:
        return  # the page itself says what is wrong with the model
    place.image(
        pictures,
        caption=[f"{sentence(card.title)}, {gsd:g} cm/px" for gsd in GSDS_CM_PER_PX],
        width=PICTURE_PX,
        alt=[f"Errors of {card.title} at {gsd:g} cm/px" for gsd in GSDS_CM_PER_PX],
    )


def _pictures(card: Card) -> list[bytes]:
    """The first example at two resolutions with the errors of a model, each as JPEG."""
    settings = MaskSettings()
    pictures = []
    for cm_per_px in GSDS_CM_PER_PX:
        task = Task(first_example(), card, cm_per_px, Strategy())
        found = evaluate(run(task, lambda _: None, settings.threshold), settings).evaluation
        classes, colours = drawing.overlay_classes(found.diagnosis, found.prediction)
        pictures.append(drawing.overlay_picture(found.raster, classes, colours, side_px=2 * PICTURE_PX))
    return pictures


def _toggle() -> None:
    session().intro_is_open = not session().intro_is_open
