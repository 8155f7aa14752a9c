"""What the arguments of a command name: images, reference buildings and models."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import SciNetError
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.truth import Truth, read_truth, read_window_truth
from scinet.models.checkpoint import Model, load_model
from scinet.models.custom import SUFFIXES, open_custom_file
from scinet.models.device import parse_device
from scinet.raster.open import MAX_PIXELS
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene, open_scene
from scinet.web import is_url

Window = tuple[int, int, int, int]


class Subject(NamedTuple):
    """An image in memory, and its reference buildings if there are any."""

    name: str
    raster: Raster
    truth: Truth | None

    @property
    def notes(self) -> list[str]:
        """How the files were understood, in sentences for the reader."""
        return [*self.raster.notes, *(() if self.truth is None else self.truth.notes)]


def read_subject(
    image: str, truth: Path | None, window: Window | None, native_cm_per_px: float | None, choice: MaskChoice
) -> Subject:
    """Read an image and its reference buildings.

    Args:
        image: A path or URL.
        truth: A mask image or vector file.
        window: Column, row, width and height in px, to take only this part.
        native_cm_per_px: The image's resolution, if the file does not say.
        choice: Which values of a mask image are building or ignored.

    Raises:
        SciNetError: Something cannot be read, or does not fit in memory.
    """
    scene = open_scene(image, cm_per_px=native_cm_per_px)
    if window is None and scene.pixels > MAX_PIXELS:
        raise SciNetError(
            f"{scene.name} has {scene.width} x {scene.height} px, more than fit in memory. "
            "Choose a part of it with --window COLUMN ROW WIDTH HEIGHT."
        )
    raster = scene.window(*(window or (0, 0, scene.width, scene.height)))
    if truth is None:
        return Subject(scene.name, raster, None)
    if raster.shape == (scene.height, scene.width):
        return Subject(scene.name, raster, read_truth(truth, raster, truth.name, choice))
    return Subject(scene.name, raster, read_window_truth(truth, raster, scene, truth.name, choice))


def read_images(image: str, native_cm_per_px: float | None) -> list[Tile] | Scene:
    """The tiles of a folder, or the one scene of a path or URL. Raises SciNetError."""
    if not is_url(image) and Path(image).is_dir():
        return tiles_in(Path(image))
    return open_scene(image, cm_per_px=native_cm_per_px)


def print_notes(notes: Sequence[str]) -> None:
    """Tell the reader how files were understood."""
    for note in notes:
        print(note, file=sys.stderr)


def load_models(names: Sequence[str], device_name: str | None) -> list[Model]:
    """Models by name, or custom models by path. Raises CheckpointError."""
    device = parse_device(device_name) if device_name else None
    return [
        open_custom_file(Path(name), device) if Path(name).suffix.lower() in SUFFIXES else load_model(name, device)
        for name in names
    ]
