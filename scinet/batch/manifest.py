"""``manifest.jsonl``: what became of each scene or tile of a run, as one line of JSON each."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from scinet.atomic_write import sync, write_errors, write_text
from scinet.errors import WriteError

State = Literal["pending", "done", "failed"]


@dataclass(frozen=True)
class Row:
    """A job of the run: a scene, or a tile at one resolution.

    Attributes:
        scene: Its name.
        source: Its path or address.
        state: "pending": its turn has not come. "done" or "failed".
        settings: A hash of what the result depends on.
        seconds: How long it took.
        sha256: Of the mask.
        error: Why it failed, in a sentence.
        figures: What a sweep has found; no NaN, which JSON does not know.
    """

    scene: str
    source: str
    state: State
    settings: str
    seconds: float | None = None
    sha256: str | None = None
    error: str | None = None
    figures: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Report:
    """How the run is told of: `ended` gets each job's row, and its lines where it went well."""

    ended: Callable[[Row, Sequence[str]], None]
    progress: Callable[[float], None]


class Manifest:
    """The rows of a run, in a file that is right at any moment: each ending is added to it at once.

    Where array jobs write into one folder, each has a file of its own, ``manifest-7-of-64.jsonl``.
    """

    def __init__(self, path: Path, rows: Sequence[Row]) -> None:
        """Begin a file with rows, in place of the one that is there. Raises WriteError."""
        self._path = path
        self._rows = {row.scene: row for row in rows}
        self._write()

    @property
    def rows(self) -> list[Row]:
        """As they are now, in the order of the scenes."""
        return list(self._rows.values())

    def add(self, row: Row) -> None:
        """Note how a scene ended. Raises WriteError."""
        self._rows[row.scene] = row
        with write_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        with write_errors(self._path):
            sync(self._path)

    def follow(
        self, endings: Iterable[tuple[Row, Sequence[str]]], report: Report, *, stop_at_error: bool = False
    ) -> list[Row]:
        """Note how jobs end, with their lines, while they do; the file is closed then. Returns all rows.

        Args:
            endings: The rows of jobs as they end, and their lines for the reader.
            report: How the run is told of.
            stop_at_error: Whether the first failure ends the run.

        Raises:
            WriteError: The file cannot be written.
        """
        ended = sum(row.state == "done" for row in self.rows)
        try:
            for row, lines in endings:
                self.add(row)
                ended += 1
                report.ended(row, lines)
                report.progress(ended / len(self._rows))
                if row.error and stop_at_error:
                    break
        finally:
            with suppress(WriteError):  # an error that is on its way says more, and each line is there already
                self.close()
        return self.rows

    def close(self) -> None:
        """Leave one line per scene. Raises WriteError."""
        self._write()

    def _write(self) -> None:
        write_text(self._path, "".join(map(_line, self._rows.values())))


def read_rows(paths: Iterable[Path]) -> dict[str, Row]:
    """How each scene ended, in any of the files.

    Of a file, the last row of a scene counts; a line that a power cut has left unfinished is passed over.

    Raises:
        WriteError: A file cannot be read.
    """
    rows: dict[str, Row] = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise WriteError(f"{path} cannot be read: {error.strerror}.") from None
        last = {row.scene: row for row in map(_parsed, lines) if row is not None}
        rows |= {name: row for name, row in last.items() if name not in rows or row.state == "done"}
    return rows


def _parsed(line: str) -> Row | None:
    try:
        return Row(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _line(row: Row) -> str:
    return json.dumps(asdict(row), ensure_ascii=False) + "\n"
