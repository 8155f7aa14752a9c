"""Where weights come from, for the card."""

import subprocess
from pathlib import Path

from safetensors import safe_open


def describe_weights(weights: str) -> str | dict[str, str]:
    """ "imagenet", "none", or what a file says of itself."""
    if weights in ("imagenet", "none"):
        return weights
    with safe_open(weights, "pt") as file:
        return {"file": Path(weights).name, **(file.metadata() or {})}


def git_revision() -> str:
    """The code's revision, with a + where the tree has changes; blank outside of git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
