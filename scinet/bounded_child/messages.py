"""What parent and child send each other through pipes: JSON and arrays. Nothing here unpickles.

A message is the length of its JSON, 4 bytes, the JSON, and the bytes of its arrays one after the other.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MAX_JSON_BYTES = 10_000_000
_DTYPES = {name: np.dtype(name) for name in ("|b1", "|u1", "<i4", "<i8", "<f4", "<f8")}


@dataclass(frozen=True, eq=False)
class Message:
    """JSON values and arrays of bool, uint8, int32, int64, float32 or float64."""

    values: dict[str, Any]
    arrays: list[Array] = field(default_factory=list)


def send(pipe: BinaryIO, message: Message) -> None:
    """Write a message. Raises OSError, or ValueError where the pipe is closed."""
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    head = json.dumps([message.values, shapes]).encode()
    pipe.write(len(head).to_bytes(4, "big") + head)
    pipe.writelines(array.data.cast("B") if array.size else b"" for array in arrays)
    pipe.flush()


def receive(pipe: BinaryIO, max_bytes: int) -> Message:
    """Read a message.

    Args:
        pipe: What `send` writes to, at its other end.
        max_bytes: The most that its arrays may have.

    Raises:
        EOFError: The other end is closed.
        ValueError: What comes is not a message, or too large.
    """
    length = int.from_bytes(_exactly(pipe, bytearray(4)), "big")
    if length > _MAX_JSON_BYTES:
        raise ValueError("too long")
    values, shapes = json.loads(bytes(_exactly(pipe, bytearray(length))))
    arrays = []
    for name, shape in shapes:
        dtype = _DTYPES[name]
        max_bytes -= dtype.itemsize * math.prod(shape)
        if max_bytes < 0 or any(side < 0 for side in shape):
            raise ValueError("too large")
        array = np.empty(shape, dtype)
        if array.size:
            _exactly(pipe, array.data.cast("B"))
        arrays.append(array)
    return Message(dict(values), arrays)


def _exactly(pipe: BinaryIO, buffer: bytearray | memoryview) -> bytearray | memoryview:
    """Fill a buffer from a pipe."""
    left = memoryview(buffer)
    while left:
        count = pipe.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        left = left[count:]
    return buffer
