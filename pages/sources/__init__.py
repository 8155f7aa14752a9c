"""The sidebar's first part: which image is explored, and its truth where there is one. One module a source."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.app.subject import Choice, Subject
from pages.sources import path, scenes, tiles, town, upload
from scinet.errors import SciNetError

__all__ = ["Choice", "Subject", "choose"]

_SOURCES: dict[str, Callable[[], Choice]] = {
    "Town": town.choose,
    "Tiles": tiles.choose,
    "Scenes": scenes.choose,
    "Upload": upload.choose,
    "Path": path.choose,
}

_BOUND = (
    "source",
    "town",
    "town_gsd",
    "folder",
    "city",
    "native",
    "tile",
    "scene_file",
    "scene",
    "path",
    "truth_path",
    "side",
    "column",
    "row",
)


def choose() -> Choice:
    """The widgets of the source; bad input leaves the former image in place.

    The choice belongs to the session: pages that call this show the same image.
    """
    _carry_over()
    former: Subject | None = st.session_state.get("explore.subject")
    names = list(_SOURCES)
    source = st.segmented_control(
        "Source",
        names,
        default=names[0],
        key="source",
        bind="query-params",
        persist_state="session",
        required=True,
        width="stretch",
    )
    try:
        choice = _SOURCES[source or names[0]]()
    except SciNetError as error:
        choice = Choice(None, problem=str(error))
    if choice.subject is not None:
        st.session_state["explore.subject"] = choice.subject
        return choice
    return replace(choice, subject=former)


def _carry_over() -> None:
    """On another page, set the widgets to what the former page's held.

    Streamlit does so for what was chosen by hand, but not for what came with a link.
    """
    context = get_script_run_ctx()
    page = context.page_script_hash if context else None
    if st.session_state.get("explore.page") not in (None, page):
        for key in _BOUND:
            if key in st.session_state and key not in st.query_params:
                st.session_state[key] = st.session_state[key]
    st.session_state["explore.page"] = page
