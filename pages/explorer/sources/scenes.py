"""Source "Scenes": those of the Open Cities AI Challenge, of which the ones on disk can be opened."""

import streamlit as st

from pages.explorer.sources.dialog import dialog_button
from pages.explorer.sources.folder import choose_folder
from pages.explorer.sources.path import file_key
from pages.explorer.sources.subject import Choice, hash_of
from pages.explorer.sources.window import TruthFile, choose_part
from pages.explorer.sources.world import show_world
from scinet.catalog import CREDIT, PublishedScene, SceneFiles, published_scenes, scenes_in
from scinet.scene import Scene, open_scene


def choose() -> Choice:
    left, right = st.columns(2)
    with left:
        folder = choose_folder()
    here = scenes_in(folder)
    scenes = {scene.id: scene for scene in sorted(published_scenes(), key=lambda scene: scene.id not in here)}
    taken = st.session_state.pop("explore.scene_taken", None)
    if taken is not None:
        st.session_state["scene"] = taken
    name = st.selectbox(
        "Scene", list(scenes), format_func=lambda n: _label(scenes[n]), key="scene", bind="query-params",
        persist_state="session", help="Those in the folder first.",
    )  # fmt: skip
    scene = scenes[name]
    with right:
        looking = dialog_button("Map", "world", "The scenes on a map of the world")
    if looking:
        show_world(published_scenes(), set(here), name)
    if name not in here:
        return Choice(
            None,
            hint=f"{scene.city} {name} (about {scene.about_gb:.2g} GB) is not in the folder {folder}. "
            f"Download it from the Open Cities AI Challenge and put it there as {scene.path}.",
        )
    return open_files(here[name], f"{scene.city} {name}")


def _label(scene: PublishedScene) -> str:
    return f"{scene.city} {scene.id}, {scene.cm_per_px:.1f} cm/px"


def open_files(files: SceneFiles, title: str) -> Choice:
    """A scene on disk, with its labels as truth."""
    key = file_key(files.image)
    labels = None
    if files.labels is not None:
        labels = TruthFile(files.labels, files.labels.name, hash_of(file_key(files.labels)))
    return choose_part(_open(str(files.image), key), key, title, labels, CREDIT)


@st.cache_resource(max_entries=8, show_spinner="Opening the scene")
def _open(path: str, key: str) -> Scene:
    return open_scene(path)
