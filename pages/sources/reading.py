"""Widgets for what files leave open: how an image is shown, and which values or features are buildings."""

from typing import TypeVar

import streamlit as st

from scinet.errors import RasterError
from scinet.evaluation.mask_values import MaskChoice
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata
from scinet.raster.world_file import parse_world_file
from scinet.vector.choice import VectorChoice

Number = TypeVar("Number", int, float)


def choose_image_reading(asks_for_place: bool = False) -> ImageChoice:
    """Draw the widgets for an image, but for those of its bands and pages, which `choose_bands` draws.

    Args:
        asks_for_place: Whether it is known only with a zoom and bounds, as tiles of the whole earth are.

    Raises:
        RasterError: Something cannot be meant.
    """
    if asks_for_place:
        zoom, bounds = _place()
    with st.expander("How the image is read"):
        nodata = _text("Nodata", "read_nodata", "for example -9999", "The value of pixels that hold nothing, or none.")
        crs = _text(
            "CRS", "read_crs", "for example EPSG:32630", "If the file has coordinates without naming their CRS."
        )
        stretch = _text(
            "Stretch", "read_stretch", "for example 200 3000", "The values that become black and white, if not 8 bits."
        )
        world_file = st.file_uploader(
            "World file",
            key="read_world_file",
            help="A world file (.tfw, .jgw, .pgw) or an .aux.xml file that places the image.",
        )
        if not asks_for_place:
            zoom, bounds = _place()
        tms = st.checkbox("Rows of tiles count from the south", key="read_tms", persist_state="session")
    return ImageChoice(
        nodata=parse_nodata(nodata) if nodata else None,
        crs=parse_crs(crs) if crs else None,
        stretch=_pair(_numbers(stretch, float, "stretch", "200 3000")),
        place=None if world_file is None else parse_world_file(world_file.getvalue(), world_file.name),
        zoom=next(iter(_numbers(zoom, int, "a zoom", "19")), None),
        bounds=_four(_numbers(bounds, float, "bounds", "-0.2 5.55 -0.19 5.56")),
        tms=tms,
    )


def _place() -> tuple[str, str]:
    """Draw the widgets for the zoom and the bounds of an image in tiles."""
    zoom = _text("Zoom", "read_zoom", "for example 19", "Of tiles. At the equator, 19 is about 30 cm/px and 20 is 15.")
    help_ = "Of an image in tiles: west, south, east and north, in degrees."
    return zoom, _text("Bounds", "read_bounds", "-0.2 5.55 -0.19 5.56", help_)


def _numbers(text: str, kind: type[Number], name: str, example: str) -> tuple[Number, ...]:
    """Numbers from a text. Raises RasterError where it holds something else."""
    try:
        return tuple(kind(number) for number in text.replace(",", " ").split())
    except ValueError:
        raise RasterError(f'"{text[:40]}" cannot be read as {name}. Give numbers, such as {example}.') from None


def _pair(numbers: tuple[float, ...]) -> tuple[float, float] | None:
    if not numbers:
        return None
    if len(numbers) != 2:
        raise RasterError("Give the stretch as a lower and a higher number, such as 200 3000.")
    return numbers[0], numbers[1]


def _four(numbers: tuple[float, ...]) -> tuple[float, float, float, float] | None:
    if not numbers:
        return None
    if len(numbers) != 4:
        raise RasterError("Give the bounds as west, south, east and north, such as -0.2 5.55 -0.19 5.56.")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def choose_reference_reading() -> tuple[MaskChoice, VectorChoice]:
    """Draw the widgets for reference buildings. Raises TruthError for a bad value, colour or condition."""
    with st.expander("How the reference is read"):
        building = _text(
            "Building value", "building_value", "for example 1 or #0000ff", "Values or colours of buildings in a mask."
        )
        ignore = _text(
            "Ignore value", "ignore_value", "for example 255", "The value of pixels that nobody judged, or none."
        )
        layer = _text("Layer", "reference_layer", "for example buildings", "The layer of a vector file.")
        where = _text(
            "Features",
            "reference_where",
            "for example height >= 3",
            "A condition on attributes that only buildings fulfil, or none.",
        )
    return MaskChoice(tuple(building.replace(",", " ").split()), ignore or None), VectorChoice(
        layer or None, where or None
    )


def _text(label: str, key: str, example: str, help_: str) -> str:
    value = st.text_input(label, key=key, placeholder=example, persist_state="session", help=help_)
    return (value or "").strip()
