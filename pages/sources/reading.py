"""Widgets for what files leave open: how an image is shown, and which values or features are buildings."""

from typing import TypeVar

import streamlit as st

from scinet.errors import RasterError
from scinet.evaluation.mask_values import MaskChoice
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata
from scinet.vector.choice import VectorChoice

Number = TypeVar("Number", int, float)


def choose_image_reading() -> ImageChoice:
    """Draw the widgets for an image. Raises RasterError for what cannot be meant."""
    with st.expander("How the image is read"):
        bands = _text("Bands", "read_bands", "for example 3 2 1", "The bands to show as red, green and blue, from 1.")
        nodata = _text("Nodata", "read_nodata", "for example -9999", "The value of pixels that hold nothing, or none.")
        crs = _text(
            "CRS", "read_crs", "for example EPSG:32630", "If the file has coordinates without naming their CRS."
        )
        stretch = _text(
            "Stretch", "read_stretch", "for example 200 3000", "The values that become black and white, if not 8 bits."
        )
        page = _text("Page", "read_page", "for example 2", "The page of a TIFF that has several.")
    return ImageChoice(
        _numbers(bands, int, "bands", "3 2 1"),
        parse_nodata(nodata) if nodata else None,
        parse_crs(crs) if crs else None,
        _pair(_numbers(stretch, float, "stretch", "200 3000")),
        next(iter(_numbers(page, int, "page", "2")), 1),
    )


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
