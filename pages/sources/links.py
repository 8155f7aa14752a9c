"""Links to uploads: a button that keeps the files of a visit, and what opens them in another one."""

import streamlit as st

from pages.app import kept_uploads
from pages.app.kept_uploads import Limits
from pages.app.markdown import sentence
from pages.app.state import Key, session
from scinet.errors import SciNetError

PARAMETER = "kept"
_FILES = ("image_file", "truth_file")  # keys of uploaders


@st.cache_resource(ttl=3600, show_spinner=False)
def tidy_up() -> None:
    """Remove what has been kept long enough, once an hour."""
    kept_uploads.remove_old()


def open_link() -> None:
    """Open the upload that the address names, once."""
    tidy_up()
    key = st.query_params.get(PARAMETER)
    if key is None or key == session().opened_link:
        return
    session().opened_link = key
    kept = kept_uploads.read(key)
    if kept is None:
        del st.query_params[PARAMETER]
        return
    session().uploads.update(kept.files)
    for name, text in kept.fields.items():
        st.session_state[name] = text
    session().link_of = _state(), key


def offer_link(name: str) -> None:
    """Draw the button that keeps the files of this visit, or say that they are kept.

    Args:
        name: The key of the text field for the image's resolution, which is kept with it.
    """
    limits = Limits.from_environment()
    if not limits.is_on:
        return
    of, key = session().link_of or (None, None)
    if key is not None and of == _state():
        st.query_params[PARAMETER] = key  # other pages drop it
        st.caption(
            f"The address of this page opens this upload for everybody who has it, for {limits.days:g} days or until "
            "newer ones need the room."
        )
        return
    if st.button(
        "Keep for a link",
        key="keep_upload",
        width="stretch",
        help=f"Keeps the files on the server, for {limits.days:g} days, so that the address of this page opens them.",
    ):
        _keep(name)
        st.rerun()


def forget_link() -> None:
    """Other files have been chosen: the address does not lead to them."""
    session().opened_link = session().link_of = None
    if PARAMETER in st.query_params:
        del st.query_params[PARAMETER]


def _keep(name: str) -> None:
    files = {key: session().uploads[key] for key in _FILES if key in session().uploads}
    texts = {name: st.session_state[name]} if st.session_state.get(name) else {}
    try:
        key = kept_uploads.keep({key: (file.name, file.getvalue()) for key, file in files.items()}, texts)
    except SciNetError as error:
        st.toast(sentence(str(error)), icon=":material/error:")
        return
    session().opened_link, session().link_of = key, (_state(), key)


def _state() -> Key:
    """The files of this visit."""
    return tuple(session().uploads[key].file_id for key in _FILES if key in session().uploads)
