"""Damaged files of every kind: the result has its shape, or the error is a sentence, at a bounded cost.

``FUZZ_CASES`` and ``FUZZ_SEED`` set how many cases are tried and which; ``make fuzz`` tries 20,000.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.conftest import CASES, SEED
from tests.fuzz.mutate import damaged
from tests.fuzz.seeds import SEEDS

pytest.importorskip("resource", reason="children have limits on Linux and macOS only")

from tests.fuzz.server import CaseServer
from tests.fuzz.targets import TARGETS

# Of those that start processes or run the app, which take up to two seconds each, fewer are tried
WEIGHTS = {"onnx": 0.1, "link": 0.1, "safetensors": 0.3} | dict.fromkeys(("geotiff", "png", "geojson"), 2.0)


@pytest.fixture(scope="module")
def server() -> Iterator[CaseServer]:
    found = CaseServer()
    yield found
    found.close()


def cases_of(kind: str) -> int:
    total = sum(WEIGHTS.get(each, 1.0) for each in TARGETS)
    return max(2, round(CASES * WEIGHTS.get(kind, 1.0) / total))


@pytest.mark.parametrize("kind", TARGETS)
def test_a_damaged_file_gives_a_result_or_a_sentence(kind: str, server: CaseServer, tmp_path: Path) -> None:
    @seed(SEED)
    @settings(
        max_examples=cases_of(kind),
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,  # the failing file is kept instead of printed
    )
    @given(content=st.deferred(lambda: damaged(kind, SEEDS[kind]())))
    def check(content: bytes) -> None:
        outcome = server.run(kind, content)
        if outcome.problem:
            (tmp_path / "failing").write_bytes(content)
        assert not outcome.problem, f"{tmp_path / 'failing'}: {outcome.problem}"

    check()


@pytest.mark.parametrize("kind", TARGETS)
def test_valid_files_are_read(kind: str, server: CaseServer) -> None:
    for content in SEEDS[kind]()[: 2 if kind == "link" else None]:  # a link takes two seconds
        outcome = server.run(kind, content)
        assert not outcome.problem, outcome.problem
