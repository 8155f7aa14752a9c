"""Source "Tiles": a folder with an index.csv, or with scenes in the layout of the Open Cities AI Challenge."""

import os
from contextlib import suppress
from dataclasses import replace
from math import nan
from pathlib import Path

import pandas as pd
import streamlit as st

from pages.app.hosting import confine
from pages.app.state import TILE, cache
from pages.app.subject import Choice, Subject, hash_of
from pages.sources.bands import choose_bands
from pages.sources.folder import HOW_TO_NAME_IT, choose_folder
from pages.sources.gallery import gallery
from pages.sources.path import file_key
from pages.sources.scenes import open_files
from scinet.datasets.open_cities import scenes_in
from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import RasterError, SciNetError
from scinet.evaluation.grading import two_digits
from scinet.evaluation.truth import read_truth
from scinet.raster.choice import LIKELIEST, ImageChoice
from scinet.raster.scene import read_raster

SPLITS = ("test", "val", "train")
SPLIT_REMARKS = {
    "train": "The models on board may have been trained on this tile: see their cards.",
    "val": "This tile may have been used to select the models: see their cards.",
}


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    folder = choose_folder()
    path = folder / "index.csv"
    if path.is_file():
        return _choose_tile(folder, _index(str(folder), path.stat().st_mtime_ns))
    scenes = scenes_in(folder)
    if not scenes:
        raise RasterError(f"{folder} contains neither an index.csv nor a train_tier_1 of scenes. {HOW_TO_NAME_IT}")
    name = st.selectbox(
        "Scene",
        list(scenes),
        format_func=lambda n: f"{scenes[n].city_code} {n}",
        key="scene_file",
        bind="query-params",
        persist_state="session",
    )
    confine(scenes[name].image, folder)
    return open_files(scenes[name], f"{scenes[name].city_code} {name}")


@st.cache_resource(max_entries=4, show_spinner=False)
def _index(folder: str, changed_ns: int) -> pd.DataFrame:
    """One row per tile of a folder's index.csv, test tiles first; `changed_ns` makes an edited file a new entry."""
    tiles = tiles_in(Path(folder))
    for tile in tiles:
        if tile.cm_per_px is None:
            raise RasterError(f"The tiles' index.csv gives no cm_per_px for {tile.name}.")
    index = pd.DataFrame(
        {
            "image": [os.path.relpath(tile.image, folder) for tile in tiles],
            "city": [tile.city for tile in tiles],
            "cm_per_px": [tile.cm_per_px for tile in tiles],
            # Tiles of one flight differ a little: what agrees in two digits is one native resolution.
            "gsd": [two_digits(tile.cm_per_px or nan) for tile in tiles],
            "order": [SPLITS.index(tile.split) if tile.split in SPLITS else len(SPLITS) for tile in tiles],
            "tile": tiles,
        }
    )
    return index.sort_values("order", kind="stable")


def _choose_tile(folder: Path, index: pd.DataFrame) -> Choice:
    cities = index.groupby("city", sort=False)["cm_per_px"].median().sort_values().index.tolist()
    left, right = st.columns(2)
    city = left.selectbox(
        "City",
        cities,
        key="city",
        bind="query-params",
        persist_state="session",
        help="Those with the finest tiles come first.",
    )
    here = index[index["city"] == city]
    gsds = sorted(here["gsd"].unique().tolist())
    gsd = right.selectbox(
        "Native",
        gsds,
        format_func=lambda v: f"{v:g} cm/px",
        key="native",
        bind="query-params",
        persist_state="session",
        help="The tiles' own ground resolution.",
    )
    tiles: dict[str, Tile] = here[here["gsd"] == gsd].drop_duplicates("image").set_index("image")["tile"].to_dict()
    names = list(tiles)
    image = st.selectbox(
        "Tile",
        names,
        format_func=lambda name: label(name, tiles[name].split if name in tiles else "test"),
        key=TILE,
        bind="query-params",
        persist_state="session",
        help="Test tiles, which were not used in training, come first.",
    )
    gallery(folder, names, image)
    tile = tiles[image]
    with suppress(SciNetError):  # reading the tile says what is wrong
        scene, _ = choose_bands(tile.open(), hash_of(file_key(tile.image)), least=4)
        return Choice(read_tile(tile, f"{tile.city} · {tile.image.stem}", scene.choice))
    return Choice(read_tile(tile, f"{tile.city} · {tile.image.stem}"))


def label(image: str, split: str) -> str:
    """What a tile is called in the widget and its deep links."""
    return Path(image).stem if split == "test" else f"{Path(image).stem} · {split}"


def read_tile(tile: Tile, title: str, choice: ImageChoice = LIKELIEST) -> Subject:
    """A tile with its reference, as the image to explore; `title` is what the page calls it."""

    def make() -> Subject:
        with st.spinner("Reading the tile"):
            return _tile_subject(tile, title, choice)

    return cache("images").get_or_make(
        ("tile", title, str(tile), str(choice)), make, lambda subject: subject.size_bytes
    )


def _tile_subject(tile: Tile, title: str, choice: ImageChoice) -> Subject:
    data = tile.image.read_bytes() if tile.image.is_file() else b""
    raster = read_raster(data, cm_per_px=tile.cm_per_px, choice=choice)
    if tile.place is not None:
        raster = replace(raster, transform=tile.place[0], crs=tile.place[1])
    mask = tile.truth
    truth = read_truth(mask.read_bytes(), raster, mask.name) if mask is not None and mask.is_file() else None
    credit = tile.licence.replace("imagery", "Imagery", 1)
    remark = SPLIT_REMARKS.get(tile.split, "")
    return Subject(
        key=hash_of(data, str(tile), choice),
        title=title,
        raster=raster,
        truth=truth,
        credit=" ".join(part for part in (remark, credit) if part),
    )
