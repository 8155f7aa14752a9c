"""The app for others: ``streamlit run pages/app/hosted.py --server.address=0.0.0.0``; docs/hosting.md says how."""

import os
import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # streamlit run adds the folder of the script, which is not the one of app.py

from pages.app.gate import Gate, report_error  # noqa: E402

os.environ["SCINET_HOSTED"] = "1"
st.secrets.load_if_toml_exists()  # they become environment variables, the only ones that some services have
app = st.App(ROOT / "app.py", middleware=[Middleware(Gate)], on_script_error=report_error)
