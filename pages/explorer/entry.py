"""The way into a page: always through app.py, which sets its layout and the navigation."""

import streamlit as st

_THROUGH_APP = "app.ran"


def mark() -> None:
    """Called by app.py at its start."""
    st.session_state[_THROUGH_APP] = True


def ensure(page: str) -> None:
    """Start anew through app.py where a server's very first visit goes to a page's own address.

    Streamlit runs a file of the folder pages/ by itself until something has called `st.navigation`.
    """
    if not st.session_state.get(_THROUGH_APP):
        st.navigation([st.Page(page)], position="hidden")
        st.rerun()
