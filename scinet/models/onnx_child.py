"""What runs in the child of an ONNX model: the file is parsed, checked and run here, never in the program itself.

Nothing in a file can be trusted, so what comes from here is checked by the parent too.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime

from scinet.bounded_child.messages import Message
from scinet.errors import CheckpointError
from scinet.models.memory import give_back

_opened: list[tuple[Any, bool]] = []  # the session, and whether it takes one image at a time


def open_file(message: Message) -> Message:
    """Open the file whose bytes are given; returns what it takes.

    That is the side of the images, None for any, and whether their resolution is a second input.

    Raises:
        CheckpointError: It is not an ONNX file, refers to other files, or wants another input.
    """
    content, name = message.arrays[0].tobytes(), message.values["name"]
    side_px, takes_cm_per_px = _checked_inputs(content, name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = message.values["threads"]
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # which takes time from other windows
    with _short_errors():
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    del content
    message.arrays.clear()
    give_back()  # the file twice, and its parts
    _opened[:] = [(session, session.get_inputs()[0].shape[0] == 1)]
    return Message({"side_px": side_px, "takes_cm_per_px": takes_cm_per_px})


def run(message: Message) -> Message:
    """The first output for images float32 (N, 3, H, W), and their resolutions (N,) if the file takes them."""
    ((session, is_one_by_one),) = _opened
    count = len(message.arrays[0])
    parts = [slice(i, i + 1) for i in range(count)] if is_one_by_one else [slice(count)]
    names = [each.name for each in session.get_inputs()]
    how = onnxruntime.RunOptions()
    how.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")  # keeps nothing for the next window
    with _short_errors():
        found = [
            session.run(None, {name: array[part] for name, array in zip(names, message.arrays, strict=True)}, how)[0]
            for part in parts
        ]
    if not all(isinstance(part, np.ndarray) and part.dtype.kind in "fiub" for part in found):
        raise TypeError("no numbers")
    joined = found[0] if len(found) == 1 else np.concatenate(found)
    return Message({"shape": list(joined.shape)}, [joined.astype(np.float32, copy=False)])


@contextmanager
def _short_errors() -> Iterator[None]:
    """Errors of onnxruntime by the last of the causes that it lists."""
    try:
        yield
    except Exception as error:  # of its own types
        text = " ".join(str(error).split()).rpartition("Status Message: ")[2]
        raise RuntimeError(
            re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)[:160] or "no reason given"
        ) from error


def _checked_inputs(content: bytes, name: str) -> tuple[int | None, bool]:
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # of protobuf's own types
        raise CheckpointError(f"{name} is not an ONNX file, or is incomplete.") from error
    if any(tensor.external_data or tensor.data_location for tensor in _tensors(model)):
        raise CheckpointError(f"{name} keeps weights in other files: save it as one file (external_data=False).")
    return _inputs(model, name)


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


def _inputs(model: Any, file_name: str) -> tuple[int | None, bool]:
    """The side of the images that the file takes, None where it takes any size; whether it takes the resolution."""
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in held]
    takes_cm_per_px = [each.name for each in inputs[1:]] == ["cm_per_px"]
    if len(inputs) != 1 + takes_cm_per_px or not model.graph.output:
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
    return height, takes_cm_per_px
