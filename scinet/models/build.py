"""The seven architectures of the paper by name: ``build("sci-net")``."""

from importlib import import_module
from pathlib import Path

import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from scinet.errors import CheckpointError
from scinet.models.architectures import NAMES
from scinet.models.model import MIN_SIDE_PX
from scinet.models.sci_net import ENCODER

# In which module of this package a function of the architecture's name builds it
_MODULES = {name: "sci_net" if name in ("sci-net", "unet") else "baselines" for name in NAMES}


class AnySize(nn.Module):
    """Lets a network with strides up to 32 take any size from 32 px: pads at the right and bottom, then crops.

    The padding repeats the border: black pixels would look like the end of the scene.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W), normalised, to logits (N, 1, H, W)."""
        height, width = image.shape[-2:]
        if min(height, width) < MIN_SIDE_PX:
            raise ValueError(f"image of {width} x {height} px is smaller than {MIN_SIDE_PX} px")
        right, bottom = -width % 32, -height % 32
        if right or bottom:
            image = F.pad(image, (0, right, 0, bottom), mode="replicate")
        logits: Tensor = self.network(image)
        return logits[..., :height, :width]


def encoder_name(name: str) -> str:
    """The timm name of an architecture's encoder: ``encoder_name("unet") == "regnety_016"``."""
    return "hrnet_w32" if name == "hrnet" else ENCODER


def build(name: str, encoder_weights: str | Path | None = None) -> AnySize:
    """Build an architecture with fresh weights.

    Args:
        name: One of ``NAMES``.
        encoder_weights: None (random), "imagenet" (timm's, downloaded from its hub) or the path of a safetensors file
            with the encoder's weights under timm's ``features_only`` names.

    Returns:
        A network that maps float32 (N, 3, H, W), normalised, to logits (N, 1, H, W), for any H and W from 32 px.

    Raises:
        CheckpointError: The name is unknown, or the weights do not fit.
    """
    if name not in NAMES:
        raise CheckpointError(f"The architecture {name!r} is unknown; choose one of {', '.join(NAMES)}.")
    module = import_module(f"scinet.models.{_MODULES[name]}")  # smp and timm take seconds to import
    network: nn.Module = getattr(module, name.replace("-", "_"))()
    if encoder_weights is not None:
        _load_encoder(network, encoder_name(name), encoder_weights)
    return AnySize(network)


def _load_encoder(network: nn.Module, timm_name: str, weights: str | Path) -> None:
    # smp wraps the timm model once more
    encoder = getattr(network.encoder, "model", network.encoder)
    assert isinstance(encoder, nn.Module)
    if weights == "imagenet":
        from scinet.models.baselines import imagenet_weights

        state = imagenet_weights(timm_name)
    else:
        try:
            state = load_file(weights)
        except Exception as error:  # safetensors raises errors of several types
            raise CheckpointError(f"{weights} cannot be read as safetensors: {error}.") from error
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        first_line = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(f"{weights} does not hold the weights of {timm_name}: {first_line}") from error
