"""The sidebar's first part: which image is explored, and its truth where there is one."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import streamlit as st
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin
from streamlit.runtime.uploaded_file_manager import UploadedFile

from scinet.errors import GsdMissingError, RasterError, SciNetError
from scinet.raster import Raster, read_raster
from scinet.resolution import parse_cm_per_px
from scinet.town import make_town
from scinet.truth import Truth, read_truth

TOWN_GSDS_CM_PER_PX = (5.0, 10.0, 20.0)
TRIAL_CM_PER_PX = 10.0
IMAGE_SUFFIXES = ["tif", "tiff", "png", "jpg", "jpeg", "webp", "jp2"]
TRUTH_SUFFIXES = ["geojson", "json", "gpkg", "png", "tif", "tiff"]


@dataclass(frozen=True, eq=False)
class Subject:
    """The image that is explored. `key` is a hash of all that went into it."""

    key: str
    title: str
    raster: Raster
    truth: Truth | None
    credit: str = ""


@dataclass(frozen=True)
class Choice:
    """What the sidebar holds now: the last image that could be read, and why a newer one could not."""

    subject: Subject | None
    problem: str | None = None
    hint: str | None = None


def choose() -> Choice:
    """The widgets of the source; bad input leaves the former image in place."""
    former: Subject | None = st.session_state.get("explore.subject")
    names = list(_SOURCES)
    source = st.segmented_control(
        "Source", names, default=names[0], key="source", bind="query-params", required=True, width="stretch"
    )
    try:
        choice = _SOURCES[source or names[0]]()
    except SciNetError as error:
        choice = Choice(None, problem=str(error))
    if choice.subject is not None:
        st.session_state["explore.subject"] = choice.subject
        return choice
    return replace(choice, subject=former)


# ---- the town on board


def _choose_town() -> Choice:
    left, right = st.columns(2)
    seed = left.number_input("Town", 0, 9999, 0, key="town", bind="query-params", help="Each number is another town.")
    cm_per_px = right.selectbox(
        "Rendered at",
        TOWN_GSDS_CM_PER_PX,
        index=1,
        format_func=lambda v: f"{v:g} cm/px",
        key="town_gsd",
        bind="query-params",
    )
    return Choice(_town(int(seed), float(cm_per_px)))


@st.cache_resource(max_entries=6, show_spinner="Building the town")
def _town(seed: int, cm_per_px: float) -> Subject:
    town = make_town(seed=seed)
    return Subject(
        key=f"town-{seed}-{cm_per_px:g}",
        title=f"Generated town {seed}",
        raster=town.render(cm_per_px),
        truth=town.footprints,
        credit="Drawn by the program; the footprints are exact.",
    )


# ---- a folder of tiles with an index


def _data_folder() -> Path:
    return Path(os.environ.get("SCINET_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


@st.cache_data(max_entries=4, show_spinner=False)
def _index(path: str, changed_ns: int) -> pd.DataFrame:
    """The index of a folder of tiles; `changed_ns` makes an edited file a new entry."""
    try:
        index = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise RasterError(f"The tiles' index cannot be read ({error}).") from error
    missing = {"image", "mask", "dataset", "city", "cm_per_px", "split"} - set(index.columns)
    if missing:
        raise RasterError(f"The tiles' index.csv lacks the columns {', '.join(sorted(missing))}.")
    return index


def _choose_tile() -> Choice:
    folder = _data_folder()
    path = folder / "index.csv"
    if not path.is_file():
        raise RasterError(
            "There is no folder of tiles here. Set SCINET_DATA to a folder with an index.csv, or upload an image."
        )
    index = _index(str(path), path.stat().st_mtime_ns)
    places = index.groupby("dataset", sort=False)["cm_per_px"].median().sort_values().index.tolist()
    left, right = st.columns([3, 2])
    dataset = left.selectbox("Dataset", places, format_func=str.capitalize, key="dataset", bind="query-params")
    here = index[index["dataset"] == dataset]
    splits = [split for split in ("test", "val", "train") if (here["split"] == split).any()]
    split = right.selectbox("Split", splits, key="split", bind="query-params")
    tiles = here[here["split"] == split].set_index("image")
    tile = st.selectbox(
        "Tile", tiles.index.tolist(), format_func=lambda image: Path(image).stem, key="tile", bind="query-params"
    )
    _gallery(folder, tiles.index.tolist(), str(tile))
    row = tiles.loc[tile]
    return Choice(_read_tile(str(folder), str(tile), row.to_json()))


@st.cache_resource(max_entries=8, show_spinner="Reading the tile")
def _read_tile(folder: str, image: str, row_json: str) -> Subject:
    row = json.loads(row_json)  # blank cells are None
    data = (Path(folder) / image).read_bytes() if (Path(folder) / image).is_file() else b""
    raster = read_raster(data, cm_per_px=parse_cm_per_px(row["cm_per_px"]))
    if row.get("crs") and row.get("x_min") is not None:
        size = float(row["metres_per_px"])
        place = from_origin(float(row["x_min"]), float(row["y_max"]), size, size)
        raster = replace(raster, transform=place, crs=CRS.from_string(row["crs"]))
    mask = Path(folder) / row["mask"]
    truth = read_truth(mask.read_bytes(), raster, mask.name) if mask.is_file() else None
    return Subject(
        key=_hash(data, row_json),
        title=f"{row['city']} · {Path(image).stem}",
        raster=raster,
        truth=truth,
        credit=(row.get("licence") or "").replace("imagery", "Imagery", 1),
    )


GALLERY_TILES = 12


def _gallery(folder: Path, images: list[str], chosen: str) -> None:
    """Thumbnails around the chosen tile; a click on a name takes it."""
    start = images.index(chosen) // GALLERY_TILES * GALLERY_TILES
    shown = images[start : start + GALLERY_TILES]
    with st.popover(f"Choose by picture ({start + 1} to {start + len(shown)} of {len(images)})", width="stretch"):
        for row in range(0, len(shown), 3):
            for column, image in zip(st.columns(3, wrap=False), shown[row : row + 3], strict=False):
                thumbnail = _thumbnail(str(folder / image))
                if thumbnail is not None:
                    column.image(thumbnail, width="stretch")
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
def _thumbnail(path: str) -> Image.Image | None:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (160, 160))
            small = image.convert("RGB")
    except OSError:
        return None
    small.thumbnail((160, 160))
    return small


# ---- uploads


def _choose_upload() -> Choice:
    file = st.file_uploader(
        "Image", type=IMAGE_SUFFIXES, key="image_file", help="GeoTIFF, COG, PNG, JPEG, WebP, JPEG 2000"
    )
    if file is None:
        return Choice(None, hint="Upload an image in the sidebar to explore it.")
    digest = _digest(file)
    try:
        raster, cm_per_px = _read_upload(file, digest, None), None
    except GsdMissingError:
        _read_upload(file, digest, TRIAL_CM_PER_PX)  # a damaged file is not worth a question
        value = st.number_input(
            "Ground resolution in cm/px", value=None, placeholder="for example 10", key=f"native-{digest[:12]}",
            help="The file does not say how large its pixels are on the ground.",
        )  # fmt: skip
        if value is None:
            return Choice(None, hint=f"{file.name} does not say its ground resolution: give its cm/px in the sidebar.")
        cm_per_px = parse_cm_per_px(value)
        raster = _read_upload(file, digest, cm_per_px)
    truth_file = st.file_uploader(
        "Truth (optional)", type=TRUTH_SUFFIXES, key="truth_file", help="A mask image, GeoJSON or GeoPackage"
    )
    subject = Subject(key=_hash(digest, cm_per_px), title=file.name, raster=raster, truth=None)
    if truth_file is None:
        return Choice(subject)
    truth_digest = _digest(truth_file)
    try:
        truth = _read_upload_truth(truth_file, truth_digest, subject.key, raster)
    except SciNetError as error:
        return Choice(subject, problem=str(error))
    return Choice(replace(subject, key=_hash(subject.key, truth_digest), truth=truth))


@st.cache_resource(max_entries=3, show_spinner="Reading the image")
def _read_upload(_file: UploadedFile, digest: str, cm_per_px: float | None) -> Raster:
    _file.seek(0)
    return read_raster(_file, cm_per_px=cm_per_px)


@st.cache_resource(max_entries=6, show_spinner="Reading the truth")
def _read_upload_truth(_file: UploadedFile, digest: str, image_key: str, _raster: Raster) -> Truth:
    return read_truth(_file.getvalue(), _raster, _file.name)


def _digest(file: UploadedFile) -> str:
    """The hash of an upload's bytes, taken once a file."""
    known: dict[str, str] = st.session_state.setdefault("explore.digests", {})
    if file.file_id not in known:
        known[file.file_id] = hashlib.sha256(file.getbuffer()).hexdigest()
    return known[file.file_id]


def _hash(*parts: object) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    return digest.hexdigest()


_SOURCES: dict[str, Callable[[], Choice]] = {"Town": _choose_town, "Tiles": _choose_tile, "Upload": _choose_upload}
