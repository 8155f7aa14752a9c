"""The app: ``streamlit run app.py``."""

import streamlit as st

from pages.explorer import entry

st.set_page_config(page_title="Sci-Net explorer", page_icon="🏘️", layout="wide")
entry.settle()
entry.navigation().run()
