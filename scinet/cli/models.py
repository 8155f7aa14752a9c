"""The models that a command names."""

from collections.abc import Sequence
from pathlib import Path

from scinet.models.checkpoint import Model, load_model
from scinet.models.custom import SUFFIXES, open_custom_file
from scinet.models.device import parse_device


def load_models(names: Sequence[str], device_name: str | None) -> list[Model]:
    """Models by name, or custom models by path. Raises CheckpointError."""
    device = parse_device(device_name) if device_name else None
    return [
        open_custom_file(Path(name), device) if Path(name).suffix.lower() in SUFFIXES else load_model(name, device)
        for name in names
    ]
