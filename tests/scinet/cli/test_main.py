"""The command line as a whole: help, version, errors in one sentence, and quick starts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scinet
from scinet.cli.main import COMMANDS, main
from scinet.raster.geotiff import write_raster
from scinet.synthetic.town import make_town


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
        (["score", "--help"], {"torch", "timm", "onnx", "streamlit"}),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], unneeded: set[str]) -> None:
    code = f"import sys; from scinet.cli.main import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unneeded & set(done.stderr.split())


@pytest.mark.slow
def test_a_run_of_a_model_loads_no_library_that_it_does_not_need(random_checkpoints: Path, tmp_path: Path) -> None:
    write_raster(tmp_path / "town.tif", make_town(seed=3, size_m=30).render(cm_per_px=50))
    command = ["segment", str(tmp_path / "town.tif"), str(tmp_path / "mask.tif"), "--model", "sci-net"]
    command += ["--native-cm-per-px", "50"]
    code = f"import sys; from scinet.cli.main import main; print(main({command!r})); print(*sys.modules)"
    environment = {**os.environ, "SCINET_CHECKPOINTS": str(random_checkpoints)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    unneeded = {"torch._dynamo", "torch.utils.tensorboard", "torchvision", "timm", "segmentation_models_pytorch"}
    unneeded |= {"onnx", "onnxruntime", "pandas", "geopandas", "pyarrow", "pyogrio", "sympy"}
    assert "torch" in done.stdout.split() and not unneeded & set(done.stdout.split())


def test_python_m_scinet_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "scinet", "dance"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "scinet: No such command 'dance'. python -m scinet --help says more.\n"
