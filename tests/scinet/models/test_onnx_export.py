import dataclasses
import json

import numpy as np
import pytest
import torch
from rasterio.transform import Affine

from scinet.errors import CheckpointError
from scinet.models.build import Around, build
from scinet.models.card import Card
from scinet.models.custom import open_custom_file
from scinet.models.model import Model
from scinet.models.onnx_export import export_onnx
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment

pytest.importorskip("onnxruntime")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "window_px", "sides"),
    [("sci-net", 96, (96, 45, 33)), ("pspnet", 192, (192, 200)), ("instance-net", 96, (96, 45))],
)
def test_an_exported_model_gives_the_same_probabilities(name, window_px, sides, tmp_path):
    """Of any size, windows included; a PSPNet in windows of its own size alone."""
    torch.manual_seed(0)
    card = Card(name="mine", architecture=name, gsd_range_cm_per_px=(2.5, 40.0), window_px=window_px, mean=0.4, std=0.3)
    model = Model(build(name).requires_grad_(False).eval(), card, torch.device("cpu"))
    assert export_onnx(model.network, card, tmp_path / "mine.onnx") <= 1e-3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.onnx"]
    facts = json.loads((tmp_path / "mine.json").read_text())
    assert facts["gsd_range_cm_per_px"] == [2.5, 40.0] and facts["exported_from"]["architecture"] == name
    opened = open_custom_file(tmp_path / "mine.onnx")
    assert opened.outputs == model.outputs and opened.takes_cm_per_px == model.takes_cm_per_px
    assert opened.card.window_px == window_px
    for side in sides:
        pixels = np.random.default_rng(0).integers(0, 256, (side, 250, 3), np.uint8)
        image = Raster(pixels, np.ones((side, 250), bool), Affine(0.1, 0, 0, 0, -0.1, 0), None)
        same = dataclasses.replace(exact(model), one_size=opened.one_size)
        np.testing.assert_allclose(segment(image, opened).probability, segment(image, same).probability, atol=1e-3)


def exact(model: Model) -> Model:
    """The model in float32 on every processor, as ONNX runs it."""

    class Float32(Around):
        def forward(self, image, *cm_per_px):
            with torch.autocast("cpu", enabled=False):
                return self.network(image.float(), *cm_per_px)

    return dataclasses.replace(model, network=Float32(model.network))


def test_what_cannot_be_exported(brightness_model, tmp_path):
    card = dataclasses.replace(brightness_model.card, architecture="pspnet", window_px=256)
    with pytest.raises(CheckpointError, match="multiple of 192 px"):
        export_onnx(brightness_model.network, card, tmp_path / "mine.onnx")
    with pytest.raises(CheckpointError, match=r"ends in \.onnx"):
        export_onnx(brightness_model.network, brightness_model.card, tmp_path / "mine.pt")
    assert list(tmp_path.iterdir()) == []
