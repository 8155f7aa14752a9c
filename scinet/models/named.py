"""A model by its name, or a custom one by its path."""

from pathlib import Path

from scinet.errors import CheckpointError
from scinet.models.custom import SUFFIXES, open_custom_file
from scinet.models.fastest import fastest_model, remembered_model
from scinet.models.model import Model
from scinet.models.packages import need_pytorch


def open_model(name: str, device_name: str | None = None) -> Model:
    """Open a model.

    Args:
        name: One of `list_models()`, or the path of a .safetensors or .onnx file with its JSON next to it.
        device_name: "cpu", "cuda" or "mps", for PyTorch; by default the best that is available, and on a processor
            without bfloat16 the fastest runtime that is installed. ONNX files run on the CPU.

    Raises:
        CheckpointError: There is no such model or device, or a file is damaged.
    """
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        if device_name not in (None, "cpu"):
            raise CheckpointError(f"{path.name} is an ONNX file, which runs on the CPU: leave out the device.")
        return open_custom_file(path)
    is_weights = path.suffix.lower() in SUFFIXES
    if device_name is None and not is_weights and (model := remembered_model(name)):
        return model
    need_pytorch(f"{path.name} is a model with weights" if path.suffix else f"{name} is a model on board, with weights")
    from scinet.models.checkpoint import load_model  # PyTorch takes seconds to import
    from scinet.models.device import default_device, has_bfloat16, parse_device

    device = parse_device(device_name) if device_name else default_device()
    if is_weights:
        return open_custom_file(path, device)
    is_slow = device_name is None and device.type == "cpu" and not has_bfloat16(device)
    return (fastest_model(name) if is_slow else None) or load_model(name, device)
