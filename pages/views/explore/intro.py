"""What the page is for, in three sentences, on the first visit of a session."""

import streamlit as st

from pages.app.state import session

TEXT = (
    "A model that maps buildings well at 5 cm/px may fail at 40: roofs blur, neighbours merge, small houses vanish. "
    "Move **Ground resolution** and see which buildings each model finds, misses and invents. "
    "For your own image open **Image**, at the top left, and choose **Upload**."
)


def decide() -> None:
    """Open the card on a first visit, unless that came by a link to something of its own."""
    if session().intro_is_open is None:
        session().intro_is_open = not st.query_params


def button() -> None:
    """Draw the button that opens and closes the card."""
    st.button("?", key="intro_toggle", help="What this page shows", on_click=_toggle)


def card() -> None:
    """Draw the card if it is open."""
    place = st.container()  # also without the card: what follows must not move, or its links to the address break
    if not session().intro_is_open:
        return
    with place.container(border=True, horizontal=True, vertical_alignment="center", key="intro"):
        st.markdown(TEXT)
        st.button("Close", key="intro_close", on_click=_toggle, help='"?" opens it again.')


def _toggle() -> None:
    session().intro_is_open = not session().intro_is_open
