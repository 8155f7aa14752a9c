"""Which dialog is open. A button alone would lose it at the next rerun, such as when the first masks are there."""

import streamlit as st

_OPEN = "explore.dialog"


def dialog_button(label: str, name: str, help_: str) -> bool:
    """A button that opens a dialog; whether it is open."""
    st.button(label, key=f"open-{name}", help=help_, width="stretch", on_click=_open, args=(name,))
    return st.session_state.get(_OPEN) == name


def close_dialog() -> None:
    """For a dialog's `on_dismiss`, and for what ends it."""
    st.session_state.pop(_OPEN, None)


def _open(name: str) -> None:
    st.session_state[_OPEN] = name
