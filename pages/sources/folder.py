"""The folder of tiles and scenes: typed on the page, or from `--data` or SCINET_DATA, or the samples on board."""

import argparse
import os
import sys
from pathlib import Path

import streamlit as st

from pages.app.hosting import is_hosted
from pages.app.state import FOLDER
from scinet.datasets import samples
from scinet.errors import SciNetError

HOW_TO_NAME_IT = "Type its path under Folder, set SCINET_DATA, or start with: streamlit run app.py -- --data DIR"


def choose_folder() -> Path:
    """Draw the widget for the folder; returns the folder, which may not exist."""
    preset = _preset_folder()
    if is_hosted():
        return preset
    with st.popover("Folder", width="stretch"):
        typed = st.text_input(
            "Folder of tiles or scenes",
            key=FOLDER,
            bind="query-params",
            persist_state="session",
            placeholder="the sample tiles on board" if preset == samples.FOLDER else str(preset),
            help="On the machine that runs the app. It contains an index.csv, or a train_tier_1 as published by the "
            "Open Cities AI Challenge.",
        )
    return _typed_or_preset(typed)


def current_folder() -> Path:
    """The folder, for a page that does not draw its widget.

    Raises:
        SciNetError: The command line is wrong.
    """
    return _typed_or_preset(st.session_state.get(FOLDER))


def _typed_or_preset(typed: str | None) -> Path:
    if is_hosted() or not (typed and typed.strip()):
        return _preset_folder()
    return typed_path(typed)


def typed_path(typed: str) -> Path:
    """The path that a user typed; "~" is the home folder.

    Raises:
        SciNetError: It cannot be one.
    """
    try:
        path = Path(typed.strip()).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError):  # too long, of an unknown user, with a null character
        raise SciNetError(f"{typed.strip()[:80]!r} is not a path on this machine. Check it.") from None
    return path


def _preset_folder() -> Path:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--data")
    try:
        flag = parser.parse_known_args(sys.argv[1:])[0].data
    except argparse.ArgumentError:
        raise SciNetError("--data needs a folder: streamlit run app.py -- --data DIR") from None
    if flag or os.environ.get("SCINET_DATA"):
        return Path(flag or os.environ["SCINET_DATA"]).expanduser()
    return samples.FOLDER
