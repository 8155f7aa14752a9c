"""What the map shows, as the state that static/map.js draws: one cell per image, reference and model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pages.app import drawing
from pages.app.measures import KIND_TITLES, PIXEL_TITLES
from pages.app.runs import Result
from pages.app.state import session
from pages.app.subject import Subject
from pages.map import layers, pictures
from pages.map.layers import DOUBT, ERRORS, HEAT_MAPS, OUTLINES, PROBABILITY
from pages.map.leaflet import serve
from pages.map.target import Target
from scinet.evaluation import scores
from scinet.models.card import Card
from scinet.raster.raster import Raster

SWIPE, SIDE_BY_SIDE, ALL = "Swipe", "Side by side", "All"
COMPARISONS = (SWIPE, SIDE_BY_SIDE, ALL)
_MODES = {SWIPE: "swipe", SIDE_BY_SIDE: "pair", ALL: "all"}
IMAGE, REFERENCE = "Image", "Reference"
OPACITY = 0.5
HEAT_MAP_GAIN = 1.4  # a heat map fades out by itself where nothing is, so it may cover more

Cell = dict[str, Any]


@dataclass(frozen=True)
class MapView:
    """How the map shows its cells.

    style        one of STYLES
    compare      one of COMPARISONS
    left, right  the titles of the two cells that are compared, unless all are shown
    """

    style: str
    compare: str
    left: str
    right: str
    opacity: float = OPACITY
    has_outlines: bool = True  # of the reference buildings
    has_base_map: bool = False  # fetched from the internet


@dataclass(frozen=True)
class Contents:
    """An image at a working resolution with what is known of its models; those without a result are awaited."""

    subject: Subject
    raster: Raster
    cards: Sequence[Card]
    target: Target | None = None  # the map flies to a new one, and marks it as long as it is given
    results: dict[str, Result] = field(default_factory=dict)  # by the card's title
    failed: list[str] = field(default_factory=list)  # titles of models that will have no result

    def in_order(self) -> list[Result]:
        """The results in the order of the models."""
        return [self.results[card.title] for card in self.cards if card.title in self.results]

    def state(self, view: MapView) -> dict[str, Any]:
        """The whole state of the map."""
        subject, target = self.subject, self.target
        cells = self.cells(view)
        titles = [cell["title"] for cell in cells]
        any_result = next(iter(self.results.values()), None)
        return {
            "compare": _MODES[view.compare],
            "cells": cells,
            "sides": [titles.index(side) if side in titles else 0 for side in (view.left, view.right)],
            "baseMap": view.has_base_map and self.raster.crs is not None,
            "legend": _legend(subject, any_result, view),
            "target": target
            and {
                "id": target.id,
                "url": serve(target.geojson, "application/json", "target"),
                "model": target.model,
            },
            "truth": None if subject.truth is None else _served(layers.reference_buildings(subject), "truth"),
            "area": self._area(),
            "line": {
                "shown": view.has_outlines,
                "weight": 2.5 if view.style == OUTLINES else 1.5,
                "plain": drawing.TRUTH_COLOUR if view.style in (ERRORS, *HEAT_MAPS) else None,
            },
            "opacity": min(1.0, view.opacity * (HEAT_MAP_GAIN if view.style in HEAT_MAPS else 1.0)),
        }

    def cells(self, view: MapView) -> list[Cell]:
        """The cells: image, reference if there is one, models."""
        picture, bounds = pictures.image(self.subject, self.raster)
        url = serve(picture, drawing.mime_type(picture), f"{self._place}-base")
        bare = {
            "base": {"url": url, "bounds": bounds, "alt": "image"},
            "overlay": None,
            "components": None,
            "outcomes": None,
            "note": "",
            "waits": False,
        }
        cells: list[Cell] = [{**bare, "title": IMAGE, "kind": "image"}]
        if self.subject.truth is not None:
            cells.append({**bare, "title": REFERENCE, "kind": "reference"})
        for card in self.cards:
            result = self.results.get(card.title)
            waits = result is None and card.title not in self.failed
            cell = {**bare, "title": card.title, "kind": "model", "waits": waits, "note": "..." if waits else ""}
            cells.append(cell if result is None else cell | self._mask(result, view.style))
        return cells

    def _area(self) -> dict[str, Any] | None:
        """The area of interest, and whether it was drawn here."""
        area = self.subject.area
        if area is None:
            return None
        drawn = session().drawn_area
        return {
            "url": _served(layers.area_outline(self.subject, area), "area"),
            "drawn": drawn is not None and area is drawn.area,
        }

    @property
    def _place(self) -> str:
        """Files of other steps are kept while the browser may still ask for them."""
        return f"{self.raster.cm_per_px:g}"

    def _mask(self, result: Result, style: str) -> Cell:
        """What a result adds to the image."""
        title = result.card.title
        place = f"{self._place}-{title}"
        overlay = None
        if style != OUTLINES:
            picture, bounds = pictures.overlay(result, style)
            url = serve(picture, "image/png", f"{place}-overlay")
            overlay = {"url": url, "bounds": bounds, "alt": f"{style} of {title}"}
        outcomes = None if result.evaluation.diagnosis is None else layers.outcomes(self.subject, result)
        return {
            "overlay": overlay,
            "components": _served(layers.components(style, result), f"{place}-components"),
            "outcomes": _served(outcomes, f"{place}-outcomes"),
            "note": note(result),
        }


def note(result: Result) -> str:
    """The scores of a mask in a few words, or its area if there is no reference."""
    evaluation = result.evaluation
    if evaluation.diagnosis is None:
        area_m2 = float(evaluation.prediction.sum()) * evaluation.raster.pixel_area_m2
        return f"{area_m2:,.0f} m²"
    counts = evaluation.diagnosis.counts
    truth = result.run.task.subject.truth
    if truth is not None and truth.is_partial:
        return f"Recall {scores.recall(counts):.2f}"
    return f"IoU {scores.iou(counts):.2f}  F1 {scores.f1(counts):.2f}"


def _served(data: bytes | None, place: str) -> str | None:
    return serve(data, "application/json", place) if data else None


def _legend(subject: Subject, result: Result | None, view: MapView) -> list[dict[str, Any]]:
    has_truth = subject.truth is not None
    truth = [{"title": "Reference building", "colour": drawing.TRUTH_COLOUR}] if has_truth else []
    if view.style == PROBABILITY and result is not None:
        ramp = {"title": "Probability", "ramp": drawing.PROBABILITY_COLOURS, "end": "1"}
        return [ramp | {"threshold": result.settings.threshold}, *truth]
    if view.style == DOUBT and result is not None:
        end = f"{pictures.DOUBT_END:g}" + ("" if result.settings.threshold == pictures.DOUBT_END else " or more")
        return [{"title": "Chance of error", "ramp": drawing.PROBABILITY_COLOURS, "end": end}, *truth]
    if not has_truth:
        return [{"title": "Mask", "colour": drawing.MASK_COLOUR}]
    if view.style == ERRORS:
        pixels = [{"title": PIXEL_TITLES[name], "colour": colour} for name, colour in drawing.PIXEL_COLOURS.items()]
        return [*pixels, *truth]
    return [{"title": KIND_TITLES[kind], "colour": drawing.KIND_COLOURS[kind]} for kind in drawing.KINDS]
