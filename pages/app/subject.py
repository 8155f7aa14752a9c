"""What a source gives: the image that is explored, or why there is none."""

import hashlib
from dataclasses import dataclass

from scinet.evaluation.truth import Truth
from scinet.raster.raster import Raster


@dataclass(frozen=True, eq=False)
class Subject:
    """The image that is explored. `key` is a hash of all that went into it."""

    key: str
    title: str
    raster: Raster
    truth: Truth | None
    credit: str = ""


@dataclass(frozen=True)
class Choice:
    """What the sidebar holds now: the last image that could be read, and why a newer one could not."""

    subject: Subject | None
    problem: str | None = None
    hint: str | None = None


def hash_of(*parts: object) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    return digest.hexdigest()
