"""Source "Tiles": a folder with an index.csv, or with scenes in the layout of the Open Cities AI Challenge."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st
from rasterio.crs import CRS
from rasterio.transform import from_origin

from pages.explorer.sources.folder import WAYS, choose_folder
from pages.explorer.sources.gallery import gallery
from pages.explorer.sources.scenes import open_files
from pages.explorer.sources.subject import Choice, Subject, hash_of
from scinet.catalog import scenes_in
from scinet.errors import RasterError
from scinet.raster import read_raster
from scinet.resolution import parse_cm_per_px
from scinet.truth import read_truth

SPLITS = ("test", "val", "train")
SPLIT_REMARKS = {
    "train": "The models on board may have been trained on this tile: see their cards.",
    "val": "Checkpoints may have been chosen by this tile: see their cards.",
}


def choose() -> Choice:
    folder = choose_folder()
    path = folder / "index.csv"
    if path.is_file():
        return _choose_tile(folder, _index(str(path), path.stat().st_mtime_ns))
    scenes = scenes_in(folder)
    if not scenes:
        raise RasterError(f"{folder} holds neither an index.csv nor a train_tier_1 of scenes. {WAYS}")
    name = st.selectbox(
        "Scene", list(scenes), format_func=lambda n: f"{scenes[n].city_code} {n}", key="scene_file",
        bind="query-params", persist_state="session",
    )  # fmt: skip
    return open_files(scenes[name], f"{scenes[name].city_code} {name}")


@st.cache_data(max_entries=4, show_spinner=False)
def _index(path: str, changed_ns: int) -> pd.DataFrame:
    """The index of a folder of tiles, test tiles first; `changed_ns` makes an edited file a new entry."""
    try:
        index = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise RasterError(f"The tiles' index cannot be read ({error}).") from error
    missing = {"image", "mask", "city", "cm_per_px", "split"} - set(index.columns)
    if missing:
        raise RasterError(f"The tiles' index.csv lacks the columns {', '.join(sorted(missing))}.")
    if index.empty:
        raise RasterError("The tiles' index.csv names no tiles.")
    for cm_per_px in index["cm_per_px"].unique():
        parse_cm_per_px(cm_per_px)
    index["city"] = index["city"].astype(str)
    # Tiles of one flight differ a little: what is within some per cent is one native GSD.
    index["gsd"] = [float(f"{cm_per_px:.2g}") for cm_per_px in index["cm_per_px"]]
    order = index["split"].map({split: i for i, split in enumerate(SPLITS)})
    return index.assign(order=order).sort_values("order", kind="stable")


def _choose_tile(folder: Path, index: pd.DataFrame) -> Choice:
    cities = index.groupby("city", sort=False)["cm_per_px"].median().sort_values().index.tolist()
    left, right = st.columns(2)
    city = left.selectbox(
        "City", cities, key="city", bind="query-params", persist_state="session", help="Finest tiles first."
    )
    here = index[index["city"] == city]
    gsds = sorted(here["gsd"].unique().tolist())
    gsd = right.selectbox(
        "Native", gsds, format_func=lambda v: f"{v:g} cm/px", key="native", bind="query-params",
        persist_state="session", help="The tiles' own ground sample distance, in cm/px.",
    )  # fmt: skip
    tiles = here[here["gsd"] == gsd].drop_duplicates("image").set_index("image")
    names = tiles.index.tolist()
    tile = st.selectbox(
        "Tile", names, format_func=lambda image: label(image, tiles["split"].get(image, "test")), key="tile",
        bind="query-params", persist_state="session", help="Test tiles first: no training saw them.",
    )  # fmt: skip
    gallery(folder, names, str(tile))
    return Choice(_read_tile(str(folder), str(tile), tiles.loc[tile].to_json()))


def label(image: str, split: str) -> str:
    return Path(image).stem if split == "test" else f"{Path(image).stem} · {split}"


@st.cache_resource(max_entries=8, show_spinner="Reading the tile")
def _read_tile(folder: str, image: str, row_json: str) -> Subject:
    row = json.loads(row_json)  # blank cells are None
    data = (Path(folder) / image).read_bytes() if (Path(folder) / image).is_file() else b""
    raster = read_raster(data, cm_per_px=parse_cm_per_px(row["cm_per_px"]))
    if row.get("crs") and row.get("x_min") is not None:
        size = float(row["metres_per_px"])
        place = from_origin(float(row["x_min"]), float(row["y_max"]), size, size)
        raster = replace(raster, transform=place, crs=CRS.from_string(row["crs"]))
    mask = Path(folder) / row["mask"] if row["mask"] else None
    truth = read_truth(mask.read_bytes(), raster, mask.name) if mask is not None and mask.is_file() else None
    credit = (row.get("licence") or "").replace("imagery", "Imagery", 1)
    remark = SPLIT_REMARKS.get(row["split"], "")
    return Subject(
        key=hash_of(data, row_json),
        title=f"{row['city']} · {Path(image).stem}",
        raster=raster,
        truth=truth,
        credit=" ".join(part for part in (remark, credit) if part),
    )
