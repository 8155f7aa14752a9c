"""The package as users install it: dependencies that agree, and a wheel that works from any folder."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from scinet.models.card import REPOSITORY_FOLDER, list_models
from scinet.raster.geotiff import write_raster
from scinet.synthetic.town import make_town
from tests.conftest import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def requirements(name: str) -> set[str]:
    lines = (PROJECT / name).read_text().splitlines()
    found = (line.partition("#")[0].strip() for line in lines)
    return {line for line in found if line and not line.startswith("-")}


def test_requirements_are_those_of_the_package_with_app_and_training() -> None:
    extras = PYPROJECT["optional-dependencies"]
    needed = {*PYPROJECT["dependencies"], *extras["full"], *extras["app"], *extras["train"]}
    assert requirements("requirements.txt") == needed - {"scinet-explorer[full]"}
    optional = {*extras["onnx"], *extras["fast"], *extras["dask"], *extras["ray"]} - {"scinet-explorer[onnx]"}
    assert optional <= requirements("requirements-dev.txt")


class Installed:
    """A virtual environment with nothing but the wheel, and the dependencies of this one."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
        (self.wheel,) = folder.glob("*.whl")
        venv.create(folder / "venv", with_pip=False)
        paths = sysconfig.get_paths("venv", {"base": str(folder / "venv"), "platbase": str(folder / "venv")})
        self.site, self.scripts = Path(paths["purelib"]), Path(paths["scripts"])
        (self.site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
        python = str(self.scripts / "python")
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
        subprocess.run([*install, str(self.wheel)], check=True, capture_output=True)

    def run(self, *command: str, checkpoints: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in an empty folder, with an empty cache."""
        environment = {key: value for key, value in os.environ.items() if not re.match("SCINET|PYTHON", key)}
        environment |= {"SCINET_CACHE": str(self.home / "cache")}
        if checkpoints:
            environment["SCINET_CHECKPOINTS"] = str(checkpoints)
        program = [str(self.scripts / command[0]), *command[1:]]
        return subprocess.run(program, cwd=self.home, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    pytest.importorskip("hatchling")
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.mark.slow
def test_the_wheel_is_small_and_typed_and_has_no_weights(installed: Installed) -> None:
    assert installed.wheel.stat().st_size < 10_000_000
    assert (installed.site / "scinet" / "py.typed").is_file()
    assert (installed.site / "scinet" / "checkpoints" / "unet.json").is_file()
    assert not list(installed.site.rglob("*.safetensors"))
    assert {path.name for path in installed.site.iterdir()} >= {"scinet"}
    assert not {"pages", "training", "checkpoints", "tests"} & {path.name for path in installed.site.iterdir()}


@pytest.mark.slow
def test_models_are_listed_from_another_folder(installed: Installed) -> None:
    done = installed.run("scinet", "models", checkpoints=REPOSITORY_FOLDER)
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} == {card.name for card in list_models()}


@pytest.mark.slow
def test_without_weights_a_sentence_says_what_to_do(installed: Installed) -> None:
    done = installed.run("scinet", "models")
    assert done.returncode == 2 and "SCINET_CHECKPOINTS" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_an_image_is_segmented_from_another_folder(installed: Installed) -> None:
    if "unet" not in {card.name for card in list_models()}:
        pytest.skip("no checkpoint of UNet")
    write_raster(installed.home / "town.tif", make_town(seed=3, size_m=30).render(cm_per_px=50))
    segment = ("scinet", "segment", "town.tif", "mask.tif", "--model", "unet", "--native-cm-per-px", "50")
    done = installed.run(*segment, checkpoints=REPOSITORY_FOLDER)
    assert done.returncode == 0, done.stderr
    assert (installed.home / "mask.tif").is_file()
    done = installed.run(*segment)
    assert done.returncode == 2 and "unet.safetensors is missing" in done.stderr


@pytest.mark.slow
def test_the_app_starts_from_the_installed_package(installed: Installed) -> None:
    """As `streamlit run` does: with the app's own folder on the path."""
    app = installed.site / "scinet" / "explorer" / "app.py"
    script = (
        f"import sys; sys.path.insert(0, {str(app.parent)!r}); from streamlit.testing.v1 import AppTest; "
        f"found = AppTest.from_file({str(app)!r}, default_timeout=120).run(); "
        "print(found.exception, len(found.main))"
    )
    done = installed.run("python", "-c", script, checkpoints=REPOSITORY_FOLDER)
    exception, _, elements = done.stdout.strip().rpartition(" ")
    assert "Exception" not in exception and int(elements) > 0, done.stdout + done.stderr
