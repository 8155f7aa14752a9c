"""The list of all pages, and the way into one: always through app.py, which sets the layout."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.app.state import MAP_WIDGETS, SOURCE_WIDGETS, session

QUESTIONS = {
    "Explore": "What does a model get wrong in this image at this resolution?",
    "Sweep": "Down to which resolution do the results hold?",
    "Benchmark": "Which model is best at my resolution, and how certain is that?",
    "Models": "What is on board, how was it made, and how do I add my own?",
}


def navigation() -> st.Page:
    """Draw the navigation bar; returns the page that the address asks for."""
    session().entered_through_app = True
    pages = [
        st.Page("pages/explore.py", title="Explore", default=True),
        st.Page("pages/sweep.py", title="Sweep"),
        st.Page("pages/benchmark.py", title="Benchmark"),
        st.Page("pages/models.py", title="Models"),
        st.Page(_moved_to_models, title="Models", url_path="checkpoints", visibility="hidden"),
    ]
    return st.navigation(pages, position="top")


def _moved_to_models() -> None:
    """The page's former address."""
    st.switch_page("pages/models.py", query_params=st.query_params.to_dict())


def through_app() -> None:
    """Keep what was chosen on other pages, and start again through app.py if it was left out.

    Streamlit runs a file of the folder pages/ by itself until something has called `st.navigation`, such as on a
    server's very first visit at a page's own address.
    """
    if not session().entered_through_app:
        navigation()
        st.rerun()
    keep_choices()


def keep_choices() -> None:
    """On another page, set the widgets of image and map to the values they had: the way back leads to what was left.

    Streamlit does so for values chosen by hand, but not for those that came with a link.
    """
    context = get_script_run_ctx()
    page = context.page_script_hash if context else None
    if session().page not in (None, page):
        for key in (*SOURCE_WIDGETS, *MAP_WIDGETS):
            if key in st.session_state and key not in st.query_params:
                st.session_state[key] = st.session_state[key]
    session().page = page
