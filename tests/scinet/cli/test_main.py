"""The command line as a whole: help, version, errors in one sentence, and quick starts."""

import re
import subprocess
import sys

import pytest

import scinet
from scinet.cli.main import COMMANDS, main


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["dance"],
        ["segment"],
        ["score", "a.tif"],
        ["ocaic"],
        ["ocaic", "dance"],
        ["sweep", "none.tif", "--model", "unet"],
        ["models", "--nonsense"],
    ],
)
def test_bad_commands_are_one_sentence(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    message = capsys.readouterr().err
    assert message.startswith("scinet: ") and message.count("\n") == 1 and message.endswith(".\n")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_all_commands(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option]) == 0
    text = capsys.readouterr().out
    assert all(re.search(rf"^  {name} +\S", text, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert len(text) > 150
    if command in ("segment", "score", "sweep"):
        assert f"  scinet {command} " in text.split("examples:")[1]


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"scinet {scinet.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], {"torch", "numpy", "rasterio"}),
        (["models"], {"torch", "pandas"}),
        (["tiles", "."], {"torch", "pandas"}),
        (["ocaic", "list"], {"torch", "pandas"}),
        (["segment", "--help"], {"torch", "timm", "onnx", "pandas", "geopandas", "pyarrow", "pyogrio", "streamlit"}),
        (["score", "--help"], {"torch", "timm", "onnx", "pandas", "geopandas", "streamlit"}),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], unneeded: set[str]) -> None:
    code = f"import sys; from scinet.cli.main import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unneeded & set(done.stderr.split())


def test_python_m_scinet_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "scinet", "dance"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "scinet: No such command 'dance'. python -m scinet --help says more.\n"
