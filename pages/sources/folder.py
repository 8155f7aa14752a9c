"""The folder of tiles and scenes: typed on the page, after `--data`, in SCINET_DATA, or the sample tiles on board."""

import argparse
import os
import sys
from pathlib import Path

import streamlit as st

from scinet.datasets import samples
from scinet.errors import SciNetError

WAYS = "Type its path under Folder, set SCINET_DATA, or start with: streamlit run app.py -- --data DIR"


def choose_folder() -> Path:
    """The widget for the folder. A folder that does not exist counts as empty."""
    preset = preset_folder()
    with st.popover("Folder", width="stretch"):
        typed = st.text_input(
            "Folder of tiles or scenes",
            key="folder",
            bind="query-params",
            persist_state="session",
            placeholder="the sample tiles on board" if preset == samples.FOLDER else str(preset),
            help="On the machine that runs the app: with an index.csv, or a train_tier_1 "
            "as the Open Cities AI Challenge publishes it.",
        )
    return Path(typed.strip()).expanduser() if typed and typed.strip() else preset


def preset_folder() -> Path:
    """The folder where none is typed.

    Raises:
        SciNetError: `--data` was given without a folder.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--data")
    try:
        flag = parser.parse_known_args(sys.argv[1:])[0].data
    except argparse.ArgumentError:
        raise SciNetError("--data needs a folder: streamlit run app.py -- --data DIR") from None
    if flag or os.environ.get("SCINET_DATA"):
        return Path(flag or os.environ["SCINET_DATA"]).expanduser()
    return samples.FOLDER
