"""The list of all pages, and the way into one: always through app.py, which sets the layout."""

import atexit
import gc
from functools import cache

import streamlit as st

from pages.app import runs  # noqa: F401  with PyTorch and all else that is slow to import
from pages.app.state import session


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


@cache
def freeze_imports() -> None:
    """Exclude everything imported so far from garbage collection.

    Streamlit collects after every run of a script: with PyTorch's objects that took 0.3 s, in which nothing was sent
    to any browser.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


def through_app() -> None:
    """Start again through app.py if a server's very first visit goes to a page's own address.

    Streamlit runs a file of the folder pages/ by itself until something has called `st.navigation`.
    """
    if not session().entered_through_app:
        navigation()
        st.rerun()
