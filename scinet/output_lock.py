"""One process at a time writes a file that takes long."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from scinet.atomic_write import write_errors
from scinet.errors import WriteError


@contextmanager
def output_lock(path: Path) -> Iterator[None]:
    """Hold `<path>.part.lock`; the system releases the lock of a process that dies.

    Args:
        path: The file to write.

    Raises:
        WriteError: Another process or thread holds it, its folder does not exist, or nothing can be written there.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, output_lock(Path(folder) / "mask.tif"):
        ...     print(*(file.name for file in Path(folder).iterdir()))
        mask.tif.part.lock
    """
    if not path.parent.is_dir():
        raise WriteError(f"{path} cannot be written: its folder does not exist.")
    lock_path = path.with_name(f"{path.name}.part.lock")
    lock = FileLock(lock_path, timeout=0)
    with write_errors(path):
        try:
            lock.acquire()
        except Timeout:  # an OSError
            raise WriteError(f"{path} is being written by another run: wait for it, or give another name.") from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file
            lock_path.unlink()  # while it is held: whoever has opened it meanwhile sees that it is gone
        lock.release()
