"""Files that appear whole or not at all."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from scinet.errors import WriteError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A path beside `path`, with its suffix, to write to; the file takes its name when the block ends well.

    Raises WriteError where it cannot be written. Nothing is left behind then.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WriteError(f"{path} cannot be written: its folder does not exist.")
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        with writing(path):
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Within, what goes wrong with a file becomes a WriteError that names `path`."""
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "the disk or its permissions refuse it"
        raise WriteError(f"{path} cannot be written: {reason}.") from None
