"""A model that is ready to segment, whatever runs its network. Nothing here needs PyTorch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet.models.card import Card

if TYPE_CHECKING:
    import torch

MIN_SIDE_PX = 32  # of the images that networks take


class Processor(NamedTuple):
    """The processor as a device, where PyTorch does not run the network."""

    type: str = "cpu"


class Runtime(ABC):
    """A network that something other than PyTorch runs, on the processor."""

    @abstractmethod
    def logits(self, images: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        """Run the network.

        Args:
            images: float32 (N, 3, H, W) in [0, 1]; several threads may call with images of their own.
            threads: How many cores there are for this call.

        Returns:
            The logits of building, float32 (N, 1, H, W).

        Raises:
            CheckpointError: The network fails.
        """

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """The memory that the weights take in this process."""


@dataclass(frozen=True)
class Model:
    """A network that is ready to segment.

    Attributes:
        network: A PyTorch module that maps float32 (N, 3, H, W), normalised as the card says, to logits (N, 1, H, W);
            or another runtime's network, which normalises by itself.
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
    def size_bytes(self) -> int:
        """The memory that the weights take."""
        if isinstance(self.network, Runtime):
            return self.network.size_bytes
        return sum(tensor.nbytes for tensor in self.network.state_dict().values())
