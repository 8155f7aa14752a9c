"""The bar with the time left."""

import pytest

from scinet.cli import bar
from scinet.cli.bar import Bar


def test_resumed_work_does_not_count_for_the_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[float] = []

    def time_left(done: float, elapsed_s: float) -> str:
        asked.append(done)
        return "about 7 s left"

    monkeypatch.setattr(bar, "time_left", time_left)
    with Bar("scene") as shown:
        for done in (0.5, 0.75, 1.0):
            shown.show(done)
    assert asked == [0.0, 0.5, 1.0]
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert last.startswith("scene 100% |") and "about 7 s left" in last
