"""Which part of an image counts, and whether its reference names every building."""

from dataclasses import replace
from typing import Any

import streamlit as st
from rasterio.crs import CRS

from pages.app.markdown import sentence
from pages.app.state import DrawnArea, cache, session
from pages.app.subject import Choice, Subject
from pages.sources import area_link
from pages.sources.upload import digest_of, kept_uploader
from scinet.errors import TruthError
from scinet.vector.area import Area, read_area

_AREA_BYTES = 100_000  # about
_MOST_CORNERS = 1000


def choose(choice: Choice) -> Choice:
    """Draw the widgets of the area of interest and of labels, and apply them to the image."""
    subject = choice.subject
    if subject is None:
        return choice
    if choice.problem is None and choice.hint is None:  # else it is another image than the address names
        _open_link(subject)
    drawn = _drawn_area(subject)
    _keep_in_address(drawn)
    if session().drawing_problem:
        st.toast(sentence(session().drawing_problem or ""), icon=":material/error:")
        session().drawing_problem = None
    with st.expander("Area and labels"):
        if drawn is not None:
            st.button("Remove the drawn area", key="remove_area", width="stretch", on_click=_remove)
            if not drawn.text:
                st.caption(f"Links leave the drawn area out: it has more than {area_link.MOST_CORNERS} corners.")
        file = kept_uploader(
            "Area of interest (optional)",
            "area_file",
            "Polygons in a vector file: nothing outside them counts. Or draw an area on the map of Explore, which "
            "counts instead of the file.",
        )
        is_partial = st.toggle(
            "Not everything is labelled",
            key="not_all_labelled",
            bind="query-params",
            persist_state="session",
            disabled=subject.truth is None,
            help="The reference does not name every building: only what is near those that it names is scored. Figures "
            "that would need all of them, such as IoU and false area, are left out.",
        )
    if is_partial and subject.truth is not None:
        subject = replace(subject, truth=replace(subject.truth, is_partial=True))
    if drawn is not None:
        return replace(choice, subject=replace(subject, area=drawn.area))
    if file is None:
        return replace(choice, subject=subject)
    try:
        area = _area(subject, file.getvalue(), digest_of(file), file.name)
    except TruthError as error:
        return replace(choice, subject=subject, problem=str(error))
    return replace(choice, subject=replace(subject, area=area))


def draw(subject: Subject, corners: Any) -> None:
    """Take what was drawn on the map of an image as its area of interest, in place of the former one.

    Args:
        subject: The image.
        corners: As `pages.map.view.show_map` hands them on; None removes the area.
    """
    if corners is None:
        _remove()
        return
    crs, grid = None if subject.raster.crs is None else CRS.from_epsg(4326), subject.raster.grid
    try:
        _take(subject, area_link.corners_in_px(points_of(corners), crs, grid))
    except TruthError as error:
        session().drawing_problem = str(error)


def _take(subject: Subject, corners: area_link.Corners) -> None:
    """Make corners on an image, in px, its area of interest. Raises TruthError."""
    grid = subject.raster.grid
    area = area_link.area_in_px(corners, grid)
    session().drawn_area = DrawnArea(subject.place_key, area, area_link.to_text(corners, grid))


def _open_link(subject: Subject) -> None:
    """Take the area that the address names, once."""
    text = st.query_params.get(area_link.PARAMETER)
    if text is None or text == session().area_link:
        return
    session().area_link = text
    try:
        _take(subject, area_link.from_text(text, subject.raster.grid))
    except TruthError as error:
        session().drawing_problem = str(error)


def _keep_in_address(drawn: DrawnArea | None) -> None:
    """Have a copied address open the drawn area, and no other."""
    text = "" if drawn is None else drawn.text
    if text == st.query_params.get(area_link.PARAMETER, ""):
        return
    if text:
        st.query_params[area_link.PARAMETER] = session().area_link = text
    else:
        del st.query_params[area_link.PARAMETER]


def points_of(corners: Any) -> list[tuple[float, float]]:
    """Corners [y, x] of the browser as (x, y). Raises TruthError."""
    try:
        points = [(float(x), float(y)) for y, x in corners]
    except (TypeError, ValueError):
        points = []
    if len(points) > _MOST_CORNERS:
        raise TruthError(f"The drawn area has more than {_MOST_CORNERS} corners. Give it as a file.")
    return points


def _drawn_area(subject: Subject) -> DrawnArea | None:
    drawn = session().drawn_area
    return drawn if drawn is not None and drawn.place == subject.place_key else None


def _remove() -> None:
    session().drawn_area = None


def _area(subject: Subject, content: bytes, digest: str, name: str) -> Area:
    return cache("images").get_or_make(
        ("area", subject.key, digest), lambda: read_area(content, subject.raster.grid, name), lambda _: _AREA_BYTES
    )
