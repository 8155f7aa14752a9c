"""A model that is ready to segment, whatever runs its network. Nothing here needs PyTorch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet.models.architectures import Output
from scinet.models.card import Card

if TYPE_CHECKING:
    import torch

MIN_SIDE_PX = 32  # of the images that networks take


class Processor(NamedTuple):
    """The processor as a device, where PyTorch does not run the network."""

    type: str = "cpu"


class Runtime(ABC):
    """A network that something other than PyTorch runs, on the processor."""

    outputs: tuple[Output, ...] = ("building",)  # what the channels of the logits are
    takes_cm_per_px: bool = False  # whether the logits depend on the resolution that it is told

    @abstractmethod
    def logits(self, images: NDArray[np.float32], threads: int, cm_per_px: float) -> NDArray[np.float32]:
        """Run the network.

        Args:
            images: float32 (N, 3, H, W) in [0, 1]; several threads may call with images of their own.
            threads: How many cores there are for this call.
            cm_per_px: The resolution of the images.

        Returns:
            The logits of the outputs, float32 (N, C, H, W).

        Raises:
            CheckpointError: The network fails.
        """

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """The memory that the weights take in this process."""


def network_outputs(network: "torch.nn.Module | Runtime") -> tuple[Output, ...]:
    """What the channels of a network's logits are: of one that does not say so, building alone."""
    outputs: tuple[Output, ...] = getattr(network, "outputs", ("building",))
    return outputs


def takes_cm_per_px(network: "torch.nn.Module | Runtime") -> bool:
    """Whether a network takes the resolution next to the image: one that does not say so does not."""
    return bool(getattr(network, "takes_cm_per_px", False))


@dataclass(frozen=True)
class Model:
    """A network that is ready to segment.

    Attributes:
        network: A PyTorch module that maps float32 (N, 3, H, W), normalised as the card says, to logits (N, C, H, W),
            see `scinet.models.build.run`; or another runtime's network, which normalises by itself.
        card: What the model is.
        device: Where the network is.
        one_size: Whether it takes windows of the card's size only, as some ONNX files do.

    Example:
        >>> from scinet import load_model
        >>> model = load_model("unet")
        >>> model.card.title, model.one_size
        ('UNet', False)
    """

    network: "torch.nn.Module | Runtime"
    card: Card
    device: "torch.device | Processor"
    one_size: bool = False

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the channels of the logits are, building the first."""
        return network_outputs(self.network)

    @property
    def takes_cm_per_px(self) -> bool:
        """Whether what it gives depends on the resolution that it is told."""
        return takes_cm_per_px(self.network)

    @property
    def size_bytes(self) -> int:
        """The memory that the weights take."""
        if isinstance(self.network, Runtime):
            return self.network.size_bytes
        return sum(tensor.nbytes for tensor in self.network.state_dict().values())
