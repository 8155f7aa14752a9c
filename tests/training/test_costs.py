import json

import pytest
import torch
from torch import nn

from scinet.errors import SciNetError
from scinet.models.architectures import NAMES
from scinet.models.sci_net import DenseASPP, conv_bn_relu
from training import costs


def test_multiply_adds_of_one_convolution():
    with torch.device("meta"):
        assert costs.gmacs(nn.Conv2d(3, 8, 3, padding=1), 512) == pytest.approx(3 * 8 * 9 * 512**2 / 1e9)


def test_reach_of_dilated_convolutions_adds_up():
    network = nn.Sequential(*(conv_bn_relu(3, 3, 3, dilation) for dilation in (1, 2, 5)))
    assert costs.reach_px(network) == 1 + 2 * (1 + 2 + 5)


def test_reach_of_dense_aspp_is_what_equation_2_says(monkeypatch):
    monkeypatch.setattr(costs, "REACH_PX", (4, 200))
    mix = nn.Conv2d(3 + 4 * 2, 1, 1)
    assert costs.reach_px(nn.Sequential(DenseASPP(3, growth=2, bottleneck=2), mix)) == 79


def test_a_network_that_pools_sees_everything(monkeypatch):
    monkeypatch.setattr(costs, "REACH_PX", (4, 200))
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Upsample((4, 200)))
    assert costs.reach_px(network) is None


def test_costs_go_into_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "cost", lambda name: {"parameters": len(name)})
    with pytest.raises(SciNetError, match=r"training\.benchmark first"):
        costs.main(["--out", str(tmp_path)])
    (tmp_path / "benchmark.json").write_text('{"rows": [{"model": "unet"}], "threshold": 0.5}')
    costs.main(["--out", str(tmp_path)])
    content = json.loads((tmp_path / "benchmark.json").read_text())
    assert content["costs"] == {name: {"parameters": len(name)} for name in NAMES}
    assert content["rows"] == [{"model": "unet"}] and content["threshold"] == 0.5


def test_a_pass_takes_time(monkeypatch):
    monkeypatch.setattr(costs, "TIMED_PX", 64)
    assert costs.seconds(nn.Conv2d(3, 1, 3, padding=1), "unet") > 0
