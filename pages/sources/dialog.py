"""Which dialog is open. A button alone would close it at the next rerun, such as when the first masks are ready."""

import streamlit as st

from pages.app.state import session


def dialog_button(label: str, name: str, help_: str) -> bool:
    """Draw a button that opens a dialog; returns whether it is open."""
    st.button(label, key=f"open-{name}", help=help_, width="stretch", on_click=_open, args=(name,))
    return session().dialog == name


def close_dialog() -> None:
    """Close it: for a dialog's `on_dismiss`, and for the buttons that end it."""
    session().dialog = None


def _open(name: str) -> None:
    session().dialog = name
