"""Where networks run: CUDA, MPS or the CPU."""

import torch

from scinet.errors import CheckpointError


def default_device() -> torch.device:
    """The fastest that is available: CUDA, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def parse_device(text: str) -> torch.device:
    """A device by name: ``parse_device("cpu")``. Raises CheckpointError where this machine has no such device."""
    try:
        device = torch.device(text)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise CheckpointError(f"The device {text!r} is not available here; use cpu.") from error
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 natively: elsewhere it is only slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
