"""Run as a program by onnx_network: runs an ONNX file once within limits; prints shape and range of its result."""

import json
import sys
from importlib import import_module


def main(path: str, side_px: int, most_bytes: int, most_s: int) -> None:
    """Run a file on noise of `side_px` x `side_px` px with at most this much memory and processor time."""
    try:
        resource = import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limits
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(0).normal(size=(1, 3, side_px, side_px)).astype(np.float32)
        result = session.run(None, {session.get_inputs()[0].name: image})[0]
        answer = {"shape": list(result.shape), "min": float(result.min()), "max": float(result.max())}
    except Exception as error:  # of onnxruntime's own types, and MemoryError
        answer = {"problem": (str(error).strip().splitlines() or [type(error).__name__])[0][:200]}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], *(int(value) for value in sys.argv[2:]))
