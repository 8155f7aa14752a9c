"""Source "Scenes": those of the Open Cities AI Challenge, from the folder, or from the web if the user allows it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from pages.app.state import SCENE, session
from pages.app.subject import Choice, hash_of
from pages.sources.bands import choose_bands
from pages.sources.dialog import dialog_button
from pages.sources.folder import choose_folder
from pages.sources.path import file_key
from pages.sources.window import TruthFile, choose_part
from pages.sources.world_dialog import show_world
from scinet.datasets import samples
from scinet.datasets.open_cities import CREDIT, PublishedScene, SceneFiles, base_url, published_scenes, scenes_in
from scinet.datasets.web_cache import CachedScene, DiskCache, cached_file, default_cache, open_cached_scene
from scinet.errors import SciNetError
from scinet.raster.scene import Scene, open_scene


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    left, right = st.columns(2)
    with left:
        folder = choose_folder()
    here = scenes_in(folder)
    scenes = {scene.id: scene for scene in sorted(published_scenes(), key=lambda scene: scene.id not in here)}
    picked, session().world_scene = session().world_scene, None
    if picked is not None:
        st.session_state[SCENE] = picked
    name = st.selectbox(
        "Scene",
        list(scenes),
        format_func=lambda n: _label(scenes[n]),
        key=SCENE,
        bind="query-params",
        persist_state="session",
        help="Scenes in the folder come first.",
    )
    scene = scenes[name]
    with right:
        looking = dialog_button("Map", "world", "Shows the scenes on a map of the world.")
    if looking:
        show_world(published_scenes(), set(here), name)
    if name in here:
        return open_files(here[name], f"{scene.city} {name}")
    return _read_from_web(scene, folder)


def _read_from_web(scene: PublishedScene, folder: Path) -> Choice:
    """Draw the toggle without which no request leaves this machine; returns the scene if it is on."""
    base, cache = base_url(), default_cache()
    host = urlsplit(base).netloc
    allowed = st.toggle(
        "Read from the web",
        key="web",
        persist_state="session",
        help=f"Reads the scene's overview, its labels and the windows that you explore from {host}, some MB each. "
        f"The machine that runs the app caches up to {cache.limit_bytes / 1e9:g} GB.",
    )
    if not allowed:
        return Choice(
            None,
            hint=f"{scene.city} {scene.id} is not on this machine. Turn on “Read from the web” in the sidebar, or "
            f"download it (about {scene.about_gb:.2g} GB): `python -m scinet ocaic fetch {scene.id} --to "
            f"{'DIR' if folder == samples.FOLDER else folder}`",
        )
    url = f"{base}/{scene.path}"
    found = _open_web(url, cache)
    labels = _labels(f"{base}/{scene.labels_path}", cache)
    truth, problem = None, None
    if isinstance(labels, str):
        problem = f"Without reference buildings: {labels}"
    else:
        truth = TruthFile(labels, f"{scene.id}.geojson", hash_of(str(labels)))
    choice = choose_part(found, hash_of(url), f"{scene.city} {scene.id}", truth, CREDIT)
    return replace(choice, problem=choice.problem or problem)


def _label(scene: PublishedScene) -> str:
    return f"{scene.city} {scene.id}, {scene.cm_per_px:.1f} cm/px"


def open_files(files: SceneFiles, title: str) -> Choice:
    """A scene on disk, with its labels as reference buildings."""
    key = file_key(files.image)
    labels = None
    if files.labels is not None:
        labels = TruthFile(files.labels, files.labels.name, hash_of(file_key(files.labels)))
    scene, key = choose_bands(_open(str(files.image), key), key, least=4)
    return choose_part(scene, key, title, labels, CREDIT)


@st.cache_resource(max_entries=8, show_spinner="Opening the scene")
def _open(path: str, key: str) -> Scene:
    return open_scene(path)


_BY_CONTENT: dict[str | type[Any], Callable[[Any], Any]] = {DiskCache: str}


@st.cache_resource(max_entries=8, show_spinner="Opening the scene", hash_funcs=_BY_CONTENT)
def _open_web(url: str, cache: DiskCache) -> CachedScene:
    return open_cached_scene(url, cache)


@st.cache_data(ttl=60, show_spinner="Fetching the labels", hash_funcs=_BY_CONTENT)
def _labels(url: str, cache: DiskCache) -> Path | str:
    """The file of a scene's labels, or why there is none, which holds for a minute."""
    try:
        return cached_file(url, cache)
    except SciNetError as error:
        return str(error)
