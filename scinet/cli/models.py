"""The models that a command names."""

from collections.abc import Sequence

from scinet.models.model import Model
from scinet.models.named import open_model


def load_models(names: Sequence[str], device_name: str | None) -> list[Model]:
    """Models by name, or custom models by path. Raises CheckpointError."""
    return [open_model(name, device_name) for name in names]
