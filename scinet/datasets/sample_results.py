"""What the models on board find in three of the sample tiles, so that a first visit needs no model to run.

A tile has one TIFF for each resolution, with a page for each model: the mask at a threshold of 0.5, compressed as faxes
are (CCITT group 4), which takes half of what PNG or WebP take. index.csv says from what each page was made, so a result
of other weights is never shown. ``python -m training.sample_results`` writes all of it.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scinet.atomic_write import atomic_write
from scinet.errors import RasterError
from scinet.models.card import Card

FOLDER = Path(__file__).with_name("sample_results")
TILES = ("accra_building_site", "kampala_huts", "banepa_centre")  # names of samples
THRESHOLD = 0.5
_SAME = 1e-5  # how far apart two numbers for one resolution are


@dataclass(frozen=True)
class Results:
    """The masks of one tile at one resolution.

    Attributes:
        tile: The name of the sample.
        cm_per_px: The resolution.
        origins: From what each page was made, by the name of the model, sorted by it as the pages are; see `origin`.
    """

    tile: str
    cm_per_px: float
    origins: dict[str, str]

    @property
    def file(self) -> str:
        """The name of the TIFF."""
        return f"{self.tile}_{self.cm_per_px:.4g}.tif"


def origin(card: Card, cm_per_px: float) -> str:
    """What a mask depends on besides the image: the weights' hash, the scale of the image and the window.

    The scale is that of the strategy "best-scale" for unknown places.

    Example:
        >>> origin(Card("a", "unet", (5, 40), 576, sha256="0123456789abcdef" * 4), 10)
        '0123456789abcdef scale 1 window 576'
    """
    scale, _ = card.scales_at(cm_per_px, "unknown")
    return f"{card.sha256[:16]} scale {scale:g} window {card.window_px_at(cm_per_px / scale)}"


def sample_mask(tile: str, card: Card, cm_per_px: float) -> NDArray[np.bool_] | None:
    """The mask of a model on a sample tile, as `scinet.segment` with default settings and a threshold of 0.5 gives it.

    Args:
        tile: The name of the sample, such as "accra_building_site".
        card: The model's card.
        cm_per_px: The working resolution.

    Returns:
        bool (H, W) on the working grid, or None if there is no result on board of this model with these weights.

    Raises:
        RasterError: The result's file is damaged.

    Example:
        >>> from scinet import list_models
        >>> sample_mask("accra_building_site", list_models()[0], 123.4) is None
        True
    """
    for results in _index():
        if results.tile == tile and math.isclose(results.cm_per_px, cm_per_px, rel_tol=_SAME):
            if results.origins.get(card.name) != origin(card, cm_per_px):
                return None
            return read_mask(FOLDER / results.file, list(results.origins).index(card.name))
    return None


def read_mask(path: Path, page: int) -> NDArray[np.bool_]:
    """One page of a file, bool (H, W). Raises RasterError where it cannot be read."""
    try:
        with Image.open(path) as image:
            image.seek(page)
            return np.asarray(image, dtype=np.bool_)
    except (OSError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise RasterError(f"{path.name} is damaged ({error}); restore it from the repository.") from None


def write_masks(path: Path, masks: Sequence[NDArray[np.bool_]]) -> None:
    """Write a file of masks bool (H, W), one page for each."""
    first, *others = (Image.fromarray(mask) for mask in masks)
    with atomic_write(path) as part:
        first.save(part, compression="group4", save_all=True, append_images=others)


def read_index(folder: Path = FOLDER) -> list[Results]:
    """The results in a folder, as its index.csv lists them.

    Raises:
        RasterError: The index is damaged.
    """
    path = folder / "index.csv"
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Results(row.pop("tile"), float(row.pop("cm_per_px")), {name: row[name] for name in row if row[name]})
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError) as error:
        raise RasterError(f"{path} is damaged ({error}); restore it from the repository.") from None


def write_index(folder: Path, index: Sequence[Results]) -> None:
    """Write index.csv: one row per tile and resolution, one column per model."""
    models = sorted({name for row in index for name in row.origins})
    with atomic_write(folder / "index.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["tile", "cm_per_px", *models], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"tile": row.tile, "cm_per_px": row.cm_per_px, **row.origins} for row in index)


@cache
def _index() -> list[Results]:
    return read_index()
