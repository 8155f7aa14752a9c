"""The compose files and the Space's description, as far as they can be checked without a daemon."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
HOSTING = (PROJECT / "docs" / "hosting.md").read_text()
SPACE_BYTES = 1_000_000_000  # of a repository on Hugging Face
SPACE = (PROJECT / "deploy" / "huggingface" / "README.md").read_text()


def service(name: str) -> dict[str, Any]:
    (found,) = yaml.safe_load((PROJECT / name).read_text())["services"].values()
    assert isinstance(found, dict)
    return found


def copied_to_the_image() -> list[Path]:
    allowed = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    return [
        path
        for name in allowed
        for path in ((PROJECT / name).rglob("*") if (PROJECT / name).is_dir() else [PROJECT / name])
        if path.is_file() and "__pycache__" not in path.parts
    ]


def test_compose_has_the_limits_that_the_page_gives_docker() -> None:
    command = re.search(r"^    docker run (.*\\\n.*)$", HOSTING, re.MULTILINE)
    assert command
    words = shlex.split(command[1].replace("\\\n", " "))
    app = service("compose.yaml")
    assert "--read-only" in words and app["read_only"] is True
    for option, (key, listed) in {
        "--tmpfs": ("tmpfs", True),
        "--cap-drop": ("cap_drop", True),
        "-p": ("ports", True),
        "--memory": ("mem_limit", False),
        "--pids-limit": ("pids_limit", False),
    }.items():
        value = words[words.index(option) + 1]
        assert [value] == app[key] if listed else value == str(app[key]), option
    assert app["security_opt"] == ["no-new-privileges:true"]


def test_compose_sets_variables_that_the_page_explains() -> None:
    names = service("compose.yaml")["environment"]
    assert names["SCINET_DATA"] == "/data"
    explained = dict(re.findall(r"^\| `(SCINET_\w+)` \|.*\| (\d+) \|$", HOSTING, re.MULTILINE))
    for name in set(names) - {"SCINET_DATA"}:
        assert names[name] == f"${{{name}:-{explained[name]}}}"


def test_the_gpu_file_builds_with_cuda_and_asks_for_all_gpus() -> None:
    app = service("compose.gpu.yaml")
    assert "ARG TORCH=cpu" in (PROJECT / "Dockerfile").read_text() and "cu128" in app["build"]["args"]["TORCH"]
    (device,) = app["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


def test_the_space_is_a_container_on_the_port_that_it_serves() -> None:
    facts = yaml.safe_load(SPACE.split("---")[1])
    assert facts["sdk"] == "docker"
    assert f"--server.port={facts['app_port']}" in (PROJECT / "Dockerfile").read_text()
    assert len(facts["short_description"]) <= 60 and facts["license"] == "mit"


def test_the_space_fits_into_its_repository() -> None:
    if not list((PROJECT / "checkpoints").glob("*.safetensors")):
        pytest.skip("no checkpoints on board")
    assert sum(path.stat().st_size for path in copied_to_the_image()) < SPACE_BYTES / 2


def test_what_the_page_uploads_to_the_space_is_what_the_image_needs() -> None:
    command = re.search(r"^    hf upload OWNER/NAME \. (.*\\\n.*)$", HOSTING, re.MULTILINE)
    assert command
    words = shlex.split(command[1].replace("\\\n", " "))
    patterns = words[words.index("--include") + 1 :]
    for path in [PROJECT / "Dockerfile", *copied_to_the_image()]:
        name = path.relative_to(PROJECT).as_posix()
        assert any(name == pattern or name.startswith(pattern.rstrip("*")) for pattern in patterns), name
