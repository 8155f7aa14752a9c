"""An ONNX file as a network: checked, tried in a separate process, run by onnxruntime on the CPU.

The packages onnx and onnxruntime are optional: ``pip install scinet-explorer[onnx]``.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scinet.errors import CheckpointError

TRIAL_S = 120
TRIAL_BYTES = 12_000_000_000  # of address space, of which much is never used


class OnnxNetwork(nn.Module):
    """An ONNX file with one input, float32 (N, 3, H, W), and an output (N, 1 or 2, H, W)."""

    def __init__(self, session: Any, side_px: int | None, output: str):
        super().__init__()
        self._session, self._output = session, output
        self.side_px = side_px  # where the file takes images of one size only
        self._name = session.get_inputs()[0].name
        self._one_by_one = session.get_inputs()[0].shape[0] == 1

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W), normalised, to logits (N, 1, H, W)."""
        height, width = image.shape[-2:]
        if self.side_px is None:
            right, bottom = -width % 32, -height % 32
        else:
            right, bottom = self.side_px - width, self.side_px - height
        image = F.pad(image, (0, right, 0, bottom), mode="replicate") if right or bottom else image
        array = image.float().cpu().numpy()
        parts = [array[i : i + 1] for i in range(len(array))] if self._one_by_one else [array]
        found = np.concatenate([self._run(np.ascontiguousarray(part)) for part in parts])
        values = torch.from_numpy(found.astype(np.float32, copy=False)).to(image.device)
        if self._output == "probability":
            values = torch.logit(values[:, -1:], eps=1e-6)
        elif values.shape[1] == 2:
            values = values[:, 1:] - values[:, :1]
        return values[..., :height, :width]

    def _run(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """The output for images (N, 3, H, W), within a time limit, and checked: a model can change after its trial."""
        from onnxruntime import RunOptions

        options = RunOptions()
        watchdog = threading.Timer(TRIAL_S, setattr, (options, "terminate", True))
        watchdog.daemon = True
        watchdog.start()
        try:
            found = self._session.run(None, {self._name: images}, options)[0]
        except Exception as error:  # of onnxruntime's own types
            raise CheckpointError(
                f"The ONNX model fails on an image, or takes more than {TRIAL_S} s for it: remove it."
            ) from error
        finally:
            watchdog.cancel()
        expected = [(len(images), channels, *images.shape[2:]) for channels in (1, 2)]
        if not isinstance(found, np.ndarray) or found.shape not in expected or not np.isfinite(found).all():
            raise CheckpointError("The ONNX model does not give one finite number per pixel of an image: remove it.")
        return found


def open_onnx(content: bytes, file_name: str, window_px: int, output: str) -> OnnxNetwork:
    """Open an ONNX file as a network.

    Args:
        content: The file.
        file_name: What to call it in messages.
        window_px: Side of the windows that it will get, where it takes any size.
        output: "logits" or "probability".

    Raises:
        CheckpointError: A package is missing, the file is not an ONNX file, refers to other files, wants an input other
            than (N, 3, H, W), does not give a mask, or fails in its trial.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise CheckpointError(
            "ONNX files need two more packages: pip install onnx onnxruntime, then start again."
        ) from error
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # of protobuf's own types
        raise CheckpointError(f"{file_name} is not an ONNX file, or is incomplete.") from error
    if any(tensor.external_data or tensor.data_location for tensor in _tensors(model)):
        raise CheckpointError(f"{file_name} keeps weights in other files: save it as one file (external_data=False).")
    side_px = _side_px(model, file_name)
    _try_apart(content, file_name, side_px or window_px, output)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return OnnxNetwork(session, side_px, output)


def _tensors(model: Any) -> Iterator[Any]:
    """All tensors of a model, including those of subgraphs and functions."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    attributes = [default for function in model.functions for default in function.attribute_proto]
    while graphs or nodes or attributes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
        elif nodes:
            attributes += nodes.pop().attribute
        else:
            attribute = attributes.pop()
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs


def _side_px(model: Any, file_name: str) -> int | None:
    """The side of the images that the file takes; None where it takes any size."""
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in held]
    if len(inputs) != 1 or not model.graph.output:
        raise CheckpointError(f"{file_name} has {len(inputs)} inputs; it must have one, float32 (N, 3, H, W).")
    kind = inputs[0].type.tensor_type
    shape = [dimension.dim_value or None for dimension in kind.shape.dim]
    if kind.elem_type != 1 or len(shape) != 4 or shape[1] != 3:
        raise CheckpointError(
            f"{file_name} does not take images as float32 (N, 3, H, W): export it with channels first, not in half "
            "precision."
        )
    height, width = shape[2:]
    if height != width:
        raise CheckpointError(
            f"{file_name} takes {width} x {height} px only: export it with a dynamic size, or square."
        )
    if height is not None and not 32 <= height <= 2048:
        raise CheckpointError(f"{file_name} takes {height} x {height} px; 32 to 2048 px per side are possible.")
    return height


def _try_apart(content: bytes, file_name: str, side_px: int, output: str) -> None:
    """Run the file once in a separate process, so that a crash or too much memory does not end this one."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.onnx").write_bytes(content)
        command = [sys.executable, "-P", str(Path(__file__).with_name("onnx_trial.py")), "model.onnx", str(side_px)]
        try:
            done = subprocess.run(
                [*command, str(TRIAL_BYTES), str(TRIAL_S)], cwd=folder, capture_output=True, timeout=2 * TRIAL_S
            )
            answer = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            raise CheckpointError(
                f"{file_name} takes more than {TRIAL_S} s for one window: choose smaller windows."
            ) from None
        except (ValueError, IndexError):
            raise CheckpointError(
                f"{file_name} crashed in its trial on {side_px} x {side_px} px: it takes too much memory or time, or "
                "is damaged."
            ) from None
    if "problem" in answer:
        raise CheckpointError(f"{file_name} fails on {side_px} x {side_px} px: {answer['problem']}")
    shape = answer["shape"]
    if len(shape) != 4 or shape[0] != 1 or shape[1] not in (1, 2) or shape[2:] != [side_px, side_px]:
        raise CheckpointError(
            f"{file_name} gives {shape} for an image of {side_px} x {side_px} px: it must be (1, 1, H, W), or "
            "(1, 2, H, W) with building last."
        )
    if output == "probability" and not 0 <= answer["min"] <= answer["max"] <= 1:
        raise CheckpointError(
            f"{file_name} gives {answer['min']:.3g} to {answer['max']:.3g}, which are not probabilities: choose logits."
        )
