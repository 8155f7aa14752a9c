"""Uploads that a link keeps for a while: files in a folder of the app, under keys that nobody can guess.

A file's name is the hash of its key, so that whoever can list the folder learns no key, and no key can name a path.
"""

import hashlib
import json
import math
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from pages.app.hosting import is_hosted
from scinet.atomic_write import atomic_write, write_errors
from scinet.download import cache_folder
from scinet.errors import SciNetError

_KEY_BYTES = 24
_KEY = re.compile(r"[A-Za-z0-9_-]{32}")
_DAY_S = 24 * 3600
_FACTS = "facts.json"
_lock = threading.Lock()  # the files are counted, removed and written by one session at a time


class KeptFile(NamedTuple):
    """A file of a former visit, as far as it is used like one that Streamlit has uploaded."""

    name: str
    content: bytes
    file_id: str

    def getvalue(self) -> bytes:
        """What it holds."""
        return self.content


class Kept(NamedTuple):
    """What a link keeps: files by the keys of their uploaders, and what was typed into fields, by their keys."""

    files: Mapping[str, KeptFile]
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Limits:
    """What all kept uploads may take together, and for how long each is kept.

    Attributes:
        gb: Of the disk; 0 keeps nothing.
        days: Since it was kept.
    """

    gb: float
    days: float

    @classmethod
    def from_environment(cls) -> "Limits":
        """SCINET_KEEP_UPLOADS_GB, by default 2, where the app is hosted 0; SCINET_KEEP_UPLOADS_DAYS, by default 7."""
        usual_gb = 0.0 if is_hosted() else 2.0
        return cls(_number("SCINET_KEEP_UPLOADS_GB", usual_gb), _number("SCINET_KEEP_UPLOADS_DAYS", 7.0))

    @property
    def is_on(self) -> bool:
        """Whether uploads are kept at all."""
        return self.gb > 0 and self.days > 0


def _number(variable: str, usual: float) -> float:
    """A number of the environment that is 0 or more, else the usual one."""
    try:
        number = float(os.environ[variable])
    except (KeyError, ValueError):
        return usual
    return number if 0 <= number < math.inf else usual


def keep(files: Mapping[str, tuple[str, bytes]], fields: Mapping[str, str]) -> str:
    """Keep files, and what was typed beside them; returns the key of the link.

    Args:
        files: Name and content of each by the key of its uploader.
        fields: Texts by the keys of their widgets.

    Raises:
        SciNetError: They are larger than everything that may be kept, or cannot be written.
    """
    limits = Limits.from_environment()
    size = sum(len(content) for _, content in files.values())
    if not limits.is_on or size > limits.gb * 1e9:
        raise SciNetError(
            f"This server keeps {limits.gb:g} GB of uploads in all for links, and these are {size / 1e9:.2g} GB. Send "
            "the files themselves instead."
        )
    key = secrets.token_urlsafe(_KEY_BYTES)
    path = _path(key)
    remove_old()
    with _lock, write_errors(path.parent):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(limits, size)
        with atomic_write(path) as partial, ZipFile(partial, "w") as archive:
            partial.chmod(0o600)
            names = {uploader: name for uploader, (name, _) in files.items()}
            archive.writestr(_FACTS, json.dumps({"names": names, "fields": dict(fields)}))
            for uploader, (_, content) in files.items():
                archive.writestr(uploader, content)
    return key


def read(key: str) -> Kept | None:
    """What the link of a key keeps; None where it keeps nothing any more, or never has."""
    limits = Limits.from_environment()
    if not limits.is_on or not _KEY.fullmatch(key):
        return None
    path = _path(key)
    try:
        if _is_old(path, limits):
            return None
        with ZipFile(path) as archive:
            facts = json.loads(archive.read(_FACTS))
            names = {str(uploader): str(name) for uploader, name in facts["names"].items()}
            files = {
                uploader: KeptFile(name, archive.read(uploader), f"kept-{path.stem}-{uploader}")
                for uploader, name in names.items()
            }
            return Kept(files, {str(field): str(text) for field, text in facts["fields"].items()})
    except (OSError, BadZipFile, ValueError, KeyError, AttributeError, TypeError):
        return None


def remove_old() -> None:
    """Remove what has been kept long enough."""
    with _lock, suppress(OSError):
        for path in _folder().glob("*.zip"):
            if _is_old(path, Limits.from_environment()):
                path.unlink(missing_ok=True)


def _make_room(limits: Limits, size: int) -> None:
    """Remove the oldest files until `size` bytes more fit. Raises OSError."""
    found = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in _folder().glob("*.zip"))
    left = sum(each for _, each, _ in found)
    for _, of_file, path in found:
        if left + size <= limits.gb * 1e9:
            return
        path.unlink(missing_ok=True)
        left -= of_file


def _is_old(path: Path, limits: Limits) -> bool:
    return time.time() - path.stat().st_mtime > limits.days * _DAY_S


def _folder() -> Path:
    return cache_folder() / "uploads"


def _path(key: str) -> Path:
    return _folder() / f"{hashlib.sha256(key.encode()).hexdigest()}.zip"
