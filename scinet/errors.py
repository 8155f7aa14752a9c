"""Errors that a user can cause.

Every message is one sentence or two short ones: what is wrong, and what to do about it.
Pages show the message; the command line prints it and exits with 2.
"""

import re

_LONG_WORD = re.compile(r"\S{300,}")


class SciNetError(Exception):
    """Base of all errors that a user's input can cause.

    Example:
        >>> from scinet import SciNetError, open_scene
        >>> try:
        ...     open_scene("no such file.tif")
        ... except SciNetError as error:
        ...     print(type(error).__name__)
        RasterError
    """

    def __init__(self, message: str = "") -> None:
        """`message` may quote names and texts of files: it stays one line that can be shown, however they look."""
        line = " ".join(message.splitlines())
        printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
        super().__init__(_LONG_WORD.sub(lambda word: f"{word[0][:80]}...", printable))


class RasterError(SciNetError):
    """An image cannot be read or placed on the ground."""


class NodataError(RasterError):
    """An image, or the part of it that was asked for, is nodata only."""


class GsdMissingError(RasterError):
    """An image carries no georeference, so its ground resolution has to be given.

    Attributes:
        likely_cm_per_px: What the file's own account of its flight gives; None if it has none.
    """

    def __init__(self, message: str = "", likely_cm_per_px: float | None = None) -> None:
        super().__init__(message)
        self.likely_cm_per_px = likely_cm_per_px


class TruthError(SciNetError):
    """A truth mask or a footprint file cannot be read, or does not belong to the image."""


class WriteError(SciNetError):
    """A file cannot be written."""


class CheckpointError(SciNetError):
    """A checkpoint is missing, damaged, or does not fit its architecture."""


class BenchmarkError(SciNetError):
    """The scores of the checkpoints cannot be read."""


class CameraError(SciNetError):
    """A camera, a height or a line of known length gives no ground resolution."""


class ResolutionError(SciNetError):
    """A resolution in cm/px is not usable, or leads to an image that does not fit in memory."""


class TargetError(SciNetError):
    """A target cannot be met by any mask, or not be judged on this image."""


class PromiseError(SciNetError):
    """No threshold is known that keeps what a mask is to promise."""


class DownloadError(SciNetError):
    """A file cannot be fetched from the web, or cannot be stored on disk."""


def missing_package(what: str, error: ModuleNotFoundError) -> Exception:
    """The error to raise where something needs a package that is not installed: a sentence that says what to install.

    Args:
        what: What needs it, such as "scinet.load_model".
        error: Of the import; it is returned itself where a module of this package is missing, which is a fault.

    Example:
        >>> print(missing_package("scinet.load_model", ModuleNotFoundError(name="torch")))
        scinet.load_model needs the package torch: pip install "scinet-explorer[full]", and try again.
    """
    if (error.name or "").partition(".")[0] == "scinet":
        return error
    return SciNetError(f'{what} needs the package {error.name}: pip install "scinet-explorer[full]", and try again.')
