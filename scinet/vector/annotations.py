"""Annotations in the pixels of an image (COCO, YOLO, Pascal VOC, labelme) as GeoJSON in the image's coordinates."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.vector.kml import parse_xml
from scinet.vector.run_lengths import outlines

_NAMES_OF_BUILDINGS = {"building", "buildings", "house", "houses", "roof", "rooftop", "footprint"}


@dataclass(frozen=True)
class AnnotatedImage:
    """The image that annotations belong to.

    Attributes:
        name: Its file name.
        grid: Its size and place.
        taken: The day of which it is, or None.
    """

    name: str
    grid: Grid
    taken: date | None = None


@dataclass(frozen=True)
class _Annotation:
    """An annotated object: polygons in pixels, each a list of rings of (column, row), and the name of its class."""

    polygons: list[list[list[tuple[float, float]]]]
    label: str
    is_box: bool = False


def annotations_to_geojson(
    content: bytes, kind: str, name: str, image: AnnotatedImage | None
) -> tuple[str, tuple[str, ...]]:
    """The objects of one image as GeoJSON text in the image's coordinates, with their class as `label`.

    Where classes are named and one is called building, house or roof, the others are left out.

    Args:
        content: Of the file.
        kind: "coco", "yolo", "voc" or "labelme".
        name: What to call the file in a message.
        image: The image that they belong to.

    Returns:
        The text, and notes on what was chosen.

    Raises:
        TruthError: The file is damaged, belongs to an image of another size, or there is no image.
    """
    if image is None:
        raise TruthError(f"{name} holds annotations in the pixels of an image. Give it together with that image.")
    read: dict[str, Callable[[bytes, str, AnnotatedImage], list[_Annotation]]] = {
        "coco": _coco,
        "yolo": _yolo,
        "voc": _voc,
        "labelme": _labelme,
    }
    try:
        found = read[kind](content, name, image)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError):
        raise TruthError(f"{name} is damaged, or is not {_TITLES[kind]}. Save it again.") from None
    notes = [_class_note(found, name)]
    if boxes := sum(each.is_box for each in found):
        notes.append(f"{boxes} of {len(found)} buildings in {name} are boxes; their corners count as building too.")
    features = [_feature(each, image.grid) for each in found]
    return json.dumps({"type": "FeatureCollection", "features": features}), tuple(filter(None, notes))


_TITLES = {"coco": "COCO", "yolo": "YOLO", "voc": "Pascal VOC", "labelme": "labelme"}


def _class_note(found: list[_Annotation], name: str) -> str:
    counts = Counter(each.label for each in found)
    if len(counts) < 2:
        return ""
    listed = ", ".join(f"{label} ({count})" for label, count in counts.most_common(8))
    buildings = [label for label in counts if label.lower() in _NAMES_OF_BUILDINGS]
    chosen = f"those called {' or '.join(buildings)}" if buildings else "all"
    if buildings:
        found[:] = [each for each in found if each.label in buildings]
    example = buildings[0] if buildings else next(iter(counts))
    return (
        f"{name} has the classes {listed}; {chosen} count as building. "
        f"Choose others with --where, such as --where \"label = '{example}'\"."
    )


def _feature(annotation: _Annotation, grid: Grid) -> dict[str, Any]:
    polygons = [
        [[list(grid.transform @ point) for point in _closed(ring)] for ring in polygon]
        for polygon in annotation.polygons
    ]
    return {
        "type": "Feature",
        "properties": {"label": annotation.label},
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
    }


def _closed(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def _pairs(numbers: Iterable[Any]) -> list[tuple[float, float]]:
    """A ring from x, y, x, y ...; at least three corners."""
    flat = [float(number) for number in numbers]
    if len(flat) < 6 or len(flat) % 2 or not np.isfinite(flat).all():
        raise ValueError
    return list(zip(flat[::2], flat[1::2], strict=True))


def _box(left: float, top: float, right: float, bottom: float) -> list[list[list[tuple[float, float]]]]:
    return [[[(left, top), (right, top), (right, bottom), (left, bottom)]]]


def _check_size(width: Any, height: Any, name: str, image: AnnotatedImage) -> None:
    if width and height and (int(height), int(width)) != image.grid.shape:
        raise TruthError(
            f"{name} annotates an image of {int(width)} x {int(height)} px; {image.name} has {image.grid.width} x "
            f"{image.grid.height} px. Give the annotations of this image."
        )


def _coco(content: bytes, name: str, image: AnnotatedImage) -> list[_Annotation]:
    document = json.loads(content)
    of_image = _coco_image(document["images"], name, image)
    _check_size(of_image.get("width"), of_image.get("height"), name, image)
    labels = {each["id"]: str(each.get("name", each["id"])) for each in document.get("categories", [])}
    found = []
    for each in document["annotations"]:
        if each.get("image_id", of_image["id"]) != of_image["id"]:
            continue
        label = labels.get(each.get("category_id"), str(each.get("category_id", "building")))
        outline = each.get("segmentation")
        if isinstance(outline, dict):
            found.append(_Annotation([[ring] for ring in outlines(outline, image.grid.shape)], label))
        elif outline:
            found.append(_Annotation([[_pairs(ring)] for ring in outline], label))
        else:
            left, top, width, height = map(float, each["bbox"])
            found.append(_Annotation(_box(left, top, left + width, top + height), label, is_box=True))
    return found


def _coco_image(images: list[dict[str, Any]], name: str, image: AnnotatedImage) -> dict[str, Any]:
    """The entry of an image: by its file name, else the only one."""
    for part in ("name", "stem"):
        wanted = getattr(Path(image.name), part)
        named = [each for each in images if getattr(Path(str(each.get("file_name", ""))), part) == wanted]
        if len(named) == 1:
            return named[0]
    if len(images) == 1:
        return images[0]
    if not images:
        raise TruthError(f"{name} annotates no image. Give the COCO file of this image.")
    listed = ", ".join(str(each.get("file_name")) for each in images[:3])
    raise TruthError(
        f"{name} annotates {len(images)} images ({listed} ...), none of which is called {image.name}. "
        "Give the image under the name that it has there."
    )


def _yolo(content: bytes, name: str, image: AnnotatedImage) -> list[_Annotation]:
    found = []
    height, width = image.grid.shape
    for line in content.decode().splitlines():
        label, *numbers = line.split() or [""]
        values = [float(number) for number in numbers]
        if len(values) == 4:
            x, y, w, h = values
            box = (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
            found.append(_Annotation(_box(*box), label, is_box=True))
        elif values:
            if len(values) % 2:  # the confidence of a prediction stands last
                values = values[:-1]
            if max(values) > 1.5:
                raise ValueError
            ring = [(x * width, y * height) for x, y in _pairs(values)]
            found.append(_Annotation([[ring]], label))
    return found


def _voc(content: bytes, name: str, image: AnnotatedImage) -> list[_Annotation]:
    root = parse_xml(content, name)
    _check_size(root.findtext("size/width"), root.findtext("size/height"), name, image)
    found = []
    for each in root.iter("object"):
        label = (each.findtext("name") or "building").strip()
        outline = each.find("polygon")
        if outline is not None:
            numbers = [child.text for child in outline if child.tag[:1] in "xy" and child.tag[1:].isdigit()]
            corners = [place.findtext(axis) for place in outline.iter("pt") for axis in ("x", "y")]
            found.append(_Annotation([[_pairs(numbers or corners)]], label))
        elif (box := each.find("bndbox")) is not None:
            left, top, right, bottom = (float(box.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax"))
            found.append(_Annotation(_box(left, top, right, bottom), label, is_box=True))
    return found


def _labelme(content: bytes, name: str, image: AnnotatedImage) -> list[_Annotation]:
    document = json.loads(content)
    _check_size(document.get("imageWidth"), document.get("imageHeight"), name, image)
    found = []
    for shape in document["shapes"]:
        points = [(float(x), float(y)) for x, y in shape["points"]]
        label = str(shape.get("label", "building"))
        if shape.get("shape_type") == "rectangle":
            (left, top), (right, bottom) = points
            found.append(_Annotation(_box(left, top, right, bottom), label))
        elif shape.get("shape_type", "polygon") == "polygon" and len(points) >= 3:
            found.append(_Annotation([[points]], label))
    return found
