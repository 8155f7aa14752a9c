"""The reader's target, and the camera whose flying heights are told: the widgets, and what they say of a resolution."""

import streamlit as st

from pages.app.markdown import sentence
from scinet.camera.camera import Camera, known_cameras, round_height_m
from scinet.errors import CameraError
from scinet.evaluation.parts import FigureName
from scinet.evaluation.target import FIGURE_TITLES, Target

USUAL_LEAST = 0.7
NO_CAMERA, BY_HAND = "No camera", "By hand"


def choose_target() -> Target:
    """Draw the widgets of the target: a figure and its least value."""
    names: list[FigureName] = list(FIGURE_TITLES)
    figure = st.selectbox(
        "Target",
        names,
        format_func=FIGURE_TITLES.__getitem__,
        key="target",
        bind="query-params",
        help="What you need of a mask. The verdict says down to which resolution each model keeps it.",
    )
    least = st.slider(
        "At least",
        0.05,
        1.0,
        USUAL_LEAST,
        0.05,
        key="least",
        bind="query-params",
        help="0.9 of the buildings over 20 m² is 9 of 10. Figures are between 0 and 1.",
    )
    return Target(figure, least)


def choose_camera(of_photo: Camera | None) -> Camera | None:
    """Draw the widgets of the camera. Raises CameraError where it is given by hand and no lens is like that.

    Args:
        of_photo: That of the image itself, if it is a photo that names it.
    """
    by_name = {camera.name: camera for camera in known_cameras().values()}
    photos = {f"This photo's: {of_photo.name}": of_photo} if of_photo else {}
    cameras = photos | by_name
    name = st.selectbox(
        "Camera",
        [*photos, NO_CAMERA, *by_name, BY_HAND],
        key=f"camera{'-of-photo' if photos else ''}",
        help="Resolutions are then told as flying heights too: above the ground, looking straight down.",
    )
    if name == BY_HAND:
        return _by_hand()
    return cameras.get(name)


def choose_valid_camera(of_photo: Camera | None) -> Camera | None:
    """As `choose_camera`; says what is wrong with one by hand, which then does not count."""
    try:
        return choose_camera(of_photo)
    except CameraError as error:
        st.error(sentence(str(error)))
        return None


def _by_hand() -> Camera:
    left, right = st.columns(2)
    focal_length_mm = left.number_input("Focal length, mm", 0.1, 1000.0, 8.8, format="%g", key="focal_length")
    sensor_mm = right.number_input("Sensor width, mm", 0.1, 200.0, 13.2, format="%g", key="sensor_width")
    width_px = left.number_input("Picture width, px", 1, 100_000, 5472, key="picture_width")
    height_px = right.number_input("Picture height, px", 1, 100_000, 3648, key="picture_height")
    return Camera.of_sensor("this camera", focal_length_mm, sensor_mm, width_px, height_px)


def height_text(camera: Camera | None, cm_per_px: float) -> str:
    """The flying height that gives a resolution, such as "730 m"; "" without a camera.

    >>> height_text(known_cameras()["FC6310R"], 20), height_text(None, 20)
    ('730 m', '')
    """
    return "" if camera is None else f"{round_height_m(camera.height_m(cm_per_px)):,.0f} m"
