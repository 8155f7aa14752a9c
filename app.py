"""The app: ``streamlit run app.py``."""

import streamlit as st

st.set_page_config(page_title="Sci-Net explorer", page_icon="🏘️", layout="wide")
st.navigation([st.Page("pages/explore.py", title="Explore", default=True)], position="top").run()
