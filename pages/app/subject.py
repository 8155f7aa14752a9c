"""What a source returns: the image to explore, or why there is none."""

import hashlib
from dataclasses import dataclass

import numpy as np
import shapely

from pages.app.state import Key
from scinet.camera.camera import Camera
from scinet.evaluation.truth import Truth
from scinet.raster.raster import Raster
from scinet.vector.area import Area


@dataclass(frozen=True, eq=False)
class Subject:
    """The image to explore, with its reference buildings if there are any.

    `key` is a hash of its files and of how they are read, `sample` the name of a sample tile, `camera` that of a
    photo, `area` the part of it that counts.
    """

    key: str
    title: str
    raster: Raster
    truth: Truth | None
    credit: str = ""
    sample: str | None = None
    camera: Camera | None = None
    area: Area | None = None

    @property
    def scope_key(self) -> Key:
        """What of it counts: scores depend on it, probabilities do not."""
        return (self.truth is not None and self.truth.is_partial, self.area and self.area.key)

    @property
    def place_key(self) -> Key:
        """Where it lies: other reference buildings make it another subject at the same place."""
        return (self.title, self.raster.shape, *self.raster.transform[:6], str(self.raster.crs))

    @property
    def notes(self) -> tuple[str, ...]:
        """How its files were understood, in sentences for the reader."""
        return (*self.raster.notes, *(() if self.truth is None else self.truth.notes))

    @property
    def size_bytes(self) -> int:
        """Its size in memory."""
        return raster_bytes(self.raster) + (0 if self.truth is None else truth_bytes(self.truth))


@dataclass(frozen=True)
class Choice:
    """What the sidebar holds: the last image that could be read, and why a newer one could not."""

    subject: Subject | None
    problem: str | None = None
    hint: str | None = None


def raster_bytes(raster: Raster) -> int:
    """The size of a raster in memory."""
    return raster.pixels.nbytes + raster.valid.nbytes


def truth_bytes(truth: Truth) -> int:
    """The size of reference buildings in memory; of polygons, a little less than it is."""
    buildings = truth.buildings
    if isinstance(buildings, np.ndarray):
        return buildings.nbytes + (0 if truth.judged is None else truth.judged.nbytes)
    return 16 * int(shapely.get_num_coordinates(buildings.polygons).sum()) + 200 * len(buildings.polygons)


def hash_of(*parts: object) -> str:
    """A hash of bytes and of anything else by its repr."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    return digest.hexdigest()
