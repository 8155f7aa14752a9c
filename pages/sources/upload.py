"""Source "Upload": an image file of any size that the server accepts, and its reference buildings."""

import hashlib
from dataclasses import replace

import streamlit as st
from rasterio.transform import Affine
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.app.kept_uploads import KeptFile
from pages.app.markdown import sentence
from pages.app.state import session
from pages.app.subject import Choice, hash_of
from pages.sources import links
from pages.sources.bands import choose_bands
from pages.sources.dialog import dialog_button
from pages.sources.line_dialog import measure_line
from pages.sources.reading import choose_image_reading, choose_reference_reading
from pages.sources.window import TruthFile, check_pixels, choose_part, try_overview
from scinet.errors import GsdMissingError
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.scene import Scene, open_scene

IMAGE_SUFFIXES = ["tif", "tiff", "png", "jpg", "jpeg", "webp", "jp2", "gpkg", "mbtiles", "pmtiles"]
TRUTH_SUFFIXES = [
    *("geojson", "json", "geojsonl", "geojsons", "topojson", "gpkg", "fgb", "parquet", "geoparquet"),
    *("kml", "kmz", "gml", "xml", "csv", "tsv", "txt", "gz", "zip"),
    *("png", "tif", "tiff", "jpg", "jpeg", "webp", "jp2"),
]


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    links.open_link()
    file = kept_uploader(
        "Image",
        IMAGE_SUFFIXES,
        "image_file",
        "GeoTIFF, COG, PNG, JPEG, WebP, JPEG 2000, GeoPackage, MBTiles or PMTiles. Links to this page do not have it.",
    )
    if file is None and session().subject is None:
        return Choice(
            None,
            hint="This link leads to an upload of another visit, which is not kept here: choose the file again in the "
            "sidebar. Until then, this is an example.",
        )
    if file is None:
        return Choice(None, hint="Upload an image in the sidebar. Until then, the previous one stays.")
    choice = choose_image_reading()
    digest = hash_of(digest_of(file), choice)
    try:
        scene, cm_per_px = open_scene(file.getvalue(), name=file.name, choice=choice), None
    except GsdMissingError as missing:
        at_one_metre = open_scene(file.getvalue(), name=file.name, cm_per_px=100, choice=choice)
        check_pixels(at_one_metre, digest)
        cm_per_px = ask_cm_per_px(digest, missing.likely_cm_per_px, at_one_metre)
        if cm_per_px is None:
            return Choice(
                None,
                hint=f"{missing} Enter it in the sidebar.",
            )
        transform = Affine.scale(cm_per_px / 100) @ at_one_metre.grid.transform
        notes = (*at_one_metre.notes, *flight_note(at_one_metre, missing.likely_cm_per_px, cm_per_px))
        scene = replace(at_one_metre, grid=replace(at_one_metre.grid, transform=transform), notes=notes)
    scene, key = choose_bands(scene, hash_of(digest, cm_per_px), least=3)
    found = choose_part(scene, key, file.name, _uploaded_truth)
    links.offer_link(field_of(digest))
    return found


def flight_note(scene: Scene, likely_cm_per_px: float | None, cm_per_px: float) -> tuple[str, ...]:
    """What a photo says of its flight, where its resolution was taken from that."""
    taken = likely_cm_per_px is not None and cm_per_px == float(f"{likely_cm_per_px:.3g}")
    return (scene.shot.text,) if taken and scene.shot else ()


def field_of(key: str) -> str:
    """The key of the text field for an image's resolution."""
    return f"native-{key[:12]}"


def ask_cm_per_px(key: str, likely: float | None, scene: Scene) -> float | None:
    """Draw the widgets for the resolution of an image that does not state it: a field, and a line of known length.

    Args:
        key: Changes with the image.
        likely: What the field begins with.
        scene: The image, at any resolution.
    """
    field = field_of(key)
    typed = st.text_input(
        "Ground resolution in cm/px",
        value="" if likely is None else f"{likely:.3g}",
        placeholder="for example 10",
        key=field,
        persist_state="session",
        help="The file does not state how large its pixels are on the ground.",
    )
    if dialog_button(
        "Measure on the picture", "line", "Opens the picture; draw a line over something of known length."
    ):
        overview, problem = try_overview(scene, key)
        if overview is None:
            st.caption(sentence(problem))
        else:
            measure_line(scene, key, overview, field)
    return parse_cm_per_px(typed.strip().replace(",", ".")) if typed and typed.strip() else None


def _uploaded_truth() -> TruthFile | None:
    file = kept_uploader(
        "Reference buildings (optional)", TRUTH_SUFFIXES, "truth_file", "A mask image, or polygons in a vector file"
    )
    if file is None:
        return None
    mask, features = choose_reference_reading()
    return TruthFile(file.getvalue(), file.name, hash_of(digest_of(file), mask, features), mask, features)


def kept_uploader(label: str, suffixes: list[str], key: str, help_: str) -> UploadedFile | KeptFile | None:
    """The file of an uploader. A visit to another page empties the uploader but does not remove the file."""

    def keep() -> None:
        links.forget_link()
        file: UploadedFile | None = st.session_state[key]
        if file is None:
            session().uploads.pop(key, None)
        else:
            session().uploads[key] = file

    shown = st.file_uploader(label, type=suffixes, key=key, help=help_, on_change=keep)
    file = session().uploads.get(key)
    if file is not None and shown is None:
        st.caption(sentence(f"Still open: {file.name}"))
    return file


def digest_of(file: UploadedFile | KeptFile) -> str:
    """The SHA-256 of an upload's bytes, computed once per file."""
    known = session().digests
    if file.file_id not in known:
        known[file.file_id] = hashlib.sha256(file.getvalue()).hexdigest()  # getbuffer would copy them
    return known[file.file_id]
