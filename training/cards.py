"""Changes to the cards of trained models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from scinet.atomic_write import write_text
from scinet.models.card import checkpoints_folder, read_card


def weights_of(model: str) -> Path:
    """The weights of a model that is given by its name, or by the path of its .safetensors file."""
    return Path(model) if model.endswith(".safetensors") else checkpoints_folder() / f"{model}.safetensors"


def write_card(weights: Path, **changes: Any) -> None:
    """Change a model's card. The one in the header of its weights stays: the file counts, by the weights' hash."""
    path = weights.with_suffix(".json")
    write_text(path, replace(read_card(path), **changes).to_json())
