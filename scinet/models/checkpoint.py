"""Checkpoints: ``<name>.safetensors`` in half precision, and ``<name>.json``, the card that describes it.

The card is in the header of the weights too, so that the two belong together at any moment: the JSON is derived from it
and counts where it has the hash of the weights.

Nothing here unpickles: a checkpoint from a stranger can hold wrong numbers, but no code.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scinet.atomic_write import atomic_write
from scinet.download import download, find_file
from scinet.errors import CheckpointError
from scinet.models.build import build
from scinet.models.card import Card, cached_weights, checkpoints_folder, read_card
from scinet.models.device import default_device
from scinet.models.fuse import for_inference
from scinet.models.memory import give_back
from scinet.models.model import Model

_CARD = "card"  # in the header's metadata


def save_checkpoint(folder: Path, network: nn.Module, card: Card) -> Card:
    """Write ``<card.name>.safetensors`` (see `to_half`) and ``<card.name>.json``.

    Args:
        folder: Where to; it is made where it is missing.
        network: Its state is written.
        card: Describes it.

    Returns:
        The card with the hash of the weights.

    Raises:
        WriteError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{card.name}.safetensors"
    state = {name: to_half(tensor) for name, tensor in network.state_dict().items()}
    # The weights get their name first: until the JSON has its own, their header has the card
    with atomic_write(weights.with_suffix(".json")) as card_part, atomic_write(weights) as weights_part:
        try:
            save_file(state, weights_part, {_CARD: replace(card, sha256="").to_json()})
        except SafetensorError as error:  # of the disk
            raise OSError from error
        card = replace(card, sha256=_sha256(weights_part))
        card_part.write_text(card.to_json())
    return card


def load_model(name: str | Path, device: torch.device | None = None) -> Model:
    """Load a model, ready to run.

    Weights that are not in the checkpoints folder are downloaded once, from the address on the model's card.

    Args:
        name: The name of one of `list_models()`, or the path of a .safetensors file with its card next to it.
        device: Where to run it; by default CUDA, else MPS, else the CPU.

    Raises:
        CheckpointError: A file is missing or damaged, or the weights do not fit their architecture.
        DownloadError: The weights cannot be downloaded.

    Example:
        >>> from scinet import load_model
        >>> load_model("unet").card.title
        'UNet'
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
    described = path.with_suffix(".json")
    card = None if path.is_file() and not described.exists() else read_card(described)
    if card is not None and not path.is_file():
        path = _downloaded(card, path)
    sha256 = _sha256(path)
    if card is None or sha256 != card.sha256:
        card = _own_card(path, sha256)
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is not a safetensors file: {error}.") from error
    with torch.device("meta"):  # no time spent on random weights that are replaced at once
        network = build(card.architecture)
    _check_shapes(network, state, path.name)
    network.load_state_dict({key: _full(tensor) for key, tensor in state.items()}, assign=True)
    return network.requires_grad_(False).eval(), card


def _own_card(path: Path, sha256: str) -> Card:
    """The card in the header of weights whose JSON is missing or of other weights, as after a power cut."""
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {})[_CARD]
        card = replace(Card.from_json(text, path.name), sha256=sha256)
    except (SafetensorError, OSError, KeyError):
        card = None
    if card is None or card.name != path.stem:
        raise CheckpointError(
            f"{path.name} is damaged or not the file its card describes; restore it from the repository."
        )
    return card


def _downloaded(card: Card, missing: Path) -> Path:
    """The weights from the card's address, in the user's cache."""
    if not card.url:
        raise CheckpointError(
            f"{missing.name} is missing, and its card has no address to download it from: set SCINET_CHECKPOINTS to a "
            "folder that has both, such as checkpoints in a clone of the repository."
        )
    path = cached_weights(card)
    if path.is_file() and _sha256(path) != card.sha256:  # damaged since
        path.unlink()
    if not path.is_file():
        download(find_file(card.url), path, sha256=card.sha256)
    return path


def to_half(tensor: Tensor) -> Tensor:
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
