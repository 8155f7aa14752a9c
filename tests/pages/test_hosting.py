"""Limits of a hosted session, and what the environment sets."""

import pytest

from pages.app.hosting import Limits, ProcessorTime
from scinet.errors import SciNetError


def test_the_environment_sets_limits_and_nonsense_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_MAX_SESSIONS", "3")
    monkeypatch.setenv("SCINET_MAX_PROCESSOR_MINUTES", "0.5")
    monkeypatch.setenv("SCINET_MAX_RUNS", "many")
    monkeypatch.setenv("SCINET_MAX_UPLOAD_MB", "-1")
    assert Limits.from_environment() == Limits(sessions=3, processor_minutes=0.5)


def test_a_hosted_session_gets_some_minutes_of_processor_time_in_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_MAX_PROCESSOR_MINUTES", "2")
    used = ProcessorTime()
    used.add(70)
    used.add(60)
    used.check()  # not hosted
    monkeypatch.setenv("SCINET_HOSTED", "1")
    with pytest.raises(SciNetError, match="2 minutes"):
        used.check()
    with pytest.raises(SciNetError, match="2 minutes"):
        ProcessorTime().check(running_s=121)
    ProcessorTime().check(running_s=119)
    used._runs[0] = (used._runs[0][0] - 3601, 70)
    used.check()
