"""What the command line says on stderr while it works."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tqdm import tqdm

from scinet.progress import time_left


class Bar:
    """A bar for work that reports the share done, with the time left. It is closed at the end of its ``with`` block."""

    def __init__(self, text: str) -> None:
        layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"
        self._bar = tqdm(total=1.0, desc=text, bar_format=layout)
        self._resumed_at = 0.0

    def show(self, done: float) -> None:
        """Draw the share that is done, in [0, 1]."""
        bar = self._bar
        if not bar.n and 0.01 < done < 1:  # resumed: what was done before says nothing about the speed
            bar.initial = bar.n = self._resumed_at = done
        done_since = (done - self._resumed_at) / (1 - self._resumed_at)
        bar.set_postfix_str(time_left(done_since, bar.format_dict["elapsed"]), refresh=False)
        bar.update(done - bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()


def print_notes(notes: Sequence[str]) -> None:
    """Tell the reader how files were understood."""
    for note in notes:
        print(note, file=sys.stderr)
