"""Source "Examples": the real tiles that come with the package, so that a first visit needs no data."""

from dataclasses import replace

import streamlit as st

from pages.app.markdown import escaped
from pages.app.subject import Choice, Subject
from pages.sources.tiles import read_tile
from scinet.datasets.samples import Sample, samples


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    by_title = {sample.title: sample for sample in samples()}
    title = st.selectbox(
        "Example",
        list(by_title),
        key="example",
        bind="query-params",
        persist_state="session",
        help="Test tiles, which no model on board was trained on.",
    )
    sample = by_title[title]
    st.caption(f"{sample.about} {escaped(_credit(sample))}.")
    return Choice(read_sample(sample))


def first_example() -> Subject:
    """The example that the app opens with."""
    return read_sample(samples()[0])


def read_sample(sample: Sample) -> Subject:
    """A sample tile as the image to explore."""
    return replace(read_tile(sample.tile, sample.title), sample=sample.tile.name)


def _credit(sample: Sample) -> str:
    return sample.tile.licence.replace("imagery", "Imagery", 1)
