"""A model by its name, or a custom one by its path."""

from pathlib import Path

from scinet.models.checkpoint import Model, load_model
from scinet.models.custom import SUFFIXES, open_custom_file
from scinet.models.device import parse_device


def open_model(name: str, device_name: str | None = None) -> Model:
    """Open a model.

    Args:
        name: One of `list_models()`, or the path of a .safetensors or .onnx file with its JSON next to it.
        device_name: "cpu", "cuda" or "mps"; by default the best that is available.

    Raises:
        CheckpointError: There is no such model or device, or a file is damaged.
    """
    device = parse_device(device_name) if device_name else None
    if Path(name).suffix.lower() in SUFFIXES:
        return open_custom_file(Path(name), device)
    return load_model(name, device)
