"""Image, reference and masks as pictures next to one another; each opens large."""

from collections.abc import Sequence

import streamlit as st

from pages.app import drawing
from pages.app.markdown import sentence
from pages.app.runs import Result, truth_on
from pages.app.state import cache
from pages.app.subject import Subject
from scinet.raster.raster import Raster


def show(subject: Subject, raster: Raster, results: Sequence[Result]) -> None:
    """Draw the pictures at the working resolution."""
    at = f"{raster.cm_per_px:.3g} cm/px"
    with st.container(key="pictures"):
        st.image(image_picture(subject, raster), caption="Image", width="stretch", alt=f"Image at {at}")
        if subject.truth is not None:
            st.image(
                _reference_picture(subject, raster), caption="Reference", width="stretch", alt="Reference buildings"
            )
        for result in results:
            title = result.card.title
            st.image(_mask_picture(result), caption=sentence(title), width="stretch", alt=f"Mask of {title} at {at}")


def image_picture(subject: Subject, raster: Raster) -> bytes:
    """The image at the working resolution as a file."""
    key = ("image picture", subject.key, raster.shape)
    return cache("map").get_or_make(key, lambda: drawing.image_picture(raster), len)


def _reference_picture(subject: Subject, raster: Raster) -> bytes:
    key = ("reference picture", subject.key, *subject.scope_key, raster.shape)
    return cache("map").get_or_make(key, lambda: drawing.mask_picture(truth_on(subject, raster) > 0), len)


def _mask_picture(result: Result) -> bytes:
    key = ("mask picture", *result.key)
    return cache("map").get_or_make(key, lambda: drawing.mask_picture(result.evaluation.prediction), len)
