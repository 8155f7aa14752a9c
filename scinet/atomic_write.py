"""Files that appear complete or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scinet.errors import WriteError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`, which is renamed to `path` when the block ends well.

    The content is on the disk before the name is, so that a power cut leaves the old file or the new one. Files that
    belong together are written in one `with` statement: none is renamed before all are complete.

    Args:
        path: The file to write. Its folder must exist; a file of that name is replaced.

    Yields:
        The temporary path, with the suffix of `path`. It is removed where the block fails.

    Raises:
        WriteError: The folder does not exist, or an OSError occurred in the block.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     weights, card = Path(folder) / "net.safetensors", Path(folder) / "net.json"
        ...     with atomic_write(weights) as weights_part, atomic_write(card) as card_part:
        ...         _ = weights_part.write_bytes(b"0")
        ...         _ = card_part.write_text("{}")
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['net.json', 'net.safetensors']
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WriteError(f"{path} cannot be written: its folder does not exist.")
    temporary = path.with_name(f".{path.stem}.{os.urandom(16).hex()}{path.suffix}")
    try:
        with write_errors(path):
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file and read it back; it appears when it is complete. Raises WriteError."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
        sync(temporary)
        if temporary.read_bytes() != content:
            raise OSError(errno.EIO, "what was written cannot be read back")


def write_text(path: str | Path, text: str) -> None:
    """As `write_bytes`, in UTF-8 with newlines as they are."""
    write_bytes(path, text.encode())


def sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk. Raises OSError where it cannot."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_errors(path: str | Path) -> Iterator[None]:
    """Turn an OSError in the block into a WriteError that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the disk or its permissions refuse it"
        raise WriteError(f"{path} cannot be written: {reason}.") from None
