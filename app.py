"""The app: ``streamlit run app.py``."""

import streamlit as st

from pages.app import navigation, page
from pages.app.warm_up import warm_up
from scinet.models.memory import tune_memory

st.set_page_config(page_title="Sci-Net explorer", page_icon="🏘️", layout="wide")
tune_memory()
page.apply_style()
chosen = navigation.navigation()
page.show_heading(chosen.title, navigation.QUESTIONS[chosen.title])
chosen.run()
warm_up()
