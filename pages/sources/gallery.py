"""Thumbnails of a folder's tiles, to choose one by."""

from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from pages.app.drawing import encode_image
from pages.app.hosting import confine
from pages.app.state import TILE, cache
from scinet.errors import SciNetError

GALLERY_TILES = 12
THUMBNAIL_PX = 160


def gallery(folder: Path, images: list[str], chosen: str) -> None:
    """Draw thumbnails of the tiles around the chosen one, each with a button that chooses it."""
    start = images.index(chosen) // GALLERY_TILES * GALLERY_TILES
    shown = images[start : start + GALLERY_TILES]
    with st.popover(f"Choose by picture ({start + 1} to {start + len(shown)} of {len(images)})", width="stretch"):
        for row in range(0, len(shown), 3):
            for column, image in zip(st.columns(3, wrap=False), shown[row : row + 3], strict=False):
                small = thumbnail(folder, image)
                if small:
                    column.image(small, width="stretch", alt=Path(image).stem)
                column.button(
                    "In use" if image == chosen else "Use",
                    key=f"use-{image}",
                    on_click=_use,
                    args=(image,),
                    disabled=image == chosen,
                    width="stretch",
                )
        before, after = st.columns(2, wrap=False)
        last = max(0, start - GALLERY_TILES)
        following = min(len(images) - 1, start + GALLERY_TILES)
        before.button("Previous", on_click=_use, args=(images[last],), disabled=start == 0, width="stretch")
        end = start + GALLERY_TILES >= len(images)
        after.button("Next", on_click=_use, args=(images[following],), disabled=end, width="stretch")


def _use(image: str) -> None:
    st.session_state[TILE] = image


def thumbnail(folder: Path, image: str) -> bytes:
    """An image of a folder as a JPEG of at most 160 px per side; empty if it cannot be read."""
    try:
        path = confine(folder / image, folder)
    except SciNetError:
        return b""
    return cache("thumbnails").get_or_make(path, lambda: _thumbnail(path), len)


def _thumbnail(path: Path) -> bytes:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (THUMBNAIL_PX, THUMBNAIL_PX))
            small = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return encode_image(np.asarray(small))
