"""Files that appear whole or not at all."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyogrio.errors import DataSourceError, FeatureError
from rasterio.errors import RasterioError

from scinet.errors import WriteError


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path beside `path`, with its suffix, to write to; the file takes its name when the block ends well.

    Raises WriteError where it cannot be written. Nothing is left behind then.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WriteError(f"{path} cannot be written: its folder does not exist.")
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    except (RasterioError, DataSourceError, FeatureError, OSError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "the disk or its permissions refuse it"
        raise WriteError(f"{path} cannot be written: {reason}.") from None
    finally:
        partial.unlink(missing_ok=True)
