"""ONNX models that behave in their trial and then on a black image do not: each is a sentence, and the work ends."""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from threading import Timer

import numpy as np
import onnx
import pytest
from rasterio.transform import Affine

from scinet.errors import CheckpointError
from scinet.job_queue import JobCancelledError, JobQueue
from scinet.models import onnx_network
from scinet.models.custom import ModelSpec, open_custom_model
from scinet.models.model import Model, Runtime
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment

ENDLESS = """
    n = Constant <value_int: int = 4611686018427387904> ()
    go = Constant <value = bool {1}> ()
    r = Loop (n, go, g) <body = body (int64 i, bool c, float[N,1,H,W] a) => (bool d, float[N,1,H,W] b) {
        d = Identity (c)
        b = Neg (a)
    }>
"""
LARGE = """
    shape = Constant <value = int64[1] {8000000000}> ()
    large = ConstantOfShape <value = float[1] {0}> (shape)
    total = ReduceSum <keepdims = 0> (large)
    r = Add (g, total)
"""
SMALL = "r = GlobalAveragePool (g)"
NOT_FINITE = """
    zero = Constant <value_float: float = 0.0> ()
    r = Div (g, zero)
"""
FAILS = """
    shape = Constant <value = int64[1] {7}> ()
    r = Reshape (g, shape)
"""


def grey(value: int) -> Raster:
    pixels = np.full((64, 64, 3), value, np.uint8)
    return Raster(pixels, np.ones((64, 64), np.bool_), Affine(0.1, 0, 0, 0, -0.1, 0), None)


def model_of(on_black: str) -> Model:
    """A model that gives green, but on a black image does something else."""
    text = f"""<ir_version: 8, opset_import: ["" : 15]>
    sometimes (float[N,3,H,W] x) => (float[N,1,H,W] y) {{
        index = Constant <value = int64[1] {{1}}> ()
        g = Gather <axis: int = 1> (x, index)
        most = ReduceMax <keepdims: int = 0> (x)
        limit = Constant <value_float: float = 0.0> ()
        usual = Greater (most, limit)
        y = If (usual) <
            then_branch = as_usual () => (float[N,1,H,W] t) {{ t = Identity (g) }},
            else_branch = on_black () => (float[N,1,H,W] r) {{ {on_black} }}
        >
    }}"""
    content = onnx.parser.parse_model(text).SerializeToString()
    spec = ModelSpec("onnx", (5, 30), 64, (0, 0, 0), (1, 1, 1))
    return open_custom_model("mine.onnx", content, spec)


@pytest.mark.parametrize(
    "on_black, says",
    [
        (ENDLESS, "takes more than 2 s"),
        (LARGE, "too much memory"),
        (SMALL, r"gives \[1, 1, 1, 1\]"),
        (NOT_FINITE, "not finite"),
        (FAILS, "onnxruntime refuses it"),
    ],
    ids=["time", "memory", "shape", "not finite", "failure"],
)
def test_what_goes_wrong_in_a_run_is_a_sentence(on_black: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_network, "WINDOW_S", 2)
    model = model_of(on_black)
    assert segment(grey(100), model).probability.mean() == pytest.approx(1 / (1 + np.exp(-100 / 255)), abs=1e-4)
    with pytest.raises(CheckpointError, match=says) as caught:
        segment(grey(0), model)
    assert "\n" not in str(caught.value)
    assert "mine.onnx" in str(caught.value)
    assert segment(grey(100), model).probability.max() > 0.5  # another process


def test_a_run_that_nobody_waits_for_ends_within_its_window() -> None:
    model = model_of(ENDLESS)
    with JobQueue(workers=1) as queue:
        endless = queue.submit("endless", lambda report: segment(grey(0), model, progress=report))
        after = queue.submit("after", lambda report: 1)
        Timer(0.5, endless.cancel).start()
        assert after.result() == 1
        with pytest.raises(JobCancelledError):
            endless.result()


def test_windows_that_run_side_by_side_get_their_own_answers() -> None:
    model = model_of(ENDLESS)
    assert isinstance(model.network, Runtime)
    images = [np.full((1, 3, 64, 64), value / 8, np.float32) for value in range(1, 8)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(model.network.logits, images, repeat(1), repeat(20.0)))
    for image, answer in zip(images, answers, strict=True):
        np.testing.assert_allclose(answer, image[:, 1:2], rtol=1e-6)
