"""On processors without bfloat16, a model runs in the fastest of the runtimes that are installed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from scinet.models import device, fastest
from scinet.models.architectures import ARCHITECTURES
from scinet.models.checkpoint import load_model, load_trained
from scinet.models.model import Model, Processor
from scinet.models.named import open_model
from scinet.models.onnx_export import export_onnx
from scinet.models.runtimes import RUNTIMES, OnnxRuntime
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def _old_processor(random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    monkeypatch.setenv("SCINET_CACHE", str(tmp_path / "cache"))
    for module in ("models.device", "models.fuse", "segmentation.torch_forward"):
        monkeypatch.setattr(f"scinet.{module}.has_bfloat16", lambda _: False)
    monkeypatch.setattr(device, "default_device", lambda: torch.device("cpu"))


@pytest.fixture(scope="module")
def exported(random_checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The UNet as ONNX."""
    path = tmp_path_factory.mktemp("exported") / "unet.onnx"
    export_onnx(*load_trained(random_checkpoints / "unet.safetensors"), path)
    return path


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_gives_the_masks_of_pytorch(name: str, exported: Path, noise_raster: Raster) -> None:
    pytest.importorskip(name)
    in_pytorch = load_model("unet", torch.device("cpu"))
    other = Model(RUNTIMES[name](exported, ARCHITECTURES[in_pytorch.card.architecture]), in_pytorch.card, Processor())
    found, wanted = (segment(noise_raster, model).probability for model in (other, in_pytorch))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert ((found > 0.5) != (wanted > 0.5)).mean() < 0.002
    assert other.size_bytes > 1_000_000


def test_the_choice_is_made_once_and_then_needs_no_pytorch(
    exported: Path, monkeypatch: pytest.MonkeyPatch, noise_raster: Raster
) -> None:
    tried: list[str] = []

    def choose(*_: object) -> str:
        tried.append("once")
        return "onnxruntime"

    monkeypatch.setattr(fastest, "_fastest", choose)
    monkeypatch.setattr(
        "scinet.models.onnx_export.export_onnx", lambda network, card, path: path.write_bytes(exported.read_bytes())
    )
    assert isinstance(open_model("unet").network, OnnxRuntime)
    monkeypatch.setattr("scinet.models.named.need_pytorch", lambda what: pytest.fail("PyTorch is asked for"))
    again = open_model("unet")
    assert isinstance(again.network, OnnxRuntime) and tried == ["once"]
    assert segment(noise_raster, again).probability.max() > 0
    with pytest.raises(pytest.fail.Exception, match="PyTorch"):
        open_model("sci-net")  # whose choice has not been made yet


def test_where_pytorch_is_fastest_it_stays_and_is_not_tried_again(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "scinet.models.onnx_export.export_onnx", lambda network, card, path: path.write_bytes(exported.read_bytes())
    )
    monkeypatch.setattr(fastest, "_timed", lambda run, image: (run(image), 1.0))  # none is faster than PyTorch
    assert isinstance(open_model("unet").network, torch.nn.Module)
    monkeypatch.setattr(fastest, "_fastest", lambda *_: pytest.fail("tried again"))
    assert isinstance(open_model("unet").network, torch.nn.Module)


def test_a_device_that_is_named_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scinet.models.named.fastest_model", lambda name: pytest.fail("tried"))
    assert isinstance(open_model("unet", "cpu").network, torch.nn.Module)
