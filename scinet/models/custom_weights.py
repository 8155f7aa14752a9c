"""Custom weights: safetensors for one of the project's architectures, or for one of segmentation-models-pytorch."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import segmentation_models_pytorch as smp
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from scinet.errors import CheckpointError
from scinet.models.architectures import DECODER_TITLES, NAMES
from scinet.models.build import AnySize, Around, build, run
from scinet.models.fuse import fold_batch_norms
from scinet.models.model import MIN_SIDE_PX
from scinet.models.trial import TRIAL_CM_PER_PX, first_line, try_out

if TYPE_CHECKING:
    from scinet.models.custom import Colour, ModelSpec

MAX_HEADER_BYTES = 5_000_000  # a hundred times what the largest network needs
# Tried in addition to a whole window: the smallest size, and one that is not a power of 2
TRIAL_SIDES_PX = (MIN_SIDE_PX, 2 * MIN_SIDE_PX + 1)
# timm would take "tu-local-dir:/folder" and "tu-hf-hub:owner/name" for places to read
ENCODER = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def open_weights(content: bytes, file_name: str, spec: "ModelSpec", device: torch.device) -> nn.Module:
    """A network with a file's weights, ready to run on images in [0, 1].

    Args:
        content: The file.
        file_name: What to call it in messages.
        spec: What the file does not say.
        device: Where the network runs.

    Raises:
        CheckpointError: The file is not safetensors or does not fit its architecture; or the network's result does not
            have the shape of the image or is not finite.
    """
    network = _from_safetensors(file_name, content, spec.architecture)
    whole = Normalised(network, spec.mean, spec.std).requires_grad_(False).eval()
    with torch.inference_mode():
        try_out(
            lambda image: run(whole, torch.from_numpy(image), torch.tensor([TRIAL_CM_PER_PX])).numpy(),
            file_name,
            [*TRIAL_SIDES_PX, spec.window_px],
            len(whole.outputs),
        )
    fold_batch_norms(whole)
    return whole.to(memory_format=torch.channels_last).to(device)


class Normalised(Around):
    """A network for images in [0, 1]: subtracts each channel's mean and divides by its standard deviation first."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: "Colour", std: "Colour"):
        super().__init__(network)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor, *cm_per_px: Tensor) -> Tensor:
        """Image (N, 3, H, W) in [0, 1], and the resolution (N,) if it is taken, to logits (N, C, H, W)."""
        logits: Tensor = self.network((image - self.mean) / self.std, *cm_per_px)
        if not torch.isfinite(logits).all():
            raise CheckpointError("The model gives numbers that are not finite: its weights, mean or std are wrong.")
        return logits


class BuildingOfTwo(nn.Module):
    """The logit of building, from a network with two classes, background and building."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W) to logits (N, 1, H, W): softmax of two logits is the sigmoid of their difference."""
        logits: Tensor = self.network(image)
        return logits[:, 1:] - logits[:, :1]


def _from_safetensors(file_name: str, content: bytes, architecture: str) -> nn.Module:
    if len(content) > int.from_bytes(content[:8], "little") > MAX_HEADER_BYTES:
        raise CheckpointError(f"{file_name} describes more tensors than a network has: save its state dict alone.")
    try:
        state = load(content)
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{file_name} is not a safetensors file ({error}).") from error
    if not state:
        raise CheckpointError(f"{file_name} holds no weights.")
    for prefix in ("module.", "model."):  # as PyTorch's data parallel and Lightning save them
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    if architecture in NAMES:
        return _filled(lambda: build(architecture), state, file_name, architecture)
    kind, _, encoder = architecture.partition("/")
    if kind.lower() not in DECODER_TITLES or not ENCODER.fullmatch(encoder):
        raise CheckpointError(
            f"The architecture {architecture!r} is unknown: choose one of {', '.join(NAMES)}, or "
            f"<architecture>/<encoder> of segmentation-models-pytorch with one of {', '.join(DECODER_TITLES)}."
        )
    classes = 2 if any(key.startswith("segmentation_head") and len(t) == 2 for key, t in state.items() if t.ndim) else 1

    def make() -> nn.Module:
        network: nn.Module = smp.create_model(kind, encoder, encoder_weights=None, in_channels=3, classes=classes)
        return network

    network = _filled(make, state, file_name, architecture)
    return AnySize(network if classes == 1 else BuildingOfTwo(network))


def _filled(make: Callable[[], nn.Module], state: dict[str, Tensor], file_name: str, architecture: str) -> nn.Module:
    """Build a network and load the weights; it takes no memory until they are known to fit."""
    try:
        try:
            with torch.device("meta"):
                network = make()
        except RuntimeError:  # some encoders compute numbers when they are built; those of smp are small enough
            network = make()
    except Exception as error:  # smp and timm raise errors of many types for an unknown encoder
        raise CheckpointError(
            f"segmentation-models-pytorch cannot build {architecture} ({first_line(error)}). "
            "Encoders of timm begin with tu-, as in unet/tu-resnet34."
        ) from error
    wanted = network.state_dict()
    _check_state(wanted, state, file_name, architecture)
    if any(buffer.is_meta for name, buffer in network.named_buffers() if name not in wanted):
        network = make()  # tables that are not weights, such as positions in Swin's windows
    full = {key: tensor.to(wanted[key].dtype) for key, tensor in state.items()}
    network.load_state_dict(full, assign=True)
    return network


def _check_state(wanted: dict[str, Tensor], state: dict[str, Tensor], file_name: str, architecture: str) -> None:
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or extra:
        example = f"{missing[0]} is missing" if missing else f"{extra[0]} is unknown"
        raise CheckpointError(
            f"{file_name} does not fit {architecture}: of {len(wanted)} tensors {len(missing)} are missing and "
            f"{len(extra)} are unknown; {example}. Check architecture and encoder, and save network.state_dict()."
        )
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape or tensor.is_floating_point() != wanted[key].is_floating_point():
            raise CheckpointError(
                f"{file_name} does not fit {architecture}: {key} is {tuple(tensor.shape)} of {tensor.dtype}, not "
                f"{tuple(wanted[key].shape)} of {wanted[key].dtype}. Check architecture, encoder and channels (3)."
            )
