"""What the results of a run depend on, as a hash."""

import hashlib
from pathlib import Path

from scinet.errors import CheckpointError
from scinet.models.card import checkpoints_folder, read_card


def identity_of(settings: object, model: str) -> str:
    """A hash of settings, which have a `repr` of all that they hold, and of a model's weights.

    Args:
        settings: What the results depend on.
        model: A name, or the path of a custom model.
    """
    try:
        weights = read_card(checkpoints_folder() / f"{model}.json").sha256
    except CheckpointError:  # a custom model
        path = Path(model)
        weights = f"{path.stat().st_size} {path.stat().st_mtime_ns}" if path.is_file() else ""
    return hashlib.sha256(repr((settings, weights)).encode()).hexdigest()[:16]
