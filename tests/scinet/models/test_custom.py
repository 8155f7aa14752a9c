import json
import pickle
from dataclasses import replace

import numpy as np
import onnx
import pytest
import segmentation_models_pytorch as smp
import torch
from onnx import TensorProto, helper
from safetensors.torch import save, save_file

from scinet.errors import CheckpointError
from scinet.models import onnx_network
from scinet.models.architectures import DECODER_TITLES
from scinet.models.checkpoint import load_model
from scinet.models.custom import ModelSpec, open_custom_file, open_custom_model
from scinet.segmentation.segment import segment

FACTS = ModelSpec("unet/tu-mobilenetv3_small_050", (5.0, 30.0), window_px=96)


def small_unet(classes=1):
    torch.manual_seed(0)
    return smp.create_model("unet", "tu-mobilenetv3_small_050", encoder_weights=None, classes=classes).eval()


def onnx_file(side=None, batch="N", channels=1, last_node="Identity", more=(), dtype=TensorProto.FLOAT, shape=None):
    """A file whose result is the sum of red and twice green, then `last_node`."""
    weight = np.zeros((channels, 3, 1, 1), np.float32)
    weight[-1, :2, 0, 0] = 1, 2
    size = (side, side) if side else ("H", "W")
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["sum"]),
        helper.make_node(last_node, ["sum"], ["mask"]),
        *more,
    ]
    graph = helper.make_graph(
        nodes,
        "mine",
        [helper.make_tensor_value_info("image", dtype, shape or (batch, 3, *size))],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def opened(model, **facts):
    return open_custom_model(
        "mine.onnx", model.SerializeToString(), replace(FACTS, mean=(0, 0, 0), std=(1, 1, 1), **facts)
    )


def expected(raster):
    red, green, _ = np.moveaxis(raster.pixels.astype(np.float32) / 255, -1, 0)
    return 1 / (1 + np.exp(-(red + 2 * green)))


def test_one_of_the_seven_gives_what_its_checkpoint_gives(random_checkpoints, noise_raster):
    path = random_checkpoints / "sci-net.safetensors"
    own = open_custom_model(
        "mine.safetensors", path.read_bytes(), ModelSpec("sci-net", (5, 20), 128, (0.5,) * 3, (0.5,) * 3)
    )
    known = load_model(path)
    assert own.card.title == "Sci-Net (mine)"
    np.testing.assert_allclose(
        segment(noise_raster, own).probability, segment(noise_raster, known).probability, atol=1e-5
    )


def test_an_smp_architecture_by_name(noise_raster):
    network = small_unet()
    own = open_custom_model("mine.safetensors", save(network.state_dict()), FACTS)
    image = torch.from_numpy(noise_raster.pixels / 255).permute(2, 0, 1)[None].float()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (FACTS.mean, FACTS.std))
    with torch.inference_mode():
        wanted = network((image - mean) / std)
        found = own.network(image)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-5)
    assert own.card.title == "mine"
    assert segment(noise_raster, own).probability.shape == noise_raster.shape


def test_two_classes_and_the_prefix_of_lightning(noise_raster):
    network = small_unet(classes=2)
    state = {f"model.{key}": tensor for key, tensor in network.state_dict().items()}
    own = open_custom_model("mine.safetensors", save(state), FACTS)
    image = torch.rand((1, 3, 64, 64))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (FACTS.mean, FACTS.std))
    with torch.inference_mode():
        wanted = network((image - mean) / std).softmax(1)[:, 1]
        found = own.network(image)[:, 0].sigmoid()
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-5)


def test_an_encoder_that_cannot_be_planned_ahead_is_built(noise_raster):
    network = smp.create_model("segformer", "mit_b0", encoder_weights=None)
    own = open_custom_model(
        "mine.safetensors", save(network.half().state_dict()), replace(FACTS, architecture="segformer/mit_b0")
    )
    assert np.isfinite(segment(noise_raster, own).probability).all()


@pytest.mark.parametrize("side", [None, 96])
@pytest.mark.parametrize("batch", ["N", 1])
def test_onnx_of_any_and_of_one_size(side, batch, noise_raster):
    own = opened(onnx_file(side, batch))
    assert own.card.window_px == 96
    np.testing.assert_allclose(segment(noise_raster, own).probability, expected(noise_raster), atol=1e-5)


def test_onnx_of_probabilities_and_of_two_classes(noise_raster):
    own = opened(onnx_file(last_node="Sigmoid"), output="probability")
    np.testing.assert_allclose(segment(noise_raster, own).probability, expected(noise_raster), atol=1e-5)
    own = opened(onnx_file(channels=2))
    np.testing.assert_allclose(segment(noise_raster, own).probability, expected(noise_raster), atol=1e-5)


def test_a_file_with_its_description_next_to_it(tmp_path, noise_raster, random_checkpoints):
    save_file(small_unet().state_dict(), tmp_path / "mine.safetensors")
    with pytest.raises(CheckpointError, match=r"mine\.json"):
        open_custom_file(tmp_path / "mine.safetensors")
    facts = {"architecture": FACTS.architecture, "gsd_range_cm_per_px": [5, 30], "window_px": 96}
    (tmp_path / "mine.json").write_text(json.dumps(facts))
    own = open_custom_file(tmp_path / "mine.safetensors")
    assert own.card.gsd_range_cm_per_px == (5, 30)
    ours = open_custom_file(random_checkpoints / "unet.safetensors")  # a card of ours says all that is needed
    known = load_model(random_checkpoints / "unet.safetensors")
    np.testing.assert_allclose(
        segment(noise_raster, ours).probability, segment(noise_raster, known).probability, atol=1e-5
    )
    (tmp_path / "mine.json").write_text('{"window_px": 96}')
    with pytest.raises(CheckpointError, match="gsd_range_cm_per_px"):
        open_custom_file(tmp_path / "mine.safetensors")


def weights_with(key, tensor):
    return save({**small_unet().state_dict(), key: tensor})


@pytest.mark.parametrize(
    "name, content, facts, says",
    [
        ("a.pt", pickle.dumps({}), FACTS, "Pickles"),
        ("a.safetensors", b"", FACTS, "not a safetensors file"),
        ("a.safetensors", b"\xff" * 100, FACTS, "not a safetensors file"),
        ("a.safetensors", save({}), FACTS, "no weights"),
        ("a.safetensors", (6_000_000).to_bytes(8, "little") + b" " * 6_000_000, FACTS, "more tensors than"),
        ("a.safetensors", save({"a": torch.zeros(1)}), FACTS, "are missing"),
        ("a.safetensors", save({"a": torch.zeros(1)}), replace(FACTS, architecture="sci-net"), "does not fit sci-net"),
        ("a.safetensors", save({"a": torch.zeros(1)}), replace(FACTS, architecture="resnet34"), "is unknown: choose"),
        (
            "a.safetensors",
            save({"a": torch.zeros(1)}),
            replace(FACTS, architecture="unet/tu-local-dir:/a"),
            "unknown",
        ),
        ("a.safetensors", save({"a": torch.zeros(1)}), replace(FACTS, architecture="unet/tu-hf-hub:a/b"), "unknown"),
        ("a.safetensors", save({"a": torch.zeros(1)}), replace(FACTS, architecture="unet/nosuch"), "begin with tu-"),
        ("a.safetensors", save({"a": torch.zeros(1)}), replace(FACTS, architecture="unet/tu-nosuch"), "cannot build"),
        ("a.safetensors", weights_with("more", torch.zeros(1)), FACTS, "more is unknown"),
        ("a.safetensors", weights_with("segmentation_head.0.bias", torch.zeros(3)), FACTS, r"is \(3,\)"),
        ("a.safetensors", weights_with("segmentation_head.0.bias", torch.zeros(1).int()), FACTS, "int32"),
        ("a.safetensors", weights_with("segmentation_head.0.bias", torch.full((1,), torch.nan)), FACTS, "not finite"),
        ("a.onnx", b"\xff\xfe no protobuf", FACTS, "not an ONNX file"),
        ("a.onnx", b"", FACTS, "0 inputs"),
    ],
)
def test_what_is_refused_is_said(name, content, facts, says):
    with pytest.raises(CheckpointError, match=says) as raised:
        open_custom_model(name, content, facts)
    assert "\n" not in str(raised.value)


def external():
    model = onnx_file()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    return model


def external_constant():
    """The same, hidden in a branch of an If."""
    hidden = TensorProto(name="h", data_type=1, dims=[1])
    hidden.external_data.add(key="location", value="/etc/hostname")
    branch = helper.make_graph([helper.make_node("Constant", [], ["x"], value=hidden)], "branch", [], [])
    return onnx_file(more=[helper.make_node("If", ["sum"], ["y"], then_branch=branch, else_branch=branch)])


def external_default():
    """The same, in what an attribute of a function is by default."""
    hidden = TensorProto(name="h", data_type=1, dims=[1])
    hidden.external_data.add(key="location", value="/etc/hostname")
    opset = [helper.make_opsetid("", 17)]
    constant = helper.make_node("Constant", [], ["x"])
    constant.attribute.add(name="value", ref_attr_name="held", type=onnx.AttributeProto.TENSOR)
    model = onnx_file()
    model.functions.append(
        helper.make_function(
            "own", "f", [], ["x"], [constant], opset, attribute_protos=[helper.make_attribute("held", hidden)]
        )
    )
    return model


def huge():
    """A graph that asks for 4 TB."""
    shape = onnx.numpy_helper.from_array(np.array([1000, 1000, 1000, 1000]), "shape")
    model = onnx_file(
        more=[
            helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["total"]),
        ]
    )
    model.graph.initializer.append(shape)
    model.graph.output.append(helper.make_tensor_value_info("total", TensorProto.FLOAT, None))
    return model


@pytest.mark.parametrize(
    "model, says",
    [
        (external(), "other files"),
        (external_constant(), "other files"),
        (external_default(), "other files"),
        (huge(), "fails|broke off"),
        (onnx_file(dtype=TensorProto.FLOAT16), "half precision"),
        (onnx_file(shape=("N", "H", "W", 3)), r"float32 \(N, 3, H, W\)"),
        (onnx_file(shape=("N", 3, 64, 96)), "96 x 64"),
        (onnx_file(channels=5), r"gives \[1, 5"),
        (onnx_file(last_node="GlobalAveragePool"), r"gives \[1, 1, 1, 1\]"),
    ],
)
def test_what_an_onnx_file_may_not_do(model, says):
    with pytest.raises(CheckpointError, match=says) as raised:
        opened(model)
    assert "\n" not in str(raised.value)


def test_logits_are_no_probabilities():
    with pytest.raises(CheckpointError, match="choose logits"):
        opened(onnx_file(), output="probability")


def test_the_decoders_that_are_offered_are_those_of_smp():
    assert set(DECODER_TITLES) == set(smp.MODEL_ARCHITECTURES_MAPPING)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(onnx_network, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match="pip install onnx onnxruntime"):
        opened(onnx_file())


@pytest.mark.parametrize(
    "change",
    [
        {"gsd_range_cm_per_px": (20.0, 5.0)},
        {"gsd_range_cm_per_px": (float("nan"), 5.0)},
        {"window_px": 16},
        {"window_px": 100_000},
        {"std": (0.0, 1.0, 1.0)},
        {"mean": (float("inf"), 1.0, 1.0)},
        {"output": "classes"},
    ],
)
def test_impossible_facts_are_refused(change):
    with pytest.raises(CheckpointError):
        replace(FACTS, **change)


def test_the_same_weights_under_other_facts_are_another_model():
    content = save(small_unet().state_dict())
    one, other = (open_custom_model("a.safetensors", content, replace(FACTS, mean=(m,) * 3)) for m in (0.4, 0.5))
    assert one.card.sha256 != other.card.sha256


@pytest.mark.parametrize("name", ["..", "", " ", "a\nb", "a\u2028b", "a\tb", "../a", "a\\b"])
def test_a_name_is_one_printable_line_and_not_a_path(name):
    with pytest.raises(CheckpointError, match="cannot be the name of a model") as raised:
        open_custom_model(f"{name}.safetensors", b"", FACTS)
    assert str(raised.value).isprintable()
