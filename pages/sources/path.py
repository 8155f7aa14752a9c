"""Source "Path": an image on the machine that runs the app, or at an http(s) address."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from pages.app.hosting import is_hosted
from pages.app.state import PATH, session
from pages.app.subject import Choice, hash_of
from pages.sources.aerial import search
from pages.sources.bands import choose_bands
from pages.sources.folder import typed_path
from pages.sources.reading import choose_image_reading, choose_reference_reading
from pages.sources.upload import ask_cm_per_px, flight_note
from pages.sources.window import TruthFile, choose_part
from scinet.datasets.web_cache import default_cache, with_cache
from scinet.errors import GsdMissingError, RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.open import is_remote
from scinet.raster.pyramid.templates import is_template
from scinet.raster.scene import Scene, open_scene
from scinet.store import is_in_store
from scinet.web import host, is_url


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    typed = st.text_input(
        "Path or URL",
        key=PATH,
        bind="query-params",
        persist_state="session",
        placeholder="https://host/scene.tif",
        on_change=_allow_typed,
        help="An image of any size on the machine that runs the app: a GeoTIFF, GeoPackage, MBTiles, PMTiles or a "
        "folder of tiles (zoom/column/row.png). Or the address of a Cloud Optimized GeoTIFF (COG), of tiles with "
        "{z}, {x} and {y}, of a WMTS, TMS or WMS service or of a STAC item: only what is displayed is read. Or a COG "
        "in an object store: s3://bucket/key.tif, with the credentials of the environment.",
    )
    source = (typed or "").strip()
    search()
    if not source:
        return Choice(
            None, hint="Type the path or URL of an image in the sidebar. Until then, the previous image stays."
        )
    if is_in_store(source) and not is_hosted() and session().allowed_url != source:
        return Choice(None, hint="Links cannot name an image in an object store. Type its address in the sidebar.")
    if is_hosted() and not is_url(source):
        raise RasterError("This server reads images at http and https addresses only. Give one, or upload the image.")
    if is_url(source) and session().allowed_url != source:
        st.button("Read from the web", key="allow_url", on_click=_allow, args=(source,), width="stretch")
        return Choice(None, hint=f"This link names an image at {host(source)}. Read it with the button in the sidebar.")
    choice = choose_image_reading(is_template(source))
    key = hash_of(source if is_remote(source) else file_key(typed_path(source)), choice)
    try:
        scene, cm_per_px = _open(source, key, None, choice), None
    except GsdMissingError as missing:
        cm_per_px = ask_cm_per_px(key, missing.likely_cm_per_px, _open(source, key, 100, choice))
        if cm_per_px is None:
            return Choice(None, hint=f"{missing} Enter it in the sidebar.")
        scene = _open(source, key, cm_per_px, choice)
        scene = replace(scene, notes=(*scene.notes, *flight_note(scene, missing.likely_cm_per_px, cm_per_px)))
    scene, key = choose_bands(scene, hash_of(key, cm_per_px), least=3)
    return choose_part(scene, key, scene.name, _typed_truth)


@st.cache_resource(max_entries=8, ttl=3600, show_spinner="Opening the image")
def _open(source: str, key: str, cm_per_px: float | None, _choice: ImageChoice) -> Scene:
    scene = open_scene(source if is_remote(source) else typed_path(source), cm_per_px=cm_per_px, choice=_choice)
    return with_cache(scene, default_cache())


def _allow_typed() -> None:
    _allow((st.session_state[PATH] or "").strip())


def _allow(url: str) -> None:
    """Allow requests to an address that the user has typed or confirmed; one from a link alone asks nothing."""
    session().allowed_url = url


def file_key(path: Path) -> str:
    """A hash that changes with a file's content, as far as its time and size tell."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return hash_of(str(path))  # opening it says what is wrong
    return hash_of(str(path), facts.st_mtime_ns, facts.st_size)


def _typed_truth() -> TruthFile | None:
    if is_hosted():  # whose files are not the visitor's
        return None
    typed = st.text_input(
        "Reference buildings (optional)",
        key="truth_path",
        bind="query-params",
        persist_state="session",
        placeholder="Path of the footprints or mask",
        help="A vector file or a georeferenced mask on the machine that runs the app",
    )
    if not (typed or "").strip():
        return None
    path = typed_path(typed)
    mask, features = choose_reference_reading()
    return TruthFile(path, path.name, hash_of(file_key(path), mask, features), mask, features)
