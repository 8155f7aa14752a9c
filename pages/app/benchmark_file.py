"""The scores of the models on test tiles, as benchmark.json next to the models holds them."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from scinet.evaluation.benchmark import Benchmark, read_benchmark
from scinet.models.card import checkpoints_folder


class VersionedBenchmark(NamedTuple):
    """A benchmark, and a version that changes with its file, for the keys of results derived from it."""

    benchmark: Benchmark
    version: str


def versioned_benchmark() -> VersionedBenchmark | None:
    """The benchmark, or None if there is none. A changed file is read again.

    Raises:
        BenchmarkError: The file cannot be read.
    """
    path = checkpoints_folder() / "benchmark.json"
    if not path.is_file():
        return None
    version = f"{path.parent}-{path.stat().st_mtime_ns}"
    return VersionedBenchmark(_read(path.parent, version), version)


@st.cache_resource(max_entries=2, show_spinner=False)
def _read(folder: Path, version: str) -> Benchmark:
    found = read_benchmark(folder)
    assert found is not None
    return found
