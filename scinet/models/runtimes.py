"""Runtimes besides PyTorch for networks that this package has exported: OpenVINO and ONNX Runtime, in this process.

A stranger's ONNX file does not belong here, but into `scinet.models.onnx_network`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scinet.models.architectures import Architecture
from scinet.models.cores import cores
from scinet.models.model import Runtime

LANES = 4  # windows that run at a time, each on its share of the cores; see `scinet.segmentation.forward`


class OnnxRuntime(Runtime):
    """Calls run in the threads that make them, on as many cores as are left over for each."""

    def __init__(self, path: Path, architecture: Architecture) -> None:
        import onnxruntime

        self.outputs, self.takes_cm_per_px = architecture.outputs, architecture.takes_cm_per_px

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, cores() // LANES)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # which only looks busy
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._size_bytes = path.stat().st_size

    @property
    def size_bytes(self) -> int:
        """As in the file."""
        return self._size_bytes

    def logits(self, images: NDArray[np.float32], threads: int, cm_per_px: float) -> NDArray[np.float32]:
        """As `Runtime.logits`."""
        found: NDArray[np.float32] = self._session.run(None, _inputs(self, images, cm_per_px))[0]
        return found


class OpenVino(Runtime):
    """Calls share streams, each of which has its own cores."""

    def __init__(self, path: Path, architecture: Architecture) -> None:
        import openvino

        self.outputs, self.takes_cm_per_px = architecture.outputs, architecture.takes_cm_per_px

        core = openvino.Core()
        settings = {
            "INFERENCE_NUM_THREADS": cores(),
            "NUM_STREAMS": min(cores(), LANES),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._compiled = core.compile_model(core.read_model(path), "CPU", settings)
        self._size_bytes = path.stat().st_size

    @property
    def size_bytes(self) -> int:
        """As in the file."""
        return self._size_bytes

    def logits(self, images: NDArray[np.float32], threads: int, cm_per_px: float) -> NDArray[np.float32]:
        """As `Runtime.logits`."""
        request = self._compiled.create_infer_request()  # of this call's own
        found: NDArray[np.float32] = request.infer(_inputs(self, images, cm_per_px))[0].copy()
        return found


def _inputs(runtime: Runtime, images: NDArray[np.float32], cm_per_px: float) -> dict[str, NDArray[np.float32]]:
    """By name, as `scinet.models.onnx_export` calls them."""
    resolution = {"cm_per_px": np.full(len(images), cm_per_px, np.float32)} if runtime.takes_cm_per_px else {}
    return {"image": images, **resolution}


RUNTIMES: dict[str, Callable[[Path, Architecture], Runtime]] = {
    "openvino": OpenVino,
    "onnxruntime": OnnxRuntime,
}  # by package
