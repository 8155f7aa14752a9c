import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from scinet.models.architectures import NAMES
from scinet.models.build import build, run
from scinet.models.device import has_bfloat16
from scinet.models.fuse import fold_batch_norms, for_inference


def with_random_norms(network: nn.Module) -> nn.Module:
    """As after some training: fresh norms change nothing, so that losing one would not show."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


@torch.inference_mode()
@pytest.mark.parametrize("name", NAMES)
def test_all_norms_are_folded_and_nothing_changes(name):
    network = with_random_norms(build(name))
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    image, cm_per_px = torch.rand(1, 3, 96, 64), torch.tensor([20.0])
    before = run(network, image, cm_per_px)
    assert fold_batch_norms(network) == norms > 80
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    scale = float(before.abs().max())
    torch.testing.assert_close(run(network, image, cm_per_px) / scale, before / scale, atol=1e-5, rtol=0)


class Awkward(nn.Module):
    """A convolution that two layers read, one that is used twice, a norm of an image, and one that can be folded."""

    def __init__(self):
        super().__init__()
        self.shared, self.twice, self.last = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(5))

    def forward(self, image):
        image = self.norms[0](image)
        seen = self.shared(image)
        image = self.norms[1](seen) + F.relu(seen)
        image = self.norms[2](self.twice(self.norms[3](self.twice(image))))
        return self.norms[4](self.last(image))[:, :1]


@torch.inference_mode()
def test_what_cannot_be_folded_is_left():
    network = with_random_norms(Awkward())
    image = torch.rand(1, 3, 40, 50)
    before = network(image)
    assert fold_batch_norms(network) == 1
    assert [type(norm) for norm in network.norms] == 4 * [nn.BatchNorm2d] + [nn.Identity]
    torch.testing.assert_close(network(image), before)


@torch.inference_mode()
def test_weights_in_bfloat16_change_nothing_under_autocast():
    device = torch.device("cpu")
    if not has_bfloat16(device):
        pytest.skip("this processor has no bfloat16")
    folded = with_random_norms(build("pspnet")).to(memory_format=torch.channels_last)
    fold_batch_norms(folded)
    ready = for_inference(copy.deepcopy(folded), device)
    assert next(ready.parameters()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        image = torch.rand(1, 3, 64, 64)
        torch.testing.assert_close(ready(image), folded(image), rtol=0, atol=0)
