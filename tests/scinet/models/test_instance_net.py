"""InstanceNet: what it is told of the resolution, and what it costs."""

import pytest
import torch
from torch import nn

from scinet.models.build import build, run
from scinet.models.fuse import fold_batch_norms
from scinet.models.instance_net import FARTHEST, MIDDLE_CM_PER_PX, InstanceNet, ScaledConvolution, ScaleFeatures
from training.costs import gmacs


@torch.inference_mode()
def test_a_fresh_network_does_not_depend_on_the_resolution() -> None:
    torch.manual_seed(0)
    network = build("instance-net").eval()
    image = torch.randn(1, 3, 64, 64)
    fine, coarse = (run(network, image, torch.tensor([cm_per_px])) for cm_per_px in (2.5, 60.0))
    torch.testing.assert_close(fine, coarse, rtol=0, atol=0)


@torch.inference_mode()
def test_a_fresh_block_gives_exactly_what_it_gives_without_film() -> None:
    torch.manual_seed(0)
    block = ScaledConvolution(4, 8).eval()
    x = torch.randn(2, 4, 6, 6)
    plain = torch.relu(block.norm(block.convolution(x)))
    torch.testing.assert_close(block(x, torch.rand(2, 32)), plain, rtol=0, atol=0)


@torch.inference_mode()
def test_every_image_of_a_batch_has_a_resolution_of_its_own() -> None:
    torch.manual_seed(0)
    network = build("instance-net").eval()
    for module in network.modules():
        if isinstance(module, ScaledConvolution):
            nn.init.normal_(module.film.weight, std=0.1)
    image = torch.randn(1, 3, 32, 32)
    fine, coarse = (run(network, image, torch.tensor([cm_per_px])) for cm_per_px in (5.0, 40.0))
    both = run(network, image.repeat(2, 1, 1, 1), torch.tensor([5.0, 40.0]))
    torch.testing.assert_close(both, torch.cat([fine, coarse]), atol=1e-4, rtol=1e-4)
    assert (fine - coarse).abs().max() > 0.01
    assert fold_batch_norms(network) > 80  # FiLM stays, whatever becomes of the norm before it
    torch.testing.assert_close(run(network, image, torch.tensor([40.0])), coarse, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_resolutions_beyond_all_training_are_told_as_the_farthest() -> None:
    features = ScaleFeatures()
    limit = MIDDLE_CM_PER_PX * torch.tensor([FARTHEST]).exp()
    torch.testing.assert_close(features(limit), features(100 * limit))


@pytest.mark.slow
def test_it_costs_hardly_more_than_sci_net() -> None:
    with torch.device("meta"):
        ours, theirs = build("instance-net").eval(), build("sci-net").eval()
    assert sum(parameter.numel() for parameter in ours.parameters()) <= 25e6
    assert gmacs(ours, 512) <= 1.1 * gmacs(theirs, 512)


def test_a_step_changes_what_it_makes_of_the_resolution() -> None:
    torch.manual_seed(0)
    network = InstanceNet().train()
    network(torch.randn(2, 3, 64, 64), torch.tensor([5.0, 40.0])).square().mean().backward()
    assert network.decoder[0].first.film.weight.grad.abs().max() > 0
