"""A sweep as one HTML file that opens in any browser without a network: image, masks, numbers, target and verdicts."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scinet.camera.camera import Camera
from scinet.errors import WriteError
from scinet.evaluation.evaluate import Evaluation
from scinet.evaluation.report import to_json
from scinet.evaluation.sweep_rows import SweepPoint, sweep_content
from scinet.evaluation.target import Target
from scinet.raster.raster import Raster
from scinet.share.pictures import GREEN, KIND_COLOURS, encode_classes, encode_image, model_colour, overlay_classes
from scinet.share.storable import storable

MOST_BYTES = 5_000_000
SIDES_PX = (1024, 768, 512, 384, 256)  # of pictures: the largest with which the file is small enough
_TEMPLATE = Path(__file__).parent / "report.html"
_OPACITY = 0.6


@dataclass(frozen=True)
class SharedImage:
    """What a report says about the image itself.

    Attributes:
        title: What to call it.
        credit: The attribution that its licence asks for.
        notes: How its files were understood.
    """

    title: str
    credit: str = ""
    notes: Sequence[str] = ()


@dataclass
class Pictures:
    """The pictures of a report, collected while a sweep runs.

    Attributes:
        images: The image at each resolution in cm/px.
        references: Class images uint8 (H, W) of the reference buildings by resolution, empty without any.
        masks: Class images uint8 (H, W) by model and resolution, with their colours.
        colours: By model, of its marks.
    """

    images: dict[float, Raster] = field(default_factory=dict)
    references: dict[float, NDArray[np.uint8]] = field(default_factory=dict)
    masks: dict[tuple[str, float], tuple[NDArray[np.uint8], Sequence[str]]] = field(default_factory=dict)
    colours: dict[str, str] = field(default_factory=dict)

    def add(self, model: str, architecture: str, cm_per_px: float, evaluation: Evaluation) -> None:
        """Keep the pictures of one run, on its working grid."""
        self.colours[model] = model_colour(architecture)
        self.images[cm_per_px] = evaluation.raster
        if evaluation.diagnosis is not None:
            self.references[cm_per_px] = (evaluation.diagnosis.truth_labels > 0).astype(np.uint8)
        self.masks[model, cm_per_px] = overlay_classes(evaluation.diagnosis, evaluation.prediction)


def report_html(
    image: SharedImage,
    native_cm_per_px: float,
    points: Sequence[SweepPoint],
    pictures: Pictures,
    target: Target | None = None,
    camera: Camera | None = None,
) -> str:
    """The report as the text of a self-contained HTML file of at most 5 MB.

    Args:
        image: What to say about the image.
        native_cm_per_px: The image's own resolution.
        points: What has run.
        pictures: The pictures of the same runs.
        target: What the reader needs; without reference buildings, verdicts on it are by estimates.
        camera: Whose flying heights are told.

    Raises:
        WriteError: Even with the smallest pictures it would be larger.
    """
    content = sweep_content(image.title, image.notes, native_cm_per_px, points, target, camera)
    steps = sorted(pictures.images)
    heights = {f"{step:.6g}": round(camera.height_m(step)) for step in steps} if camera else {}
    content |= {
        "credit": image.credit,
        "steps": steps,
        "camera": camera and camera.name,
        "heights_m": heights,
        "target_text": target and f"a model that {target.text}",
        "colours": pictures.colours,
        "kinds": KIND_COLOURS if pictures.references else {},
        "rows": [row for row in content["rows"] if row["grid"] == "working"],
    }
    for side_px in SIDES_PX:
        text = _page(image.title, content | {"pictures": _encoded(pictures, steps, side_px)})
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise WriteError("The report would be larger than 5 MB. Sweep fewer resolutions or models.")


def _page(title: str, content: dict[str, Any]) -> str:
    # In a script element, "<" could end it or start a comment
    data = json.dumps(json.loads(to_json(content)), ensure_ascii=False).replace("<", "\\u003c")
    # The data first: a title may hold the mark of their place, and stands before it
    page = _TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data, 1)
    return storable(page.replace("{{title}}", escape(title), 1))


def _encoded(pictures: Pictures, steps: Sequence[float], side_px: int) -> dict[str, list[str | None]]:
    """Pictures as data URIs, by what they show and then by step; None where a model has not run."""
    found: dict[str, list[str | None]] = {"Image": [_image_uri(pictures.images[step], side_px) for step in steps]}
    if pictures.references:
        found["Reference"] = [_classes_uri(pictures.references[step], [GREEN], side_px) for step in steps]
    for model in pictures.colours:
        runs = [pictures.masks.get((model, step)) for step in steps]
        found[model] = [None if run is None else _classes_uri(*run, side_px) for run in runs]
    return found


def _image_uri(raster: Raster, side_px: int) -> str:
    picture = Image.fromarray(raster.pixels)
    picture.thumbnail((side_px, side_px))
    return _uri("image/jpeg", encode_image(np.asarray(picture), quality=75))


def _classes_uri(classes: NDArray[np.uint8], colours: Sequence[str], side_px: int) -> str:
    picture = Image.fromarray(classes)
    picture.thumbnail((side_px, side_px), Image.Resampling.NEAREST)
    return _uri("image/png", encode_classes(np.asarray(picture), colours, _OPACITY))


def _uri(mime_type: str, content: bytes) -> str:
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"
