"""The channel means of an encoder, by PyTorch."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scinet.models.device import has_bfloat16
from scinet.models.model import Model

STAGES = (-3, -1)  # of the encoder, from the end
_LEAST = 1e-6  # of a stage's strength


@torch.inference_mode()
def levelled_means(encoder: nn.Module, model: Model, windows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """The means of the channels of `STAGES`, float64 (N, C), each stage's divided by their root mean square.

    How strong a stage is altogether differs more between places than between kinds of things.

    Args:
        encoder: Of the model.
        model: Whose network PyTorch runs.
        windows: As for `channel_means`.
    """
    assert isinstance(model.device, torch.device)
    found = []
    for window in windows:  # one at a time, for the sake of memory
        image = torch.from_numpy(window.copy()).to(model.device).permute(2, 0, 1)[None]
        image = (image.float() / 255 - model.card.mean) / model.card.std
        with torch.autocast(model.device.type, torch.bfloat16, enabled=has_bfloat16(model.device)):
            stages = encoder(image)
        means = [stages[stage].float().mean(dim=(2, 3))[0] for stage in STAGES]
        found.append(torch.cat([each / (each.square().mean().sqrt() + _LEAST) for each in means]).cpu().numpy())
    return np.stack(found).astype(np.float64)
