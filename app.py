"""The app: ``streamlit run app.py``."""

import streamlit as st

from pages.explorer import entry

entry.mark()
st.set_page_config(page_title="Sci-Net explorer", page_icon="🏘️", layout="wide")
st.navigation(
    [
        st.Page("pages/explore.py", title="Explore", default=True),
        st.Page("pages/sweep.py", title="Sweep"),
    ],
    position="top",
).run()
