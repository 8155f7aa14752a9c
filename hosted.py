"""The app for others: ``streamlit run hosted.py --server.address=0.0.0.0``; docs/hosting.md says how."""

import os

import streamlit as st
from starlette.middleware import Middleware

from pages.app.gate import Gate, report_error

os.environ["SCINET_HOSTED"] = "1"
app = st.App("app.py", middleware=[Middleware(Gate)], on_script_error=report_error)
