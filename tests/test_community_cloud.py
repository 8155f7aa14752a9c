"""The repository for Streamlit Community Cloud, as far as it can be checked without the service."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent
REPOSITORY_BYTES = 1_000_000_000


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cloud") / "repository"
    subprocess.run(["sh", str(PROJECT / "deploy" / "streamlit" / "prepare.sh"), str(folder)], check=True)
    return folder


def test_it_has_the_app_and_fits(repository: Path) -> None:
    assert (repository / "pages" / "app" / "hosted.py").is_file() and (repository / "app.py").is_file()
    assert not list(repository.rglob("__pycache__"))
    assert sum(path.stat().st_size for path in repository.rglob("*") if path.is_file()) < REPOSITORY_BYTES / 2


def test_it_installs_what_the_lock_says_with_pytorch_without_cuda(repository: Path) -> None:
    index, *lines = (repository / "requirements.txt").read_text().splitlines()
    assert index == "--extra-index-url https://download.pytorch.org/whl/cpu"
    found = [(each.name, str(each.specifier)) for each in map(Requirement, lines)]
    assert all(dict(found)[name].endswith("+cpu") for name in ("torch", "torchvision"))
    locked = re.findall(r"^([\w-]+)(==[\w.]+)", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    cuda = ("nvidia", "cuda", "triton")
    without_cuda = [each for each in locked if not each[0].startswith(cuda)]
    assert [(name, version.removesuffix("+cpu")) for name, version in found][: len(without_cuda)] == without_cuda
    assert {name for name, _ in found[len(without_cuda) :]} == {"onnx", "onnxruntime"}


def test_the_service_decides_where_the_app_listens(repository: Path) -> None:
    ours = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())
    theirs = tomllib.loads((repository / ".streamlit" / "config.toml").read_text())
    assert ours["server"].pop("address") == "localhost"
    assert theirs == ours


def test_it_installs_the_library_that_the_container_installs(repository: Path) -> None:
    packages = (repository / "packages.txt").read_text().split()
    installed = re.search(r"--no-install-recommends (\S+)=", (PROJECT / "Dockerfile").read_text())
    assert installed and packages == [installed[1]]
