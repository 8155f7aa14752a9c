"""Widgets for what a file leaves open: bands, nodata and CRS of an image, values of a mask."""

import streamlit as st

from scinet.errors import RasterError
from scinet.evaluation.mask_values import MaskChoice
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata


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


def choose_mask_reading() -> MaskChoice:
    """Draw the widgets for a mask. Raises TruthError for what is neither a number nor a colour."""
    with st.expander("How the mask is read"):
        building = _text(
            "Building value", "building_value", "for example 1 or #0000ff", "Values or colours of buildings in a mask."
        )
        ignore = _text(
            "Ignore value", "ignore_value", "for example 255", "The value of pixels that nobody judged, or none."
        )
    return MaskChoice(tuple(building.replace(",", " ").split()), ignore or None)


def _text(label: str, key: str, example: str, help_: str) -> str:
    value = st.text_input(label, key=key, placeholder=example, persist_state="session", help=help_)
    return (value or "").strip()
