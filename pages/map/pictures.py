"""The images of the map: the photograph, masks in the colours of their errors, heat maps. Each is made once."""

from collections.abc import Sequence

import numpy as np

from pages.app import drawing
from pages.app.runs import Result
from pages.app.state import cache
from pages.app.subject import Subject
from pages.map.layers import DOUBT, ERRORS, HEAT_MAPS
from scinet.models.scaling import UNSCALED, chance_of_error
from scinet.raster.raster import Raster

DOUBT_END = 0.5  # of the colours: a mask at the usual threshold is never more likely wrong
Placed = tuple[bytes, drawing.Bounds]  # an image file, and where it lies


def image(subject: Subject, raster: Raster) -> Placed:
    """The image at a working resolution."""
    key = ("image", subject.key, raster.shape)
    return cache("map").get_or_make(key, lambda: drawing.image_for_map(raster), _file_bytes)


def overlay(result: Result, style: str) -> Placed:
    """What lies over the image in one of the styles that fill areas."""
    return _heat_map(result, style) if style in HEAT_MAPS else _mask(result, style)


def _mask(result: Result, style: str) -> Placed:
    def make() -> Placed:
        diagnosis, prediction = result.evaluation.diagnosis, result.evaluation.prediction
        if diagnosis is not None and style == ERRORS:
            colours: Sequence[str] = list(drawing.PIXEL_COLOURS.values())
            classes = drawing.pixel_classes(diagnosis, prediction)
        else:
            classes, colours = drawing.overlay_classes(diagnosis, prediction)
        return drawing.classes_for_map(classes, result.evaluation.raster, colours, opacity=1.0)

    return cache("map").get_or_make(("mask", style, *result.key), make, _file_bytes)


def _heat_map(result: Result, style: str) -> Placed:
    """The probability, or how likely each pixel of the mask is wrong, in the colours from 0 to `DOUBT_END`."""
    threshold = result.settings.threshold
    calibration, raster = result.card.calibration, result.evaluation.raster

    def make() -> Placed:
        values = result.run.probability
        if style == DOUBT:
            scaling = calibration.scaling_at(raster.cm_per_px) if calibration else UNSCALED
            values = np.minimum(chance_of_error(values, threshold, scaling) / np.float32(DOUBT_END), 1)
        return drawing.probability_for_map(values, raster)

    key = (threshold, calibration and calibration.scalings) if style == DOUBT else ()
    return cache("map").get_or_make(("heat map", style, *key, *result.run.task.key), make, _file_bytes)


def _file_bytes(made: Placed) -> int:
    return len(made[0])
