"""The app: ``streamlit run app.py``."""

import streamlit as st

from pages.app import navigation, page
from scinet.models.memory import tune_memory

st.set_page_config(page_title="Sci-Net explorer", page_icon="🏘️", layout="wide")
tune_memory()
navigation.freeze_imports()
page.apply_style()
navigation.navigation().run()
