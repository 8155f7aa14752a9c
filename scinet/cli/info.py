"""``scinet info``: how an image and its reference buildings are read."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from scinet.camera.camera import Camera, round_height_m
from scinet.cli.options import IMAGE_HELP, camera_option, examples, image_options, json_option, truth_options
from scinet.errors import GsdMissingError
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.report import to_json
from scinet.evaluation.subject import Window, read_subject
from scinet.evaluation.truth import judged_part, truth_labels
from scinet.raster.choice import ImageChoice
from scinet.raster.scene import Scene, open_scene
from scinet.vector.choice import VectorChoice

HELP = f"""Tell how an image is read: its size, resolution and place, and what its file leaves open.

IN is {IMAGE_HELP}. With --truth, the reference buildings are read too, and counted.
With --camera, or of a photo that names its camera, the flying heights for usual resolutions are told.
"""
ROUND_CM_PER_PX = (5.0, 10.0, 20.0, 40.0)
USUAL_LIMIT_M = 120.0  # above the ground, in the rules of most countries


@click.command(
    help=HELP,
    epilog=examples("scinet info tile.tif", 'scinet info tile.tif --truth buildings.gpkg --where "height >= 3"'),
)
@click.argument("image", metavar="IN")
@truth_options(required=False)
@image_options
@camera_option
@json_option
def info(
    image: str,
    truth: Path | None,
    mask_choice: MaskChoice,
    features: VectorChoice,
    window: Window | None,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    camera: Camera | None,
    as_json: bool,
) -> None:
    """Tell how an image and its reference buildings are read."""
    scene = _open(image, native_cm_per_px, image_choice)
    content: dict[str, Any] = {
        "image": scene.name,
        "width_px": scene.width,
        "height_px": scene.height,
        "cm_per_px": scene.cm_per_px,
        "crs": scene.crs.to_string() if scene.crs else None,
    }
    shot = scene.shot
    told = (shot.text,) if shot and scene.crs is None else ()
    if used := camera or (shot.camera if shot else None):
        content["flight"] = _flight(used, scene.cm_per_px)
    if truth is None:
        content["notes"] = [*scene.all_notes, *told]
    else:
        subject = read_subject(scene, truth, mask_choice, features, window)
        assert subject.truth is not None
        labels, judged = judged_part(truth_labels(subject.truth, subject.raster), subject.raster.valid)
        content["reference"] = {
            "file": truth.name,
            "buildings": len(np.unique(labels[judged & (labels > 0)])),
            "judged_share": float(judged.sum() / max(1, subject.raster.valid.sum())),
        }
        content["notes"] = [*subject.notes, *told]
    click.echo(to_json(content) if as_json else _text(content), nl=False)


def _open(image: str, native_cm_per_px: float | None, choice: ImageChoice) -> Scene:
    """The image; a photo that tells its own resolution needs no other, as nothing is measured by it here."""
    try:
        return open_scene(image, cm_per_px=native_cm_per_px, choice=choice)
    except GsdMissingError as missing:
        if missing.likely_cm_per_px is None:
            raise
        return open_scene(image, cm_per_px=missing.likely_cm_per_px, choice=choice)


def _flight(camera: Camera, native_cm_per_px: float) -> dict[str, Any]:
    """The heights above the ground that give the image's resolution and the usual ones."""
    steps = sorted({native_cm_per_px, *(step for step in ROUND_CM_PER_PX if step > native_cm_per_px)})
    return {
        "camera": camera.name,
        "source": camera.source,
        "heights_m": {f"{step:.3g}": round_height_m(camera.height_m(step)) for step in steps},
        "cm_per_px_at_120_m": camera.cm_per_px(USUAL_LIMIT_M),
    }


def _text(content: dict[str, Any]) -> str:
    """What is known, in lines for people."""
    size = f"{content['width_px']} x {content['height_px']} px at {content['cm_per_px']:.4g} cm/px"
    lines = [f"{content['image']}: {size}, {content['crs'] or 'no place on the earth'}"]
    if reference := content.get("reference"):
        judged = f"{reference['judged_share']:.0%} of the image is judged"
        lines.append(f"{reference['file']}: {reference['buildings']} buildings; {judged}")
    if flight := content.get("flight"):
        heights = ", ".join(f"{step} cm/px is {height_m:g} m" for step, height_m in flight["heights_m"].items())
        low = f"{USUAL_LIMIT_M:g} m gives {flight['cm_per_px_at_120_m']:.2g} cm/px"
        lines.append(f"flying height with {flight['camera']}: {heights}; {low}")
    return "\n".join(lines + [f"note: {note}" for note in content["notes"]]) + "\n"
