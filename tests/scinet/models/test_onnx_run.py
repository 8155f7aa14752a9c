"""A run of an ONNX model whose trial went well: whatever it does then is a sentence."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from scinet.errors import CheckpointError
from scinet.models import onnx_network
from scinet.models.onnx_network import OnnxNetwork

onnxruntime = pytest.importorskip("onnxruntime")


def network(run: Any) -> OnnxNetwork:
    session = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name="x", shape=[None, 3, None, None])], run=run)
    return OnnxNetwork(session, None, "logits")


def fails(*_: Any) -> Any:
    raise RuntimeError("first line\nsecond line")


@pytest.mark.parametrize(
    "run",
    [
        fails,
        lambda *_: [np.zeros((1, 1, 1, 1), np.float32)],
        lambda *_: [np.full((1, 1, 64, 64), np.nan, np.float32)],
        lambda *_: [None],
    ],
)
def test_what_goes_wrong_in_a_run_is_a_sentence(run: Any) -> None:
    with pytest.raises(CheckpointError, match="remove it") as caught:
        network(run)(torch.zeros(1, 3, 64, 64))
    assert "\n" not in str(caught.value)


def test_an_endless_loop_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    text = """<ir_version: 8, opset_import: ["" : 15]>
    endless (float[N,3,H,W] x) => (float[N,3,H,W] y) {
        n = Constant <value_int: int = 4611686018427387904> ()
        go = Constant <value = bool {1}> ()
        y = Loop (n, go, x) <body = body (int64 i, bool c, float[N,3,H,W] a) => (bool d, float[N,3,H,W] b) {
            d = Identity (c)
            b = Neg (a)
        }>
    }"""
    monkeypatch.setattr(onnx_network, "TRIAL_S", 1)
    session = onnxruntime.InferenceSession(onnx.parser.parse_model(text).SerializeToString())
    with pytest.raises(CheckpointError, match="takes more than 1 s"):
        OnnxNetwork(session, None, "logits")(torch.zeros(1, 3, 64, 64))
