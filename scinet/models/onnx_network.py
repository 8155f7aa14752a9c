"""An ONNX file as a network, which onnxruntime runs on the CPU in a process of its own with limits of memory and time.

The packages onnx and onnxruntime are optional: ``pip install scinet-explorer[onnx]``.
"""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from scinet.bounded_child.limits import memory_for_models
from scinet.bounded_child.messages import Message
from scinet.bounded_child.process import BoundedChild, ChildError
from scinet.errors import CheckpointError
from scinet.models.architectures import Output
from scinet.models.cores import cores
from scinet.models.model import Runtime

OPEN_S = 60
WINDOW_S, MEGAPIXEL_S = 20, 25  # for each call of the network: a constant, and more for large windows
STEP_PX = 32  # networks halve their input up to five times
_CORES_PER_WINDOW = 4  # each window that runs beside another takes 120 MB


class OnnxNetwork(Runtime):
    """An ONNX file with an input float32 (N, 3, H, W), and an output (N, 1 or 2, H, W).

    One with other outputs has as many channels as these. A second input "cm_per_px", float32 (N,), is the resolution.

    Args:
        content: The file.
        file_name: What to call it in messages.
        output: "logits" or "probability".
        outputs: What its channels are; (N, 2, H, W) will do for building alone, with building last.
        mean: Per channel: the file gets (image - mean) / std.
        std: Per channel.

    Raises:
        CheckpointError: It is not an ONNX file, refers to other files, wants an input other than (N, 3, H, W), or
            takes too much memory or time.
    """

    def __init__(
        self,
        content: bytes,
        file_name: str,
        output: str,
        outputs: tuple[Output, ...],
        mean: Sequence[float],
        std: Sequence[float],
    ):
        self._name, self._output, self.outputs = file_name, output, outputs
        self._mean, self._std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (mean, std))
        opening = Message({"name": file_name, "threads": cores()}, [np.frombuffer(content, np.uint8)])
        self._child = BoundedChild(
            "scinet.models.onnx_child",
            memory_for_models(),
            max(1, cores() // _CORES_PER_WINDOW),
            ("open_file", opening, OPEN_S),
        )
        try:
            opened = self._child.start()
        except ChildError as error:
            raise CheckpointError(f"{file_name} cannot be opened: {_reason(error, OPEN_S)}.") from error
        side_px = opened.values.get("side_px") if opened else None
        self.side_px = int(side_px) if side_px else None  # where the file takes images of one size only
        self.takes_cm_per_px = bool(opened and opened.values.get("takes_cm_per_px"))
        self._size_bytes = len(content)

    @property
    def size_bytes(self) -> int:
        """The file, which is kept for when the process has to be started again."""
        return self._size_bytes

    def logits(self, images: NDArray[np.float32], threads: int, cm_per_px: float) -> NDArray[np.float32]:
        """As `Runtime.logits`.

        Raises:
            CheckpointError: The model fails, reaches a limit, or does not give finite numbers of this shape.
        """
        height, width = images.shape[-2:]
        if self.side_px is None:
            right, bottom = -width % STEP_PX, -height % STEP_PX
        else:
            right, bottom = self.side_px - width, self.side_px - height
        images = (images - self._mean) / self._std
        if right or bottom:
            images = np.pad(images, ((0, 0), (0, 0), (0, bottom), (0, right)), mode="edge")
        resolution = [np.full(len(images), cm_per_px, np.float32)] if self.takes_cm_per_px else []
        values = self._run([images, *resolution])
        is_pair = values.shape[1] == 2  # of background and building
        if self._output == "probability":
            probability = np.clip(values[:, 1:] if is_pair else values, 1e-6, 1 - 1e-6)
            values = np.log(probability / (1 - probability))
        elif is_pair:
            values = values[:, 1:] - values[:, :1]
        return values[..., :height, :width]

    def close(self) -> None:
        """End the process; another one is started where the network runs again."""
        self._child.close()

    def _run(self, given: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        count, _, height, width = given[0].shape
        on_what = f"on {width} x {height} px"
        limit_s = WINDOW_S + count * MEGAPIXEL_S * height * width / 1e6
        try:
            found = self._child.call("run", {}, given, timeout_s=limit_s).arrays[0]
        except ChildError as error:
            raise CheckpointError(f"{self._name} fails {on_what}: {_reason(error, limit_s)}.") from error
        possible, wanted = (1, 2), "(N, 1, H, W), or (N, 2, H, W) with building last"
        if len(self.outputs) > 1:
            possible, wanted = (len(self.outputs),) * 2, f"(N, {len(self.outputs)}, H, W): {', '.join(self.outputs)}"
        if found.shape not in [(count, channels, height, width) for channels in possible]:
            raise CheckpointError(f"{self._name} gives {list(found.shape)} {on_what}: it must be {wanted}.")
        if not np.isfinite(found).all():
            raise CheckpointError(f"{self._name} gives numbers that are not finite {on_what}.")
        low, high = found.min(), found.max()
        if self._output == "probability" and (low < 0 or high > 1):
            raise CheckpointError(f"{self._name} gives {low:.3g} to {high:.3g}, not probabilities: choose logits.")
        return found


def _reason(error: ChildError, limit_s: float) -> str:
    if error.cause == "time":
        return f"it takes more than {limit_s:.0f} s; choose smaller windows"
    if error.cause in ("memory", "crash"):
        return "it takes too much memory or crashes; choose smaller windows"
    return f"onnxruntime refuses it, or it takes too much memory ({str(error).strip(' .')})"


def open_onnx(
    content: bytes,
    file_name: str,
    output: str,
    outputs: tuple[Output, ...],
    mean: Sequence[float],
    std: Sequence[float],
) -> OnnxNetwork:
    """Open an ONNX file as a network; see `OnnxNetwork`. Raises CheckpointError where a package is missing too."""
    if not (find_spec("onnx") and find_spec("onnxruntime")):
        raise CheckpointError("ONNX files need two more packages: pip install onnx onnxruntime, then start again.")
    if len(outputs) > 1 and not find_spec("skimage"):
        raise CheckpointError(f"{file_name} parts buildings, which needs one more package: pip install scikit-image.")
    return OnnxNetwork(content, file_name, output, outputs, mean, std)
