"""Local files that a user names: only regular ones are opened, as a device never ends and a pipe may never begin."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises:
        OSError: It cannot be opened, or is a folder, a device, a pipe or a socket.
        ValueError: The path is not one.

    Example:
        >>> open_regular("/dev/zero")
        Traceback (most recent call last):
        ...
        OSError: [Errno 22] it is not a regular file
    """
    # Without waiting for whoever writes to a pipe
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(22, "it is not a regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
