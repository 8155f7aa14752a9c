"""The architectures by name: ``build("sci-net")``."""

from importlib import import_module
from pathlib import Path

import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from scinet.errors import CheckpointError
from scinet.models.architectures import ARCHITECTURES, NAMES, Output
from scinet.models.model import MIN_SIDE_PX, network_outputs, takes_cm_per_px
from scinet.models.sci_net import ENCODER

# In which module of this package a function of the architecture's name builds it
_MODULES = {"sci-net": "sci_net", "unet": "sci_net", "instance-net": "instance_net"}


class AnySize(nn.Module):
    """Lets a network with strides up to 32 take any size from 32 px: pads at the right and bottom, then crops.

    The padding repeats the border: black pixels would look like the end of the scene.
    """

    def __init__(
        self, network: nn.Module, outputs: tuple[Output, ...] = ("building",), *, takes_cm_per_px: bool = False
    ):
        super().__init__()
        self.network = network
        self.outputs, self.takes_cm_per_px = outputs, takes_cm_per_px

    def forward(self, image: Tensor, *cm_per_px: Tensor) -> Tensor:
        """Image (N, 3, H, W), normalised, to logits (N, C, H, W).

        Where the network takes the resolution (N,) of the images in cm/px, it follows them: see `run`.
        """
        height, width = image.shape[-2:]
        if min(height, width) < MIN_SIDE_PX:
            raise ValueError(f"image of {width} x {height} px is smaller than {MIN_SIDE_PX} px")
        right, bottom = -width % 32, -height % 32
        if right or bottom:
            image = F.pad(image, (0, right, 0, bottom), mode="replicate")
        logits: Tensor = self.network(image, *cm_per_px)
        return logits[..., :height, :width]


class Around(nn.Module):
    """A network around another one, which takes and gives what that one does."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.outputs, self.takes_cm_per_px = network_outputs(network), takes_cm_per_px(network)


def run(network: nn.Module, image: Tensor, cm_per_px: Tensor | None) -> Tensor:
    """The logits (N, C, H, W) of a network that takes the resolution next to an image, or of one that does not.

    Args:
        network: As `build` gives it, or any other that maps images to logits; PyTorch's wrappers for several
            processes around it are seen through.
        image: float32 (N, 3, H, W), normalised.
        cm_per_px: float32 (N,), the resolution of each image; None will do where the network does not take it.
    """
    is_told = takes_cm_per_px(getattr(network, "module", network))
    logits: Tensor = network(image, cm_per_px) if is_told else network(image)
    return logits


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
        A network that maps float32 (N, 3, H, W), normalised, to logits (N, C, H, W), for any H and W from 32 px. C is
        the number of the architecture's outputs, building the first. Those that take the resolution are `run`.

    Raises:
        CheckpointError: The name is unknown, or the weights do not fit.
    """
    if name not in NAMES:
        raise CheckpointError(f"The architecture {name!r} is unknown; choose one of {', '.join(NAMES)}.")
    module = import_module(f"scinet.models.{_MODULES.get(name, 'baselines')}")  # smp and timm take seconds to import
    network: nn.Module = getattr(module, name.replace("-", "_"))()
    if encoder_weights is not None:
        _load_encoder(network, encoder_name(name), encoder_weights)
    architecture = ARCHITECTURES[name]
    return AnySize(network, architecture.outputs, takes_cm_per_px=architecture.takes_cm_per_px)


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
