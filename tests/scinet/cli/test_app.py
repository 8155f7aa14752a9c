"""`scinet app` hands over to Streamlit."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scinet.cli import app
from scinet.cli.main import main
from tests.conftest import PROJECT


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are started, none of which runs."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_app_of_the_checkout_is_started(started: list[list[str]]) -> None:
    assert main(["app"]) == 3  # the status of Streamlit
    assert started == [[sys.executable, "-m", "streamlit", "run", str(PROJECT / "app.py")]]


def test_the_folder_goes_to_the_app_and_other_options_to_streamlit(started: list[list[str]], tmp_path: Path) -> None:
    assert main(["app", "--data", str(tmp_path), "--server.port", "8502"]) == 3
    assert started[0][5:] == ["--server.port", "8502", "--", "--data", str(tmp_path)]


def test_an_installed_package_brings_the_app_along(
    started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "PLACES", (tmp_path / "explorer" / "app.py", tmp_path / "app.py"))
    assert main(["app"]) == 2 and not started
    assert "checkout" in capsys.readouterr().err
    (tmp_path / "explorer").mkdir()
    for place in app.PLACES:
        place.touch()
    assert main(["app"]) == 3 and started[0][4] == str(app.PLACES[0])


def test_without_streamlit_it_says_what_to_install(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    assert main(["app"]) == 2 and not started
    assert "Install it with" in capsys.readouterr().err
