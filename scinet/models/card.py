"""Cards: ``<name>.json`` describes the checkpoint ``<name>.safetensors``. Reading one needs no PyTorch."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scinet.errors import CheckpointError
from scinet.models.systems import NAMES, TITLES

LEAST_WINDOW_PX = 128

REPOSITORY_FOLDER = Path(__file__).parents[2] / "checkpoints"


def checkpoints_folder() -> Path:
    """The folder of checkpoints: SCINET_CHECKPOINTS where that is set, else the repository's."""
    return Path(os.environ.get("SCINET_CHECKPOINTS") or REPOSITORY_FOLDER)


@dataclass(frozen=True)
class Card:
    """What a checkpoint is, how it was made and how well it does; stored beside the weights as JSON."""

    name: str
    architecture: str  # one of scinet.models.systems.NAMES; of a model of the reader's own, see scinet.models.custom
    gsd_range_cm_per_px: tuple[float, float]  # what training saw
    window_px: int  # longest side of the windows of segment(): squeeze-and-excite pools over the whole window
    window_m: float | None = None  # and on the ground, where that is less; see Card.window_px_at
    mean: float = 0.5  # of the inputs' normalisation, per channel in [0, 1]
    std: float = 0.5
    settings: dict = field(default_factory=dict)  # the recipe, and what deviates from the paper's
    data: list[dict] = field(default_factory=list)  # data sets with tiles, GSD, licence and attribution
    scores: dict = field(default_factory=dict)
    revision: str = ""  # git revision of the code that trained it
    sha256: str = ""  # of the weights' file

    @property
    def title(self) -> str:
        """For people: the system's name, with the checkpoint's own where that says more."""
        title = TITLES.get(self.architecture, self.name)
        if self.name in (self.architecture, title):
            return title
        return f"{title} ({self.name.removeprefix(f'{self.architecture}-')})"

    @property
    def canonical_cm_per_px(self) -> float:
        """The middle of the training GSD range (geometric mean): where strategy "canonical" works."""
        low, high = self.gsd_range_cm_per_px
        return (low * high) ** 0.5

    def window_px_at(self, cm_per_px: float) -> int:
        """The longest side of a window at a GSD: ``window_m``, if that is from LEAST_WINDOW_PX to ``window_px``."""
        if self.window_m is None:
            return self.window_px
        return min(self.window_px, max(LEAST_WINDOW_PX, int(100 * self.window_m / cm_per_px)))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> "Card":
        """A card from its JSON. Raises CheckpointError that names ``source`` where the text is no card."""
        try:
            values = json.loads(text)
            low, high = (float(value) for value in values["gsd_range_cm_per_px"])
            card = cls(**{**values, "gsd_range_cm_per_px": (low, high), "window_px": int(values["window_px"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{source} is no checkpoint card ({error}); restore it from the repository."
            ) from error
        if card.architecture not in NAMES:
            raise CheckpointError(
                f"{source} names the architecture {card.architecture!r}, which is not one of the seven."
            )
        if not 0 < low <= high or card.window_px < 32 or not (card.window_m is None or card.window_m > 0):
            raise CheckpointError(f"{source} holds an impossible GSD range or window; restore it from the repository.")
        return card


def list_cards(folder: Path | None = None) -> list[Card]:
    """The cards of all checkpoints whose weights are there, in the order of the paper's systems.

    A card that cannot be read is passed over: one damaged file must not hide the others.
    """
    cards = []
    for path in (folder or checkpoints_folder()).glob("*.json"):
        if not path.with_suffix(".safetensors").exists():
            continue
        try:
            cards.append(Card.from_json(path.read_text(errors="replace"), path.name))
        except CheckpointError:
            continue
    return sorted(cards, key=lambda card: (NAMES.index(card.architecture), len(card.name), card.name))
