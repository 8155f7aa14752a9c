"""Prepares networks for inference: folds batch norms into the convolutions before them, casts weights to bfloat16.

Folding saves a pass over the pixels for each norm. Where autocast runs the convolutions in bfloat16 anyway, casting
their weights once saves half of their memory and a cast per window; the numbers are the same.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from scinet.models.build import run
from scinet.models.device import has_bfloat16
from scinet.models.trial import TRIAL_CM_PER_PX

TRIAL_PX = 64


def for_inference(network: nn.Module, device: torch.device) -> nn.Module:
    """Prepare a network in evaluation mode, in place, to run on a device, under autocast if that has bfloat16."""
    fold_batch_norms(network.requires_grad_(False))
    if has_bfloat16(device):
        for module in network.modules():
            if type(module) in (nn.Conv2d, nn.Linear):
                module.to(torch.bfloat16)
    return network.to(memory_format=torch.channels_last).to(device)


def fold_batch_norms(network: nn.Module) -> int:
    """Fold, in place, each batch norm that is the only one to use the output of a convolution.

    Args:
        network: In evaluation mode. An image of TRIAL_PX x TRIAL_PX px is sent through it to see what follows what.

    Returns:
        How many norms were folded.
    """
    names = {id(module): name for name, module in network.named_modules()}
    pairs = _pairs(network)
    for convolution, norm in pairs:
        weight, bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        convolution.weight, convolution.bias = weight.requires_grad_(False), bias.requires_grad_(False)
        rest = nn.Identity() if type(norm) is nn.BatchNorm2d else norm.act
        parent, _, child = names[id(norm)].rpartition(".")
        network.get_submodule(parent)._modules[child] = rest
    return len(pairs)


def _pairs(network: nn.Module) -> list[tuple[nn.Conv2d, Any]]:
    """The convolutions whose output goes to a batch norm and nowhere else, each with that norm."""
    parameter = next(network.parameters(), None)
    if parameter is None:
        return []
    trial = torch.zeros(1, 3, TRIAL_PX, TRIAL_PX, device=parameter.device, dtype=parameter.dtype)
    with torch.inference_mode(), _Calls() as calls:
        run(network, trial, trial.new_full((1,), TRIAL_CM_PER_PX))
    convolutions = dict(_by_weight(network, nn.Conv2d))
    norms = {weight: norm for kind in _norms() for weight, norm in _by_weight(network, kind)}
    return [
        (convolutions[weight], norms[calls.norm_weights[output]])
        for output, weight in calls.convolution_weights.items()
        if calls.uses[output] == 1
        and calls.norm_weights.get(output) in norms
        and weight in convolutions
        and calls.uses[weight] == calls.uses[calls.norm_weights[output]] == 1
    ]


def _norms() -> list[type[nn.Module]]:
    """PyTorch's batch norm, and timm's with an activation, where timm is imported: that takes seconds."""
    of_timm = sys.modules.get("timm.layers.norm_act")
    return [nn.BatchNorm2d, *([of_timm.BatchNormAct2d] if of_timm else [])]


def _by_weight(network: nn.Module, kind: type[nn.Module]) -> Iterator[tuple[int, Any]]:
    for module in network.modules():
        if type(module) is kind and isinstance(module.weight, Tensor):
            yield id(module.weight), module


class _Calls(TorchFunctionMode):
    """Records what the functions of a forward pass take and return: tensors by id, kept so that ids are unique."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: Counter[int] = Counter()
        self.convolution_weights: dict[int, int] = {}  # by the output
        self.norm_weights: dict[int, int] = {}  # by the input
        self._kept: list[Tensor] = []

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        keywords = keywords or {}
        found = function(*arguments, **keywords)
        taken, given = _tensors((arguments, keywords)), _tensors(found)
        self._kept += [*taken, *given]
        if given:  # a function that only reads a shape does not use the values
            self.uses.update(id(tensor) for tensor in taken)
        if function is F.conv2d:
            self.convolution_weights[id(found)] = id(arguments[1])
        elif function is F.batch_norm:
            weight = arguments[3] if len(arguments) > 3 else keywords["weight"]
            self.norm_weights[id(arguments[0])] = id(weight)
        return found


def _tensors(nested: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]
