"""The way into a page: always through app.py, which sets the layout; and the list of all pages."""

import atexit
import gc
from functools import cache

import streamlit as st

from pages.views.explore import panels  # noqa: F401  with PyTorch and all else that every page needs

_THROUGH_APP = "app.ran"


def navigation() -> st.Page:
    """The pages in the bar on top; returns the one that is asked for."""
    st.session_state[_THROUGH_APP] = True
    pages = [
        st.Page("pages/explore.py", title="Explore", default=True),
        st.Page("pages/sweep.py", title="Sweep"),
        st.Page("pages/benchmark.py", title="Benchmark"),
        st.Page("pages/models.py", title="Models"),
    ]
    return st.navigation(pages, position="top")


@cache
def freeze_imports() -> None:
    """Have garbage collection pass over what has been imported, which stays.

    Streamlit collects after every run of a script: among PyTorch's objects that took 0.3 s, in which nothing was sent
    to any browser.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


def through_app() -> None:
    """Start anew through app.py where a server's very first visit goes to a page's own address.

    Streamlit runs a file of the folder pages/ by itself until something has called `st.navigation`.
    """
    if not st.session_state.get(_THROUGH_APP):
        navigation()
        st.rerun()
