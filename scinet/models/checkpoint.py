"""Checkpoints: ``<name>.safetensors`` in half precision and ``<name>.json``, the card that describes it.

Nothing here unpickles: a checkpoint from a stranger can hold wrong numbers, but no code.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scinet.errors import CheckpointError
from scinet.models.build import build
from scinet.models.card import Card, checkpoints_folder, list_models
from scinet.models.device import default_device
from scinet.models.fuse import for_inference
from scinet.models.memory import give_back


@dataclass(frozen=True)
class Model:
    """A network ready to segment, on its device, and its card. See `scinet.segmentation.forward` for how it is run."""

    network: nn.Module
    card: Card
    device: torch.device
    one_size: bool = False  # it takes windows of just the card's size, as some ONNX files do


def save_checkpoint(folder: Path, network: nn.Module, card: Card) -> Card:
    """Write ``<card.name>.safetensors`` (see `to_half`) and ``.json``; return the card with the weights' hash.

    Both files appear whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{card.name}.safetensors"
    part = weights.with_suffix(".part")
    save_file({name: to_half(tensor) for name, tensor in network.state_dict().items()}, part)
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
            known = ", ".join(card.name for card in list_models()) or "none"
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
