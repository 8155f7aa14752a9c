"""Widgets for what files leave open: how an image is shown, and which values or features are buildings."""

import streamlit as st

from scinet.errors import RasterError
from scinet.evaluation.mask_values import MaskChoice
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata
from scinet.vector.choice import VectorChoice


def choose_image_reading() -> ImageChoice:
    """Draw the widgets for an image. Raises RasterError for what is not a band, a number or a CRS."""
    with st.expander("How the image is read"):
        bands = _text("Bands", "read_bands", "for example 3 2 1", "The bands to show as red, green and blue, from 1.")
        nodata = _text("Nodata", "read_nodata", "for example -9999", "The value of pixels that hold nothing, or none.")
        crs = _text(
            "CRS", "read_crs", "for example EPSG:32630", "If the file has coordinates without naming their CRS."
        )
    try:
        numbers = tuple(int(number) for number in bands.replace(",", " ").split())
    except ValueError:
        raise RasterError(f'"{bands}" are not numbers of bands. Give three, such as 3 2 1.') from None
    return ImageChoice(numbers, parse_nodata(nodata) if nodata else None, parse_crs(crs) if crs else None)


def choose_reference_reading() -> tuple[MaskChoice, VectorChoice]:
    """Draw the widgets for reference buildings. Raises TruthError for what is no value, colour or condition."""
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
