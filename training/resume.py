"""What lets a run resume after a kill, Ctrl-C or a full disk: whole files, and stopping between two steps."""

import csv
import io
import signal
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import torch

from scinet.atomic_write import atomic_write, write_text
from scinet.errors import WriteError
from training.errors import DataError
from training.parallel import is_first


class StopAtInterrupt:
    """``with StopAtInterrupt() as stop``: Ctrl-C sets ``stop.asked`` for the loop to see; a second one interrupts.

    A step is never cut in half, so the state saved after it is exact.
    """

    asked = False

    def __enter__(self) -> "StopAtInterrupt":
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def raise_if_asked(self) -> None:
        """Raise the KeyboardInterrupt that was held back."""
        if self.asked:
            raise KeyboardInterrupt

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before)


def ignore_interrupts(worker: int) -> None:
    """For a DataLoader's workers: a terminal sends Ctrl-C to them too, but the main process ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def read_state(path: Path, identity: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
    """The state saved at ``path``, None where there is none.

    Raises DataError where it is damaged or its values under ``identity``'s keys are others: another run's.
    """
    if not path.exists():
        return None
    try:
        saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a zip, pickle or runtime error, as the damage has it
        raise DataError(f"{path} is damaged ({type(error).__name__}); delete it to start afresh.") from error
    differing = [key for key, value in identity.items() if saved.get(key) != value]
    if differing:
        raise DataError(
            f"{path} belongs to a run with another {' and '.join(differing)}; "
            "start this one under another name or delete the file."
        )
    return saved


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write the file, in the first process; a kill at any moment leaves the old one or the new one.

    Raises DataError where the disk is full.
    """
    if not is_first():
        return
    try:
        with atomic_write(path) as part:
            _save(state, part)
    except WriteError as error:
        reason = str(error).removesuffix(".")
        raise DataError(f"{reason}; free some disk space and start again: the run resumes.") from error


def _save(state: dict[str, Any], path: Path) -> None:
    try:
        torch.save(state, path)
    except RuntimeError as error:  # what torch makes of a full disk
        raise OSError(str(error)) from error


def write_row(path: Path, **values: float) -> None:
    """Add a row to a CSV whose first column grows; rows that a resumed run repeats are replaced."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    key = next(iter(values))
    rows = [row for row in rows if float(row[key]) < values[key]]
    table = io.StringIO()
    writer = csv.DictWriter(table, values, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*rows, {name: f"{value:.6g}" for name, value in values.items()}])
    write_text(path, table.getvalue())
