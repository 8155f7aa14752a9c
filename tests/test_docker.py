"""The Dockerfile, as far as it can be checked without building it."""

import json
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
TEXT = (PROJECT / "Dockerfile").read_text()
STEPS = [
    tuple(step.split(None, 1))
    for step in re.sub(r"\\\n\s*", "", "\n".join(line for line in TEXT.splitlines() if line[:1] != "#")).splitlines()
    if step.strip()
]


def arguments(instruction: str) -> list[str]:
    return [text for name, text in STEPS if name == instruction]


def test_it_does_not_run_as_root() -> None:
    assert arguments("USER") == ["10001:10001"]
    last_change = max(index for index, (name, _) in enumerate(STEPS) if name in ("RUN", "COPY"))
    assert [name for name, _ in STEPS].index("USER") > last_change


def test_it_is_hosted_and_serves_others() -> None:
    assert "SCINET_HOSTED=1" in arguments("ENV")[0]
    (start,) = map(json.loads, arguments("ENTRYPOINT"))
    assert start[:5] == ["python", "-m", "streamlit", "run", "pages/app/hosted.py"]
    assert "--server.address=0.0.0.0" in start


def test_it_writes_to_the_temporary_folder_alone() -> None:
    settings = dict(pair.split("=") for pair in arguments("ENV")[0].split())
    assert settings["HOME"] == "/tmp" and settings["SCINET_CACHE"].startswith("/tmp/")


def test_it_has_a_health_check_that_is_a_program() -> None:
    (check,) = arguments("HEALTHCHECK")
    program = json.loads(check.partition("CMD ")[2])
    compile(program[2], "healthcheck", "exec")
    assert "/_stcore/health" in program[2]


@pytest.mark.parametrize("source", [name for text in arguments("COPY") for name in text.split()[:-1]])
def test_what_it_copies_is_here_and_is_not_ignored(source: str) -> None:
    assert (PROJECT / source).exists()
    assert f"!{source}" in (PROJECT / ".dockerignore").read_text().splitlines()


def test_cuda_is_a_choice_of_the_build() -> None:
    assert arguments("ARG") == ["TORCH=cpu"]
    installs = [text for text in arguments("RUN") if "uv pip install" in text]
    assert installs and all(
        part.count('--torch-backend="$TORCH"') == 1 for text in installs for part in text.split("uv pip install")[1:]
    )
