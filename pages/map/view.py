"""The map: two sides, swiped or side by side, on a folium map whose contents static/map.js changes in place.

A step of the slider sends only the addresses of images and outlines, as one small layer: any change of the folium map
itself would load it again and lose the view.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import folium
import streamlit as st
from branca.element import MacroElement
from folium.template import Template
from streamlit_folium import st_folium

from pages.app import drawing
from pages.app.measures import KIND_TITLES, PIXEL_TITLES
from pages.app.runs import Result
from pages.app.state import cache
from pages.app.subject import Subject
from pages.map import layers
from pages.map.layers import ERRORS, OUTLINES, PROBABILITY
from pages.map.leaflet import serve, use_local_files
from pages.map.target import Target
from scinet.raster.raster import Raster

HEIGHT_PX = 480
SWIPE, SIDE_BY_SIDE = "Swipe", "Side by side"
COMPARISONS = (SWIPE, SIDE_BY_SIDE)
NOTHING = {"overlay": None, "components": None, "outcomes": None}  # a side that shows the image alone
SIDES = {"left": 400, "right": 401}  # a pane for each, and its z-index


class Frame(MacroElement):
    """Controls, panes and the divider on a folium map; `bounds` is what it shows at first."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "scinetMap.open({{ this._parent.get_name() }}, {{ this.frame|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, subject: str, bounds: drawing.Bounds) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._name = "Frame"
        self.frame = {
            "id": subject,
            "bounds": bounds,
            "withoutOutcome": layers.WITHOUT_OUTCOME,  # a reference building on a side without a mask
            "tooSmall": layers.TOO_SMALL,  # one that the mask's grid does not show
        }


class Contents(folium.map.Layer):
    """What the two sides show: titles, addresses of images and outlines, the legend."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "var {{ this.get_name() }} = scinetMap.show({{ this.state|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self._name = "Contents"
        self.state = state


@dataclass(frozen=True)
class MapView:
    """How the map shows its sides: one of STYLES and one of COMPARISONS."""

    style: str
    compare: str


def show_map(
    subject: Subject,
    raster: Raster,
    left: Result | None,
    right: Result | None,
    view: MapView,
    target: Target | None = None,
) -> None:
    """Draw the map of a subject at a working resolution; a side without a result shows only the image.

    The map flies to a new target, and marks it as long as it is given.
    """
    base, bounds = _image(subject, raster)
    _, whole = _image(subject, subject.raster)  # the same at each step: the map stays
    address = serve(base, drawing.mime_type(base), "base")
    sides = (("left", left), ("right", right))
    truth = None if subject.truth is None else layers.reference_buildings(subject)
    state: dict[str, Any] = {
        "legend": _legend(subject, left or right, view.style),
        "paired": view.compare == SIDE_BY_SIDE,
        "target": None,
        "truth": _served(truth, "truth"),
        "line": {
            "weight": 2.5 if view.style == OUTLINES else 1.5,
            "plain": drawing.TRUTH_COLOUR if view.style in (ERRORS, PROBABILITY) else None,
        },
    }
    if target is not None:
        url = serve(target.geojson, "application/json", "target")
        side = next((name for name, result in sides if result is not None and result.card.title == target.model), None)
        state["target"] = {"id": target.id, "url": url, "side": side}
    for name, result in sides:
        state[name] = {
            "title": result.card.title if result else "Image",
            "base": {"url": address, "bounds": bounds, "alt": "image"},
            **(_side(name, subject, result, view.style) if result else NOTHING),
        }
    with st.container(key="map_frame"):
        st_folium(
            _empty_map(subject.key, "Simple" if raster.crs is None else "EPSG3857", whole),
            key="map",
            height=HEIGHT_PX,
            use_container_width=True,
            feature_group_to_add=folium.FeatureGroup().add_child(Contents(state)),
            returned_objects=[],
        )


def _side(name: str, subject: Subject, result: Result, style: str) -> dict[str, Any]:
    """What a result adds to the image."""
    overlay = None
    if style != OUTLINES:
        picture, bounds = _heat_map(result) if style == PROBABILITY else _mask(result, style)
        url = serve(picture, "image/png", f"{name}-overlay")
        overlay = {"url": url, "bounds": bounds, "alt": f"{style} of {result.card.title}"}
    outcomes = None if result.evaluation.diagnosis is None else layers.outcomes(subject, result)
    return {
        "overlay": overlay,
        "components": _served(layers.components(style, result), f"{name}-components"),
        "outcomes": _served(outcomes, f"{name}-outcomes"),
    }


def _served(data: bytes | None, place: str) -> str | None:
    return serve(data, "application/json", place) if data else None


def _empty_map(subject: str, crs: str, bounds: drawing.Bounds) -> folium.Map:
    simple = crs == "Simple"
    empty = folium.Map(
        location=[0, 0],
        crs=crs,
        tiles=None,
        zoom_control=False,
        attributionControl=False,
        min_zoom=-6 if simple else 2,
        max_zoom=9 if simple else 27,
        zoomSnap=0.25,
        zoomDelta=0.75,
        wheelPxPerZoomLevel=90,
        maxBoundsViscosity=0.8,
    )
    use_local_files(empty, "swipe", "twin", "map")
    for side, z_index in SIDES.items():
        folium.map.CustomPane(side, z_index=z_index).add_to(empty)
    Frame(subject, bounds).add_to(empty)
    return empty


def _legend(subject: Subject, side: Result | None, style: str) -> list[dict[str, Any]]:
    truth = [{"title": "Reference building", "colour": drawing.TRUTH_COLOUR}] if subject.truth is not None else []
    if side is None:
        return truth
    if style == PROBABILITY:
        ramp = {"title": "Probability", "ramp": drawing.PROBABILITY_COLOURS, "threshold": side.settings.threshold}
        return [ramp, *truth]
    if not truth:
        return [{"title": "Mask", "colour": drawing.MASK_COLOUR}]
    if style == ERRORS:
        pixels = [{"title": PIXEL_TITLES[name], "colour": colour} for name, colour in drawing.PIXEL_COLOURS.items()]
        return [*pixels, *truth]
    return [{"title": KIND_TITLES[kind], "colour": drawing.KIND_COLOURS[kind]} for kind in drawing.KINDS]


def _image(subject: Subject, raster: Raster) -> tuple[bytes, drawing.Bounds]:
    key = ("image", subject.key, raster.shape)
    return cache("map").get_or_make(key, lambda: drawing.image_for_map(raster), _file_bytes)


def _mask(result: Result, style: str) -> tuple[bytes, drawing.Bounds]:
    def make() -> tuple[bytes, drawing.Bounds]:
        diagnosis, prediction = result.evaluation.diagnosis, result.evaluation.prediction
        if diagnosis is not None and style == ERRORS:
            colours: Sequence[str] = list(drawing.PIXEL_COLOURS.values())
            classes = drawing.pixel_classes(diagnosis, prediction)
        else:
            classes, colours = drawing.overlay_classes(diagnosis, prediction)
        return drawing.classes_for_map(classes, result.evaluation.raster, colours)

    return cache("map").get_or_make(("mask", style, *result.key), make, _file_bytes)


def _heat_map(result: Result) -> tuple[bytes, drawing.Bounds]:
    def make() -> tuple[bytes, drawing.Bounds]:
        return drawing.probability_for_map(result.run.probability, result.evaluation.raster)

    return cache("map").get_or_make(("heat map", *result.run.task.key), make, _file_bytes)


def _file_bytes(made: tuple[bytes, drawing.Bounds]) -> int:
    return len(made[0])
