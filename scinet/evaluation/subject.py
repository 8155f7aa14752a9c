"""An image in memory with its reference buildings, for comparing masks with them."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from scinet.errors import SciNetError
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.truth import Truth, read_truth, read_window_truth
from scinet.raster.open import MAX_PIXELS
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene
from scinet.vector.area import Area, read_area
from scinet.vector.choice import VectorChoice

Window = tuple[int, int, int, int]


class Subject(NamedTuple):
    """An image in memory, its reference buildings if there are any, and the area of interest if that is a part."""

    name: str
    raster: Raster
    truth: Truth | None
    area: Area | None = None

    @property
    def notes(self) -> list[str]:
        """How the files were understood, in sentences for the reader."""
        return [*self.raster.notes, *(() if self.truth is None else self.truth.notes)]


def read_subject(
    scene: Scene,
    truth: Path | None,
    mask_choice: MaskChoice,
    features: VectorChoice,
    window: Window | None = None,
) -> Subject:
    """Read an image and its reference buildings.

    Args:
        scene: The image.
        truth: A mask image or vector file.
        mask_choice: Which values of a mask image are building or ignored.
        features: The layer of a vector file, and which of its features are buildings.
        window: Column, row, width and height in px, to take only this part.

    Raises:
        SciNetError: Something cannot be read, or does not fit in memory.
    """
    if window is None and scene.pixels > MAX_PIXELS:
        raise SciNetError(
            f"{scene.name} has {scene.width} x {scene.height} px, more than fit in memory. "
            "Choose a part of it with --window COLUMN ROW WIDTH HEIGHT, or cut it into tiles."
        )
    raster = scene.window(*(window or (0, 0, scene.width, scene.height)))
    if truth is None:
        return Subject(scene.name, raster, None)
    if raster.shape == (scene.height, scene.width):
        return Subject(scene.name, raster, read_truth(truth, raster, truth.name, mask_choice, features, scene.name))
    return Subject(scene.name, raster, read_window_truth(truth, raster, scene, truth.name, mask_choice, features))


def with_area(subject: Subject, area: Path | None, not_all_labelled: bool) -> Subject:
    """The subject with an area of interest, and with what its reference leaves out. Raises SciNetError."""
    if not_all_labelled and subject.truth is not None:
        subject = subject._replace(truth=replace(subject.truth, is_partial=True))
    return subject if area is None else subject._replace(area=read_area(area, subject.raster.grid, area.name))
