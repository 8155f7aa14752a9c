"""Forward passes in PyTorch."""

import numpy as np
import torch
from numpy.typing import NDArray

from scinet.models.build import run
from scinet.models.device import has_bfloat16
from scinet.models.model import Model, Processor, Runtime


@torch.inference_mode()
def probability(windows: NDArray[np.uint8], model: Model, threads: int, cm_per_px: float) -> NDArray[np.float32]:
    """Run a network.

    Args:
        windows: uint8 (N, H, W, 3).
        model: Its network is a PyTorch module.
        threads: How many cores there are for this thread's work.
        cm_per_px: The resolution of the windows.

    Returns:
        The outputs, float32 (N, H, W, C) in [0, 1].
    """
    network, device = model.network, model.device
    assert not isinstance(network, Runtime) and not isinstance(device, Processor)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)  # for this thread's work only
    image = torch.from_numpy(windows).to(device).permute(0, 3, 1, 2)  # channels_last by its strides
    image = (image.float() / 255 - model.card.mean) / model.card.std
    # Twice as fast where the processor has it; on the trained checkpoints under 0.1 % of the mask's pixels differ
    with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
        logits = run(network, image, image.new_full((len(image),), cm_per_px))
    answer: NDArray[np.float32] = logits.float().sigmoid().permute(0, 2, 3, 1).cpu().numpy()
    return answer
