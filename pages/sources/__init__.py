"""The first part of the sidebar: which image to explore, and its reference buildings. One module per source."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from pages.app.hosting import allows_addresses
from pages.app.navigation import keep_choices
from pages.app.state import SOURCE, session
from pages.app.subject import Choice
from pages.sources import examples, path, scenes, tiles, town, upload
from scinet.errors import SciNetError

_SOURCES: dict[str, Callable[[], Choice]] = {
    "Examples": examples.choose,
    "Town": town.choose,
    "Tiles": tiles.choose,
    "Scenes": scenes.choose,
    "Upload": upload.choose,
    "Path": path.choose,
}


def choose() -> Choice:
    """Draw the widgets of the source; after bad input the previous image stays.

    The choice belongs to the session: all pages that call this show the same image.
    """
    _open_links_to_the_town()
    keep_choices()
    names = [name for name in _SOURCES if name != "Path" or allows_addresses()]
    source = st.segmented_control(
        "Source",
        names,
        default=names[0],
        key=SOURCE,
        bind="query-params",
        persist_state="session",
        required=True,
        width="stretch",
    )
    try:
        choice = _SOURCES[source if source in names else names[0]]()
    except SciNetError as error:
        choice = Choice(None, problem=str(error))
    if choice.subject is not None:
        session().subject = choice.subject
        return choice
    if session().subject is None and source == "Upload":  # a link to an upload
        session().subject = examples.first_example()
    return replace(choice, subject=session().subject)


def _open_links_to_the_town() -> None:
    """Links to a town need not name their source: the town was once the default."""
    asked = st.query_params
    if SOURCE not in st.session_state and SOURCE not in asked and ("town" in asked or "town_gsd" in asked):
        st.session_state[SOURCE] = "Town"
