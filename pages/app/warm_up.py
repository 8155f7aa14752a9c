"""Imports that only model runs and charts need, made in the background after the first picture."""

import atexit
import gc
from importlib import import_module
from threading import Thread

import streamlit as st

# PyTorch, and what a run imports with it; plotly. Not timm and smp, which most models on board and custom ones need:
# they take 250 MB
MODULES = (
    "scinet.segmentation.segment",
    "scinet.segmentation.torch_forward",
    "scinet.models.sci_net",
    "plotly.graph_objects",
)


@st.cache_resource(show_spinner=False)
def warm_up() -> Thread:
    """Start importing, once per server."""
    thread = Thread(target=_import_all, name="warm-up", daemon=True)
    thread.start()
    return thread


def _import_all() -> None:
    for name in MODULES:
        import_module(name)
    freeze_imports()


def freeze_imports() -> None:
    """Exclude everything imported so far from garbage collection.

    Streamlit collects after every run of a script: with PyTorch's objects that took 0.3 s, in which nothing was sent
    to any browser.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)
