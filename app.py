"""The app: ``streamlit run app.py``."""

import streamlit as st

from pages.app import navigation

st.set_page_config(page_title="Sci-Net explorer", page_icon="🏘️", layout="wide")
navigation.freeze_imports()
navigation.navigation().run()
