"""Which part of an image counts, and whether its reference names every building."""

from dataclasses import replace

import streamlit as st

from pages.app.state import cache
from pages.app.subject import Choice, Subject, hash_of
from pages.sources.upload import TRUTH_SUFFIXES, digest_of, kept_uploader
from scinet.errors import TruthError
from scinet.vector.area import Area, read_area

_AREA_BYTES = 100_000  # about


def choose(choice: Choice) -> Choice:
    """Draw the widgets of the area of interest and of labels, and apply them to the image."""
    subject = choice.subject
    if subject is None:
        return choice
    with st.expander("Area and labels"):
        file = kept_uploader(
            "Area of interest (optional)",
            [suffix for suffix in TRUTH_SUFFIXES if suffix not in ("png", "tif", "tiff", "jpg", "jpeg", "webp", "jp2")],
            "area_file",
            "Polygons in a vector file. Nothing outside them counts.",
        )
        is_partial = st.toggle(
            "Not everything is labelled",
            key="not_all_labelled",
            bind="query-params",
            disabled=subject.truth is None,
            help="The reference does not name every building: only what is near those that it names is scored. Figures "
            "that would need all of them, such as IoU and false area, are left out.",
        )
    if is_partial and subject.truth is not None:
        subject = replace(subject, key=hash_of(subject.key, "partial"), truth=replace(subject.truth, is_partial=True))
    if file is None:
        return replace(choice, subject=subject)
    try:
        area = _area(subject, file.getvalue(), digest_of(file), file.name)
    except TruthError as error:
        return replace(choice, subject=subject, problem=str(error))
    return replace(choice, subject=replace(subject, key=hash_of(subject.key, area.key), area=area))


def _area(subject: Subject, content: bytes, digest: str, name: str) -> Area:
    return cache("images").get_or_make(
        ("area", subject.key, digest), lambda: read_area(content, subject.raster.grid, name), lambda _: _AREA_BYTES
    )
