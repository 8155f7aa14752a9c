"""Cards: ``<name>.json`` describes the model whose weights are ``<name>.safetensors``. Reading one needs no PyTorch."""

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from scinet import json_values
from scinet.download import cache_folder
from scinet.errors import CheckpointError
from scinet.models.architectures import NAMES, TITLES
from scinet.models.confidence import Calibration
from scinet.models.familiarity import Familiarity

LEAST_WINDOW_PX = 128
LARGEST_WINDOW_PX = 1152  # for the sake of `least_window_m`: memory goes with the area
MAX_WINDOW_PX = 4096
Places = Literal["unknown", "known"]

REPOSITORY_FOLDER = Path(__file__).parents[2] / "checkpoints"
_INSTALLED_FOLDER = Path(__file__).parents[1] / "checkpoints"  # a wheel has the cards there, without weights


def checkpoints_folder() -> Path:
    """The folder of checkpoints: SCINET_CHECKPOINTS where that is set, else the package's or the repository's."""
    if folder := os.environ.get("SCINET_CHECKPOINTS"):
        return Path(folder)
    return _INSTALLED_FOLDER if _INSTALLED_FOLDER.is_dir() else REPOSITORY_FOLDER


@dataclass(frozen=True)
class Card:
    """What a model is, how it was made and how well it does; stored next to its weights as JSON.

    Attributes:
        name: The files' name, and how `load_model` finds them.
        architecture: One of `scinet.models.architectures.NAMES`; for custom models see `scinet.models.custom`.
        gsd_range_cm_per_px: Finest and coarsest resolution that training saw, in cm/px.
        window_px: Longest side of the windows that the model sees: squeeze-and-excite pools over the whole window.
        window_m: The same on the ground, where that is less; see `window_px_at`.
        least_window_m: How much ground a window shows at least, even where that takes more than `window_px`: a network
            that sees a part of a large roof breaks it. See `window_px_at`.
        scales: For "unknown" and "known" places, rows of a working resolution in cm/px and the two scales at which
            the model does best there, the better first; see `scales_at`.
        calibration: What its probabilities tell of its masks where nobody trained it; None where that was not measured.
        familiarity: What its encoder made of its training, which tells images unlike it; None likewise.
        mean: Of the inputs' normalisation, for every channel of an image in [0, 1].
        std: Of the inputs' normalisation.
        settings: The recipe, and what deviates from the paper's; of a custom model its file, mean and std.
        data: Data sets with tiles, resolution, licence and attribution.
        scores: On validation tiles.
        revision: Git revision of the code that trained it.
        sha256: Of the weights' file.
        url: Where the weights can be downloaded; "" where they cannot.
        is_custom: Whether a user brought the model: its weights are not in the checkpoints folder.

    Example:
        >>> from scinet import Card
        >>> card = Card("mine", "unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=576, window_m=32.0)
        >>> card.title, card.window_px_at(cm_per_px=10)
        ('UNet (mine)', 320)
    """

    name: str
    architecture: str
    gsd_range_cm_per_px: tuple[float, float]
    window_px: int
    window_m: float | None = None
    mean: float = 0.5
    std: float = 0.5
    settings: dict[str, Any] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    revision: str = ""
    sha256: str = ""
    url: str = ""
    is_custom: bool = False
    least_window_m: float | None = None
    scales: dict[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    calibration: Calibration | None = None
    familiarity: Familiarity | None = None

    @property
    def title(self) -> str:
        """For people: the architecture's name, with the model's own where that says more."""
        title = TITLES.get(self.architecture, self.name)
        if self.name in (self.architecture, title):
            return title
        return f"{title} ({self.name.removeprefix(f'{self.architecture}-')})"

    def scales_at(self, cm_per_px: float, places: Places) -> tuple[float, float]:
        """The best and the second best scale for an image at a resolution, those of the nearest row of `scales`.

        A scale of 2 means that the model does best on the image enlarged to twice its size in pixels. Without a table,
        as for custom models, the image is left as it is.

        Example:
            >>> card = Card("a", "unet", (5, 40), 576, scales={"known": ((10, 1, 1.5), (40, 2, 3))})
            >>> card.scales_at(30, "known"), card.scales_at(30, "unknown")
            ((2, 3), (1.0, 1.0))
        """
        rows = self.scales.get(places, ())
        if not rows:
            return 1.0, 1.0
        _, best, second = min(rows, key=lambda row: abs(math.log(row[0] / cm_per_px)))
        return best, second

    def window_px_at(self, cm_per_px: float) -> int:
        """The longest side of a window at a resolution.

        That is `window_m`, but LEAST_WINDOW_PX to `window_px` px; and `least_window_m` where that is more, up to
        LARGEST_WINDOW_PX.

        Example:
            >>> card = Card("a", "unet", (2.5, 40), window_px=576, window_m=32.0, least_window_m=35.0)
            >>> card.window_px_at(10), card.window_px_at(5), card.window_px_at(2)
            (352, 704, 1152)
        """
        most = self.window_px
        if self.window_m is not None:
            most = min(most, max(LEAST_WINDOW_PX, int(100 * self.window_m / cm_per_px)))
        return max(most, self.least_window_px_at(cm_per_px))

    def least_window_px_at(self, cm_per_px: float) -> int:
        """The side in px that shows `least_window_m`, a multiple of 32 px up to LARGEST_WINDOW_PX; 0 without it."""
        if self.least_window_m is None:
            return 0
        return min(LARGEST_WINDOW_PX, 32 * math.ceil(100 * self.least_window_m / cm_per_px / 32))

    def to_json(self) -> str:
        """The content of the card's file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> "Card":
        """Read a card.

        Args:
            text: The content of its file.
            source: What to call the file in messages.

        Raises:
            CheckpointError: The text is not a card.
        """
        try:
            card = cls(**_checked(json_values.mapping(json_values.parse(text), "the document")))
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{source} is not a model's card ({error}); restore it from the repository."
            ) from error
        low, high = card.gsd_range_cm_per_px
        if card.architecture not in NAMES:
            raise CheckpointError(
                f"{source} names the architecture {card.architecture!r}, which is not one of {', '.join(NAMES)}."
            )
        if not low <= high or not 32 <= card.window_px <= MAX_WINDOW_PX:
            raise CheckpointError(
                f"{source} has an impossible range of resolutions or window; restore it from the repository."
            )
        if card.url and not re.fullmatch("[0-9a-f]{64}", card.sha256):
            raise CheckpointError(f"{source} has an address but not the SHA-256 of the file there; add its sha256.")
        return card


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """The members of a card, each of its type. Raises ValueError, or KeyError where one is missing."""
    low, high = json_values.sequence(values["gsd_range_cm_per_px"], "gsd_range_cm_per_px")
    read: dict[str, Any] = {
        "name": json_values.text(values["name"], "name"),
        "architecture": json_values.text(values["architecture"], "architecture"),
        "gsd_range_cm_per_px": (json_values.positive(low, "a resolution"), json_values.positive(high, "a resolution")),
        "window_px": json_values.whole(values["window_px"], "window_px"),
        "scales": {
            places: _scale_rows(json_values.sequence(rows, "scales"))
            for places, rows in json_values.mapping(values.get("scales", {}), "scales").items()
        },
    }
    if not _NAME.fullmatch(read["name"]):
        raise ValueError("name is not the name of a file")
    if values.get("is_custom", False) is not False:
        raise ValueError("is_custom is for models that a user adds")
    for name, check in _OPTIONAL.items():
        if name in values:
            read[name] = check(values[name], name)
    return {**values, **read}


def _scale_rows(rows: list[Any]) -> tuple[tuple[float, ...], ...]:
    """Rows of a resolution and two scales. Raises ValueError where they are not three positive numbers each."""
    read = tuple(
        tuple(json_values.positive(value, "a scale") for value in json_values.sequence(row, "scales")) for row in rows
    )
    if not all(len(row) == 3 for row in read):
        raise ValueError("a row of scales is a resolution and two scales")
    return read


def _metres(value: Any, name: str) -> float | None:
    return None if value is None else json_values.positive(value, name)


def _calibration(value: Any, name: str) -> Calibration | None:
    return None if value is None else Calibration.from_json(json_values.mapping(value, name))


def _familiarity(value: Any, name: str) -> Familiarity | None:
    return None if value is None else Familiarity.from_json(json_values.mapping(value, name))


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    return [json_values.mapping(each, f"an entry of {name}") for each in json_values.sequence(value, name)]


_NAME = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}")
_OPTIONAL: dict[str, Callable[[Any, str], Any]] = {
    "window_m": _metres,
    "least_window_m": _metres,
    "calibration": _calibration,
    "familiarity": _familiarity,
    "mean": json_values.number,
    "std": json_values.positive,
    "settings": json_values.mapping,
    "data": _objects,
    "scores": json_values.mapping,
    "revision": json_values.text,
    "sha256": json_values.text,
    "url": json_values.text,
}


def read_card(path: Path) -> Card:
    """Read a card's file. Raises CheckpointError where it is missing or damaged."""
    try:
        text = path.read_text(errors="replace")
    except (OSError, ValueError):
        known = ", ".join(card.name for card in list_models()) or "none"
        raise CheckpointError(f"There is no card {path.name}; the models that are here: {known}.") from None
    return Card.from_json(text, path.name)


def cached_weights(card: Card) -> Path:
    """Where the weights of a card are kept once they are downloaded from its address."""
    return cache_folder() / "models" / f"{card.sha256}.safetensors"


def list_models(folder: Path | None = None) -> list[Card]:
    """List the models that `load_model` can load: those whose weights are here or can be downloaded.

    A card that cannot be read is left out: one damaged file must not hide the others.

    Args:
        folder: Where to look; by default the checkpoints folder.

    Returns:
        Their cards, in the order of the paper's models.

    Example:
        >>> from scinet import list_models
        >>> "unet" in [card.name for card in list_models()]
        True
    """
    cards = []
    for path in (folder or checkpoints_folder()).glob("*.json"):
        with suppress(CheckpointError, OSError):
            card = Card.from_json(path.read_text(errors="replace"), path.name)
            if card.url or path.with_suffix(".safetensors").exists():
                cards.append(card)
    return sorted(cards, key=lambda card: (NAMES.index(card.architecture), len(card.name), card.name))
