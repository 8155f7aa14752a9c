"""``scinet info``: how an image and its reference buildings are read."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from scinet.cli.inputs import Window, read_subject
from scinet.cli.options import IMAGE_HELP, examples, image_options, json_option, truth_options
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.report import to_json
from scinet.evaluation.truth import judged_part, truth_labels
from scinet.raster.choice import ImageChoice
from scinet.raster.scene import open_scene
from scinet.vector.choice import VectorChoice

HELP = f"""Tell how an image is read: its size, resolution and place, and what its file leaves open.

IN is {IMAGE_HELP}. With --truth, the reference buildings are read too, and counted.
"""


@click.command(
    help=HELP,
    epilog=examples("scinet info tile.tif", 'scinet info tile.tif --truth buildings.gpkg --where "height >= 3"'),
)
@click.argument("image", metavar="IN")
@truth_options(required=False)
@image_options
@json_option
def info(
    image: str,
    truth: Path | None,
    mask_choice: MaskChoice,
    features: VectorChoice,
    window: Window | None,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    as_json: bool,
) -> None:
    """Tell how an image and its reference buildings are read."""
    scene = open_scene(image, cm_per_px=native_cm_per_px, choice=image_choice)
    content: dict[str, Any] = {
        "image": scene.name,
        "width_px": scene.width,
        "height_px": scene.height,
        "cm_per_px": scene.cm_per_px,
        "crs": scene.crs.to_string() if scene.crs else None,
    }
    if truth is None:
        content["notes"] = list(scene.all_notes)
    else:
        subject = read_subject(image, truth, window, native_cm_per_px, image_choice, mask_choice, features)
        assert subject.truth is not None
        labels, judged = judged_part(truth_labels(subject.truth, subject.raster), subject.raster.valid)
        content["reference"] = {
            "file": truth.name,
            "buildings": len(np.unique(labels[judged & (labels > 0)])),
            "judged_share": float(judged.sum() / max(1, subject.raster.valid.sum())),
        }
        content["notes"] = subject.notes
    click.echo(to_json(content) if as_json else _text(content), nl=False)


def _text(content: dict[str, Any]) -> str:
    """What is known, in lines for people."""
    size = f"{content['width_px']} x {content['height_px']} px at {content['cm_per_px']:.4g} cm/px"
    lines = [f"{content['image']}: {size}, {content['crs'] or 'no place on the earth'}"]
    if reference := content.get("reference"):
        judged = f"{reference['judged_share']:.0%} of the image is judged"
        lines.append(f"{reference['file']}: {reference['buildings']} buildings; {judged}")
    return "\n".join(lines + [f"note: {note}" for note in content["notes"]]) + "\n"
