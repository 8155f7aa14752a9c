"""One tester for all models."""

import logging
import math
import subprocess
import sys

import pytest
import timm
import torch
from fvcore.nn import FlopCountAnalysis
from safetensors.torch import save_file

from scinet.errors import CheckpointError
from scinet.models.architectures import NAMES, TITLES, outputs_of
from scinet.models.build import build, encoder_name, run
from scinet.models.model import takes_cm_per_px
from scinet.models.regnet import RegNetY
from scinet.models.sci_net import DenseASPP
from tests.conftest import PROJECT

# Millions of parameters and GMACs at 512 px, counted by fvcore; the paper's Table 1 rounds the figures of its seven.
COSTS = {
    "sci-net": (24.18, 33.26),
    "unet": (14.49, 23.34),
    "unet-aspp": (19.96, 28.71),
    "pspnet": (12.02, 8.74),
    "deeplabv3plus": (11.96, 13.60),
    "manet": (35.56, 25.17),
    "hrnet": (29.54, 45.27),
    "instance-net": (24.24, 33.34),
}


CM_PER_PX = torch.tensor([20.0])


@pytest.fixture(scope="module", params=NAMES)
def named_network(request: pytest.FixtureRequest) -> tuple[str, torch.nn.Module]:
    torch.manual_seed(0)
    return request.param, build(request.param).eval()


def test_every_system_has_a_title():
    assert set(TITLES) == set(NAMES) == set(COSTS)


@pytest.mark.slow
def test_parameters_and_macs(named_network):
    name, network = named_network
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    millions, gmacs = COSTS[name]
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.005)
    image = torch.zeros(1, 3, 512, 512)
    inputs = (image, CM_PER_PX) if takes_cm_per_px(network) else image
    counted = FlopCountAnalysis(network, inputs).uncalled_modules_warnings(False)
    assert counted.total() / 1e9 == pytest.approx(gmacs, rel=0.005)


@pytest.mark.parametrize("size", [(32, 32), (33, 95), (64, 40)])
@torch.inference_mode()
def test_any_size_gives_finite_logits_of_that_size(named_network, size):
    name, network = named_network
    logits = run(network, torch.randn(2, 3, *size), CM_PER_PX.expand(2))
    assert logits.shape == (2, len(outputs_of(name)), *size)
    assert logits.isfinite().all()
    assert logits.std() > 0


def test_too_small_an_image_is_refused(named_network):
    with pytest.raises(ValueError, match="smaller than 32"):
        run(named_network[1], torch.zeros(1, 3, 31, 64), CM_PER_PX)


def test_every_parameter_learns(named_network):
    name, _ = named_network
    network = build(name).train()
    run(network, torch.randn(2, 3, 64, 64), CM_PER_PX.expand(2)).square().mean().backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None]
    assert idle == []


def test_encoder_weights_from_a_file(tmp_path):
    source = build("unet").network.encoder.state_dict()
    source["stem.conv.weight"] = torch.full_like(source["stem.conv.weight"], 0.25)
    save_file(source, tmp_path / "encoder.safetensors")
    for name in ("sci-net", "manet"):  # our own encoder, and smp's wrapper around timm's
        assert encoder_name(name) == "regnety_016"
        network = build(name, tmp_path / "encoder.safetensors").network
        encoder = getattr(network.encoder, "model", network.encoder)
        assert (encoder.state_dict()["stem.conv.weight"] == 0.25).all()


def test_wrong_encoder_weights_and_names_are_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(CheckpointError, match="regnety_016"):
        build("unet", tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="safetensors"):
        build("unet", tmp_path / "text.safetensors")
    with pytest.raises(CheckpointError, match="choose one of"):
        build("vgg")


@torch.inference_mode()
def test_dense_aspp_reaches_as_far_as_the_paper_says():
    """Equation 2 with rates 3, 6, 12, 18 gives 79 px of the feature map: 39 to each side, and no farther."""
    module = DenseASPP(4, growth=4, bottleneck=8).double().eval()  # the farthest traces are faint
    for parameter in module.parameters():  # positive weights: nothing cancels, no ReLU stays shut
        parameter.fill_(0.1)
    assert module.out_channels == 4 + 4 * 4
    image = torch.zeros(1, 4, 101, 101, dtype=torch.double)
    blank = module(image)
    image[..., 50, 50] = 1
    reached = (module(image) - blank).abs().amax(dim=(0, 1)) > 0
    rows = reached.any(dim=1).nonzero().ravel()
    assert (int(rows.min()), int(rows.max())) == (50 - 39, 50 + 39)
    assert math.isclose(1 + 2 * (3 + 6 + 12 + 18), 79)


@torch.inference_mode()
def test_our_encoder_is_timms_name_by_name_and_number_by_number():
    torch.manual_seed(0)
    theirs = timm.create_model("regnety_016", pretrained=False, features_only=True, output_stride=16).eval()
    ours = RegNetY().eval()
    state = {
        key: torch.rand_like(tensor) * 0.1 + 0.02 if tensor.is_floating_point() else tensor
        for key, tensor in theirs.state_dict().items()
    }
    for encoder in (theirs, ours):
        encoder.load_state_dict(state)
    image = torch.randn(1, 3, 64, 96)
    for level, wanted in zip(ours(image), theirs(image), strict=True):
        torch.testing.assert_close(level, wanted, rtol=0, atol=0)
    assert ours.feature_info.channels() == theirs.feature_info.channels()
    assert ours.feature_info.reduction() == theirs.feature_info.reduction()


def test_our_encoder_begins_as_timms_does():
    torch.manual_seed(0)
    theirs = timm.create_model("regnety_016", pretrained=False, features_only=True, output_stride=16)
    for (name, wanted), ours in zip(theirs.named_parameters(), RegNetY().parameters(), strict=True):
        if wanted.ndim == 4 and wanted.numel() > 1000:
            assert ours.detach().std() == pytest.approx(float(wanted.detach().std()), rel=0.15), name
        else:
            assert (ours == 0).all() == (wanted == 0).all() and (ours == 1).all() == (wanted == 1).all(), name


def test_a_network_that_is_to_be_filled_is_built_without_the_compiler():
    script = (
        "import sys, torch; from scinet.models.build import build\n"
        "with torch.device('meta'): build('sci-net')\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert not {"timm", "torchvision", "segmentation_models_pytorch", "torch._dynamo"} & set(done.stdout.split())
