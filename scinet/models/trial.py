"""A first run of a stranger's network, before it is accepted."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from scinet.errors import CheckpointError

TRIAL_CM_PER_PX = 10.0


def try_out(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]], file_name: str, sides_px: Iterable[int], outputs: int = 1
) -> None:
    """Run a network once per size: it must give one number per pixel and output.

    Args:
        run: From images float32 (1, 3, side, side) in [0, 1] to logits.
        file_name: What to call the network in messages.
        sides_px: The sizes.
        outputs: How many outputs it has.

    Raises:
        CheckpointError: It fails, or its result has another shape.
    """
    random = np.random.default_rng(0)
    for side_px in sorted(set(sides_px)):
        image = random.random((1, 3, side_px, side_px), np.float32)
        try:
            logits = run(image)
        except CheckpointError:
            raise
        except Exception as error:  # an unknown architecture can raise anything
            raise CheckpointError(
                f"{file_name} fails on an image of {side_px} x {side_px} px ({first_line(error)}). "
                "It must take any size from 32 px: export it as ONNX with a fixed size otherwise."
            ) from error
        if logits.shape != (1, outputs, side_px, side_px):
            per_pixel = "one number" if outputs == 1 else f"{outputs} numbers"
            raise CheckpointError(
                f"{file_name} gives {tuple(logits.shape)} for an image of {side_px} x {side_px} px, not {per_pixel} "
                "per pixel."
            )


def first_line(error: Exception) -> str:
    """An error of any type as one short line."""
    text = str(error.args[0] if error.args else error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:160]}" if text else type(error).__name__
