"""The line of controls above the map: resolution, models, comparison, display; and what is less often needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.app.controls import Models, choose_cards, choose_mask, choose_strategy
from pages.app.runs import MaskSettings
from pages.app.state import SOURCE, session
from pages.app.subject import Subject
from pages.app.target import choose_target, choose_valid_camera
from pages.map.contents import ALL, COMPARISONS, IMAGE, OPACITY, SWIPE, MapView
from pages.map.layers import STYLES
from pages.views.explore.promise import choose_promised_threshold
from pages.views.explore.resolution import choose_resolution
from scinet.camera.camera import Camera
from scinet.datasets import sample_results
from scinet.evaluation.target import Target
from scinet.models.card import Card

STYLES_HELP = (
    "Errors: which pixels are right, missed or invented. Buildings: which buildings are found, missed, merged or "
    "fragmented, and false areas. Outlines: the same without the fill. Probability: how certain the model is. "
    "Doubt: how likely each pixel of the mask is wrong."
)
COMPARE_HELP = (
    "Swipe: one map with a divider, moved by mouse, finger or arrow keys. Side by side: two linked maps. "
    "All: the image, the reference and every chosen model."
)


@dataclass(frozen=True)
class Controls:
    """What the controls say, and the place for further buttons behind them."""

    cm_per_px: float
    models: Models
    view: MapView
    mask: MaskSettings
    target: Target
    camera: Camera | None
    numbers_beside: bool
    place: DeltaGenerator


def choose(subject: Subject) -> Controls:
    """Draw the line."""
    opens_with_all = _opens_with_all(subject)
    line = st.container(horizontal=True, vertical_alignment="bottom", key="controls")
    with line:
        cm_per_px = choose_resolution(subject)
        with st.popover("Models"):
            cards = choose_cards(at_first=None if opens_with_all else 2)
            left, right = _choose_sides(cards)
        compare = st.segmented_control(
            "Compare",
            COMPARISONS,
            default=ALL if opens_with_all else SWIPE,
            key="compare",
            bind="query-params",
            required=True,
            help=COMPARE_HELP,
        )
        style = st.selectbox("Display", STYLES, key="style", bind="query-params", width=132, help=STYLES_HELP)
        with st.popover("Settings"):
            mask = choose_mask(promised=choose_promised_threshold(cards, cm_per_px))
            opacity = st.slider(
                "Opacity",
                0,
                100,
                round(100 * OPACITY),
                5,
                format="%d %%",
                key="opacity",
                bind="query-params",
                help="Of the colours over the image",
            )
            has_outlines = st.toggle("Outlines of the reference", True, key="outlines", bind="query-params")
            has_base_map = st.toggle(
                "Base map",
                key="base_map",
                bind="query-params",
                disabled=subject.raster.crs is None,
                help="OpenStreetMap around the image, fetched from the internet by your browser",
            )
            strategy = choose_strategy()
            target = choose_target()
            camera = choose_valid_camera(subject.camera)
        numbers_beside = st.toggle(
            "Numbers",
            key="numbers",
            bind="query-params",
            help="Shows the numbers beside the map instead of below it",
        )
    view = MapView(style or STYLES[0], compare or SWIPE, left, right, opacity / 100, has_outlines, has_base_map)
    return Controls(cm_per_px, Models(cards, strategy), view, mask, target, camera, numbers_beside, line)


def _opens_with_all(subject: Subject) -> bool:
    """Whether a session begins with all models: with an example whose results are on board, so nobody waits."""
    if session().opens_with_all is None:
        session().opens_with_all = SOURCE not in st.query_params and subject.sample in sample_results.TILES
    return bool(session().opens_with_all)


def _choose_sides(cards: Sequence[Card]) -> list[str]:
    """Draw what the two sides of a comparison show."""
    panes = [IMAGE, *(card.title for card in cards)]
    defaults = (("Left", 1 if len(panes) > 2 else 0), ("Right", min(2, len(panes) - 1)))
    with st.container(horizontal=True):
        return [
            st.selectbox(
                side,
                panes,
                index=index,
                key=f"{side.lower()}_pane",
                bind="query-params",
                help=f"{side} side of the map when two are compared: a model's mask, or only the image.",
            )
            for side, index in defaults
        ]
