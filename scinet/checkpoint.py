"""Checkpoints: ``<name>.safetensors`` in half precision and ``<name>.json``, the card that describes it.

Nothing here unpickles: a checkpoint from a stranger can hold wrong numbers, but no code.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scinet.device import default_device
from scinet.errors import CheckpointError
from scinet.inference import for_inference
from scinet.memory import give_back
from scinet.models import NAMES, TITLES, build

LEAST_WINDOW_PX = 128
REPOSITORY_FOLDER = Path(__file__).parent.parent / "checkpoints"


def checkpoints_folder() -> Path:
    """The folder of checkpoints: SCINET_CHECKPOINTS where that is set, else the repository's."""
    return Path(os.environ.get("SCINET_CHECKPOINTS") or REPOSITORY_FOLDER)


@dataclass(frozen=True)
class Card:
    """What a checkpoint is, how it was made and how well it does; stored beside the weights as JSON."""

    name: str
    architecture: str  # one of scinet.models.NAMES; of a model of the reader's own, see scinet.own_model
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


@dataclass(frozen=True)
class Model:
    """A network ready to segment, on its device, and its card. See `scinet.forward` for how it is run."""

    network: nn.Module
    card: Card
    device: torch.device
    one_size: bool = False  # it takes windows of just the card's size, as some ONNX files do


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


def save_checkpoint(folder: Path, network: nn.Module, card: Card) -> Card:
    """Write ``<card.name>.safetensors`` (see `halved`) and ``.json``; return the card with the weights' hash.

    Both files appear whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{card.name}.safetensors"
    part = weights.with_suffix(".part")
    save_file({name: halved(tensor) for name, tensor in network.state_dict().items()}, part)
    card = replace(card, sha256=_sha256(part))
    card_part = weights.with_suffix(".json.part")
    card_part.write_text(card.to_json())
    part.replace(weights)
    card_part.replace(weights.with_suffix(".json"))
    return card


def load_model(name: str | Path, device: torch.device | None = None) -> Model:
    """A checkpoint by its name in the checkpoints folder, or by the path of its .safetensors file, ready to run.

    Raises CheckpointError where a file is missing or damaged, or its weights do not fit its architecture.
    """
    network, card = load_trained(name)
    device = device or default_device()
    network = for_inference(network, device)
    give_back()  # three times the weights, on their way from half precision
    return Model(network, card, device)


def load_trained(name: str | Path) -> tuple[nn.Module, Card]:
    """As `load_model`, but the network as training left it: float32 on the CPU, in evaluation mode."""
    path = Path(name)
    if path.suffix != ".safetensors":
        path = checkpoints_folder() / f"{name}.safetensors"
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.is_file():
            known = ", ".join(card.name for card in list_cards()) or "none"
            raise CheckpointError(f"There is no checkpoint file {needed.name}; those that are here: {known}.")
    card = Card.from_json(card_path.read_text(errors="replace"), card_path.name)
    if _sha256(path) != card.sha256:
        raise CheckpointError(
            f"{path.name} is damaged or not the file its card describes; restore it from the repository."
        )
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is no safetensors file: {error}.") from error
    with torch.device("meta"):  # no time spent on random weights that are replaced at once
        network = build(card.architecture)
    _check_shapes(network, state, path.name)
    network.load_state_dict({key: _full(tensor) for key, tensor in state.items()}, assign=True)
    return network.requires_grad_(False).eval(), card


def halved(tensor: Tensor) -> Tensor:
    """As checkpoints keep it: float16, or float32 where that overflows, as HRNet's running variances do."""
    if tensor.is_floating_point():
        half = tensor.half()
        tensor = half if torch.isfinite(half).all() else tensor.float()
    return tensor.cpu().contiguous()


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_shapes(network: nn.Module, state: dict[str, Tensor], name: str) -> None:
    wanted = network.state_dict()
    missing, extra = wanted.keys() - state.keys(), state.keys() - wanted.keys()
    if missing or extra:
        raise CheckpointError(
            f"{name} does not hold its card's architecture: {len(missing)} tensors are missing, {len(extra)} unknown "
            f"({min(missing or extra)}, for one)."
        )
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            raise CheckpointError(
                f"{name}: {key} has the shape {tuple(tensor.shape)}, "
                f"but the architecture wants {tuple(wanted[key].shape)}."
            )
