"""Search OpenAerialMap for images of a place, as another way to fill in an address."""

import streamlit as st

from pages.app.markdown import sentence
from pages.app.state import PATH, session
from scinet.datasets.open_aerial_map import AerialImage, find_images
from scinet.errors import SciNetError

NEAR_DEGREES = 0.005


def search() -> None:
    """Draw the search: nothing is requested before its button is pressed."""
    with st.popover("Search OpenAerialMap", width="stretch"):
        typed = st.text_input(
            "Latitude and longitude",
            key="oam_place",
            placeholder="5.556, -0.197",
            help="Of a place, in degrees. The machine that runs the app asks api.openaerialmap.org for its images.",
        )
        asked = st.button("Search", key="oam_search", width="stretch", disabled=not typed)
        if asked and typed:
            session().aerial_images = None
            try:
                session().aerial_images = _found(typed)
            except SciNetError as error:
                st.warning(sentence(str(error)))
        images = session().aerial_images
        if images is None:
            return
        if not images:
            st.caption("OpenAerialMap has no image of this place.")
            return
        image = st.selectbox("Image", images, format_func=_label, key="oam_image")
        st.caption(sentence(f"{image.title}, by {image.provider or 'an unnamed provider'}, {image.licence}."))
        st.button("Open", key="oam_open", on_click=_open, args=(image.address,), type="primary", width="stretch")


def _found(typed: str) -> list[AerialImage]:
    try:
        latitude, longitude = (float(number) for number in typed.replace(",", " ").split())
    except ValueError:
        raise SciNetError("Give the place as latitude and longitude in degrees, such as 5.556, -0.197.") from None
    near = NEAR_DEGREES / 2
    return find_images(longitude - near, latitude - near, longitude + near, latitude + near)


def _label(image: AerialImage) -> str:
    return f"{image.cm_per_px:.3g} cm/px, {image.date or 'no date'}, {image.title}"


def _open(address: str) -> None:
    st.session_state[PATH] = address
    session().allowed_url = address
