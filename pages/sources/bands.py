"""Choosers for the page and the bands of an image that has several, with a preview of what they show."""

from dataclasses import replace

import streamlit as st

from pages.app.markdown import sentence
from pages.app.state import cache
from pages.app.subject import hash_of
from pages.sources.window_dialog import picture
from scinet.errors import RasterError
from scinet.raster.scene import Layout, Scene, open_scene
from scinet.raster.scene_window import central_window

PREVIEW_PX = 280
COLOURS = ("Red", "Green", "Blue")


def choose_bands(scene: Scene, key: str, least: int) -> tuple[Scene, str]:
    """The scene with the page and the bands that its user chooses; draws widgets only if there is a choice.

    Args:
        scene: The image, as it is read without a choice.
        key: Changes with its content.
        least: With how many bands, besides transparency, there is a choice.

    Returns:
        The scene, and a key that changes with the choice too.
    """
    layout = _layout(scene, key)
    colours = [band for band in range(1, len(layout.bands) + 1) if band != layout.alpha]
    if layout.pages == 1 and len(colours) < least:
        return scene, key
    with st.expander("Bands and page" if layout.pages > 1 else "Bands"):
        if layout.pages > 1:
            page = st.selectbox("Page", range(1, layout.pages + 1), key=f"page-{key[:12]}", persist_state="session")
            if page != scene.choice.page:
                scene, key = _on_page(scene, page), hash_of(key, page)
                layout = _layout(scene, key)
                colours = [band for band in range(1, len(layout.bands) + 1) if band != layout.alpha]
        if len(colours) >= len(COLOURS):
            scene, key = _with_bands(scene, key, layout, colours)
        if layout.pages > 1 or len(colours) > len(COLOURS):  # else the image itself shows it
            _preview(scene, key)
    return scene, key


def _layout(scene: Scene, key: str) -> Layout:
    return cache("images").get_or_make(("layout", key), scene.layout, lambda layout: 1000 + 100 * len(layout.bands))


def _on_page(scene: Scene, page: int) -> Scene:
    cm_per_px = scene.cm_per_px if scene.crs is None else None
    choice = replace(scene.choice, page=page)
    return open_scene(scene.source, cm_per_px=cm_per_px, name=scene.name, choice=choice)


def _with_bands(scene: Scene, key: str, layout: Layout, colours: list[int]) -> tuple[Scene, str]:
    """Draw a chooser for each colour, which begin with the likeliest bands."""
    likely = layout.shown if len(layout.shown) == len(COLOURS) else layout.shown * len(COLOURS)
    chosen = tuple(
        st.selectbox(
            colour,
            colours,
            index=colours.index(band),
            format_func=lambda n: f"{n} {layout.bands[n - 1]}".strip(),
            key=f"band-{colour}-{key[:12]}",
            persist_state="session",
        )
        for colour, band in zip(COLOURS, likely, strict=True)
    )
    if chosen == likely:
        return scene, key
    return replace(scene, choice=replace(scene.choice, bands=chosen)), hash_of(key, chosen)


def _preview(scene: Scene, key: str) -> None:
    def make() -> bytes:
        try:
            seen = scene.overview(PREVIEW_PX)
        except RasterError:  # too large to be seen as a whole
            side_px = min(PREVIEW_PX, scene.width, scene.height)
            seen = scene.window(*central_window(scene, None, side_px), side_px, side_px)
        return picture(seen.pixels, PREVIEW_PX)

    try:
        st.image(cache("thumbnails").get_or_make(("bands", key), make, len), alt="The image with these bands")
    except RasterError as error:
        st.caption(sentence(str(error)))
