"""Packages that only some models need."""

from importlib.util import find_spec

from scinet.errors import CheckpointError


def need_pytorch(what: str) -> None:
    """Raise CheckpointError where PyTorch is not installed.

    Args:
        what: What cannot be done without it, as the beginning of a sentence: "a.safetensors holds weights".
    """
    if not (find_spec("torch") and find_spec("timm")):
        raise CheckpointError(
            f'{what}, which need PyTorch: pip install "scinet-explorer[full]". Without it, models run that '
            "scinet export has written as .onnx files."
        )
