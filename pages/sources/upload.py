"""Source "Upload": an image file of any size that the server accepts, and its reference buildings."""

import hashlib
from dataclasses import replace
from typing import NoReturn

import streamlit as st
from rasterio.transform import Affine
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.app.kept_uploads import KeptFile
from pages.app.markdown import sentence
from pages.app.state import FormerUpload, session
from pages.app.subject import Choice, hash_of
from pages.sources import links
from pages.sources.bands import choose_bands
from pages.sources.dialog import dialog_button
from pages.sources.line_dialog import measure_line
from pages.sources.reading import choose_image_reading, choose_reference_reading
from pages.sources.window import TruthFile, check_pixels, choose_part, try_overview
from scinet.errors import GsdMissingError, NodataError, RasterError
from scinet.raster.choice import LIKELIEST, ImageChoice
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.scene import Scene, open_scene

IMAGE = "image_file"  # the uploader's key


def choose() -> Choice:
    """Draw the source's widgets; returns what they hold."""
    links.open_link()
    file = kept_uploader(
        "Image",
        IMAGE,
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
        scene, cm_per_px = _open(file, digest, choice)
        key = hash_of(digest, cm_per_px)
        check_pixels(scene, key)
    except GsdMissingError as missing:
        return Choice(None, hint=f"{missing} Enter it in the sidebar.")
    except RasterError as error:
        if choice != LIKELIEST or isinstance(error, NodataError):
            raise  # another choice may help
        _refuse(str(error))
    session().former_upload = None
    scene, key = choose_bands(scene, key, least=3)
    found = choose_part(scene, key, file.name, _uploaded_truth)
    links.offer_link(field_of(digest))
    return found


def _open(file: UploadedFile | KeptFile, digest: str, choice: ImageChoice) -> tuple[Scene, float | None]:
    """An uploaded image, and the resolution that its user gave if it does not state it; draws widgets for that.

    Raises:
        GsdMissingError: The user has not given it yet.
        RasterError: The file cannot be read.
    """
    try:
        return open_scene(file.getvalue(), name=file.name, choice=choice), None
    except GsdMissingError as missing:
        at_one_metre = open_scene(file.getvalue(), name=file.name, cm_per_px=100, choice=choice)
        check_pixels(at_one_metre, digest)
        cm_per_px = ask_cm_per_px(digest, missing.likely_cm_per_px, at_one_metre)
        if cm_per_px is None:
            raise
        transform = Affine.scale(cm_per_px / 100) @ at_one_metre.grid.transform
        notes = (*at_one_metre.notes, *flight_note(at_one_metre, missing.likely_cm_per_px, cm_per_px))
        return replace(at_one_metre, grid=replace(at_one_metre.grid, transform=transform), notes=notes), cm_per_px


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
    file = kept_uploader("Reference buildings (optional)", "truth_file", "A mask image, or polygons in a vector file")
    if file is None:
        return None
    mask, features = choose_reference_reading()
    return TruthFile(file.getvalue(), file.name, hash_of(digest_of(file), mask, features), mask, features)


def kept_uploader(label: str, key: str, help_: str) -> UploadedFile | KeptFile | None:
    """The file of an uploader. A visit to another page empties the uploader but does not remove the file.

    It takes any file: what it holds tells whether it can be read, and the message is better than the browser's.
    """
    refusals = session().refusals.setdefault(key, [])
    name = f"{key}-{len(refusals)}" if refusals else key

    def keep() -> None:
        former = FormerUpload(session().uploads.pop(key, None), session().opened_link, session().link_of)
        if key == IMAGE and former.file is not None:
            session().former_upload = former  # also if it is removed: the browser does that before a newer one comes
        links.forget_link()
        if refusals:
            refusals[-1] = ""
        file: UploadedFile | None = st.session_state[name]
        if file is not None:
            session().uploads[key] = file

    shown = st.file_uploader(label, key=name, help=help_, on_change=keep)
    if refusals and refusals[-1]:
        st.error(sentence(refusals[-1]))
    file = session().uploads.get(key)
    if file is not None and shown is None:
        st.caption(sentence(f"Still open: {file.name}"))
    return file


def _refuse(problem: str) -> NoReturn:
    """Put back the image that was open before one that cannot be read, and have a new, empty uploader say why."""
    former, session().former_upload = session().former_upload or FormerUpload(), None
    if former.file is None:
        session().uploads.pop(IMAGE, None)
    else:
        session().uploads[IMAGE] = former.file
    session().opened_link, session().link_of = former.opened_link, former.link_of
    session().refusals.setdefault(IMAGE, []).append(problem)
    st.rerun()


def digest_of(file: UploadedFile | KeptFile) -> str:
    """The SHA-256 of an upload's bytes, computed once per file."""
    known = session().digests
    if file.file_id not in known:
        known[file.file_id] = hashlib.sha256(file.getvalue()).hexdigest()  # getbuffer would copy them
    return known[file.file_id]
