"""Hosted mode, SCINET_HOSTED=1: visitors are strangers, who must not read the server's files."""

import os
from pathlib import Path

from scinet.errors import SciNetError


def is_hosted() -> bool:
    """Whether the app is served to strangers."""
    return os.environ.get("SCINET_HOSTED", "") not in ("", "0")


def confine(path: Path, folder: Path) -> Path:
    """A file that a folder names; in hosted mode it has to be in the folder, with links followed.

    Raises:
        SciNetError: It is elsewhere.
    """
    if is_hosted() and not path.resolve().is_relative_to(folder.resolve()):
        raise SciNetError(f"{path.name} is outside the folder of the data, so it is not shown here.")
    return path
