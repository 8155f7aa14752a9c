"""The image and the truth of the commands that compare a mask with it, in memory."""

import argparse
from pathlib import Path
from typing import NamedTuple

from scinet.cli.options import gsd
from scinet.errors import SciNetError
from scinet.evaluation.truth import Truth, read_truth, read_window_truth
from scinet.raster.open import MAX_PIXELS
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene


def add_truth(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "--truth",
        required=required,
        metavar="T",
        type=Path,
        help="the true buildings: a mask image, GeoJSON or GeoPackage, in any CRS",
    )
    command.add_argument(
        "--window",
        nargs=4,
        type=int,
        metavar=("COLUMN", "ROW", "WIDTH", "HEIGHT"),
        help="take this part of the image alone, in its own px",
    )


class Subject(NamedTuple):
    """An image in memory, and its truth."""

    name: str
    raster: Raster
    truth: Truth | None


def subject_of(options: argparse.Namespace) -> Subject:
    """The image and truth that the arguments name: the whole, or `--window` of it. Raises SciNetError."""
    scene = open_scene(options.image, cm_per_px=gsd(options.native_cm_per_px))
    if options.window is None and scene.pixels > MAX_PIXELS:
        raise SciNetError(
            f"{scene.name} has {scene.width} x {scene.height} px, more than fit in memory. "
            "Choose a part of it with --window COLUMN ROW WIDTH HEIGHT."
        )
    raster = scene.window(*(options.window or (0, 0, scene.width, scene.height)))
    if options.truth is None:
        return Subject(scene.name, raster, None)
    if raster.shape == (scene.height, scene.width):
        return Subject(scene.name, raster, read_truth(options.truth, raster, options.truth.name))
    return Subject(scene.name, raster, read_window_truth(options.truth, raster, scene, options.truth.name))
