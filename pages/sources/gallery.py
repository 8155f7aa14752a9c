"""Thumbnails of a folder's tiles, to choose by."""

from pathlib import Path

import streamlit as st
from PIL import Image

GALLERY_TILES = 12


def gallery(folder: Path, images: list[str], chosen: str) -> None:
    """Thumbnails around the chosen tile; a click on a name takes it."""
    start = images.index(chosen) // GALLERY_TILES * GALLERY_TILES
    shown = images[start : start + GALLERY_TILES]
    with st.popover(f"Choose by picture ({start + 1} to {start + len(shown)} of {len(images)})", width="stretch"):
        for row in range(0, len(shown), 3):
            for column, image in zip(st.columns(3, wrap=False), shown[row : row + 3], strict=False):
                small = thumbnail(str(folder / image))
                if small is not None:
                    column.image(small, width="stretch")
                column.button(
                    "Shown" if image == chosen else "Take",
                    key=f"take-{image}",
                    on_click=_take,
                    args=(image,),
                    disabled=image == chosen,
                    width="stretch",
                )
        before, after = st.columns(2, wrap=False)
        last = max(0, start - GALLERY_TILES)
        following = min(len(images) - 1, start + GALLERY_TILES)
        before.button("Earlier", on_click=_take, args=(images[last],), disabled=start == 0, width="stretch")
        end = start + GALLERY_TILES >= len(images)
        after.button("Later", on_click=_take, args=(images[following],), disabled=end, width="stretch")


def _take(image: str) -> None:
    st.session_state["tile"] = image


@st.cache_data(max_entries=512, show_spinner=False)
def thumbnail(path: str) -> Image.Image | None:
    """The image at 160 px a side at most; None where it cannot be read."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (160, 160))
            small = image.convert("RGB")
    except OSError:
        return None
    small.thumbnail((160, 160))
    return small
