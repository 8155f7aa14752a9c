"""Source "Tiles": a folder with an index.csv, or with scenes in the layout of the Open Cities AI Challenge."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st

from pages.app.subject import Choice, Subject, hash_of
from pages.sources.folder import WAYS, choose_folder
from pages.sources.gallery import gallery
from pages.sources.scenes import open_files
from scinet.datasets.open_cities import scenes_in
from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import RasterError
from scinet.evaluation.truth import read_truth
from scinet.raster.open import read_raster

SPLITS = ("test", "val", "train")
SPLIT_REMARKS = {
    "train": "The models on board may have been trained on this tile: see their cards.",
    "val": "Checkpoints may have been chosen by this tile: see their cards.",
}


def choose() -> Choice:
    folder = choose_folder()
    path = folder / "index.csv"
    if path.is_file():
        return _choose_tile(folder, _index(str(folder), path.stat().st_mtime_ns))
    scenes = scenes_in(folder)
    if not scenes:
        raise RasterError(f"{folder} holds neither an index.csv nor a train_tier_1 of scenes. {WAYS}")
    name = st.selectbox(
        "Scene",
        list(scenes),
        format_func=lambda n: f"{scenes[n].city_code} {n}",
        key="scene_file",
        bind="query-params",
        persist_state="session",
    )
    return open_files(scenes[name], f"{scenes[name].city_code} {name}")


@st.cache_resource(max_entries=4, show_spinner=False)
def _index(folder: str, changed_ns: int) -> pd.DataFrame:
    """A row a tile of a folder's index.csv, test tiles first; `changed_ns` makes an edited file a new entry."""
    tiles = tiles_in(Path(folder))
    for tile in tiles:
        if tile.cm_per_px is None:
            raise RasterError(f"The tiles' index.csv gives no cm_per_px for {tile.name}.")
    index = pd.DataFrame(
        {
            "image": [os.path.relpath(tile.image, folder) for tile in tiles],
            "city": [tile.city for tile in tiles],
            "cm_per_px": [tile.cm_per_px for tile in tiles],
            # Tiles of one flight differ a little: what is within some per cent is one native GSD.
            "gsd": [float(f"{tile.cm_per_px:.2g}") for tile in tiles],
            "order": [SPLITS.index(tile.split) if tile.split in SPLITS else len(SPLITS) for tile in tiles],
            "tile": tiles,
        }
    )
    return index.sort_values("order", kind="stable")


def _choose_tile(folder: Path, index: pd.DataFrame) -> Choice:
    cities = index.groupby("city", sort=False)["cm_per_px"].median().sort_values().index.tolist()
    left, right = st.columns(2)
    city = left.selectbox(
        "City", cities, key="city", bind="query-params", persist_state="session", help="Finest tiles first."
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
        help="The tiles' own ground sample distance, in cm/px.",
    )
    tiles: dict[str, Tile] = here[here["gsd"] == gsd].drop_duplicates("image").set_index("image")["tile"].to_dict()
    names = list(tiles)
    image = st.selectbox(
        "Tile",
        names,
        format_func=lambda name: label(name, tiles[name].split if name in tiles else "test"),
        key="tile",
        bind="query-params",
        persist_state="session",
        help="Test tiles first: no training saw them.",
    )
    gallery(folder, names, image)
    return Choice(_read_tile(tiles[image], str(tiles[image])))


def label(image: str, split: str) -> str:
    return Path(image).stem if split == "test" else f"{Path(image).stem} · {split}"


@st.cache_resource(max_entries=8, show_spinner="Reading the tile")
def _read_tile(_tile: Tile, described: str) -> Subject:
    data = _tile.image.read_bytes() if _tile.image.is_file() else b""
    raster = read_raster(data, cm_per_px=_tile.cm_per_px)
    if _tile.place is not None:
        raster = replace(raster, transform=_tile.place[0], crs=_tile.place[1])
    mask = _tile.truth
    truth = read_truth(mask.read_bytes(), raster, mask.name) if mask is not None and mask.is_file() else None
    credit = _tile.licence.replace("imagery", "Imagery", 1)
    remark = SPLIT_REMARKS.get(_tile.split, "")
    return Subject(
        key=hash_of(data, described),
        title=f"{_tile.city} · {_tile.image.stem}",
        raster=raster,
        truth=truth,
        credit=" ".join(part for part in (remark, credit) if part),
    )
