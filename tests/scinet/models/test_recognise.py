import json

import pytest
import segmentation_models_pytorch as smp
from safetensors.torch import save

from scinet.models.architectures import NAMES
from scinet.models.build import build
from scinet.models.recognise import recognise


@pytest.mark.parametrize("name", NAMES)
def test_the_projects_networks_are_recognised(name: str) -> None:
    found = recognise(save(build(name).state_dict()))
    assert found is not None and found.architecture == name


@pytest.mark.parametrize(
    "kind, encoder, classes",
    [
        ("fpn", "resnet34", 1),
        ("unet", "resnet18", 2),
        ("deeplabv3plus", "mobilenet_v2", 1),
        ("unet", "tu-mobilenetv3_small_050", 1),
        ("segformer", "mit_b0", 1),
        ("linknet", "efficientnet-b0", 1),
    ],
)
def test_decoder_and_encoder_are_told_from_the_tensors(kind: str, encoder: str, classes: int) -> None:
    state = smp.create_model(kind, encoder, encoder_weights=None, classes=classes).state_dict()
    found = recognise(save({f"model.{name}": tensor for name, tensor in state.items()}))  # as Lightning saves it
    assert found is not None and found.architecture == f"{kind}/{encoder}"
    assert found.title.endswith(f" with {encoder}")


def test_what_fits_nothing_is_not_recognised() -> None:
    state = build("unet").state_dict()
    state.pop(next(iter(state)))
    assert recognise(save(state)) is None
    for header in (b"[]", b'{"a": 1}', b'{"a": {"shape": ["x"]}}', json.dumps({"a": {}}).encode(), b"{" * 20_000):
        assert recognise(len(header).to_bytes(8, "little") + header) is None
    for content in (b"", b"PK", (10**12).to_bytes(8, "little") + b"{}"):
        assert recognise(content) is None
