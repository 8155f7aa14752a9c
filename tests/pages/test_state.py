"""What the app remembers: every cache is bounded in bytes, and Streamlit's own caches hold no pixels."""

import re

from pages.app.state import CACHE_BYTES, cache, cache_share
from scinet.bounded_child.limits import memory_bytes
from tests.pages.samples import PROJECT

# Open files and their metadata, tables, and objects of which the server has one
STREAMLIT_CACHES = {
    "pages/app/benchmark_file.py": ["_read"],
    "pages/app/custom_models.py": ["_failures"],
    "pages/app/runs.py": ["job_queue"],
    "pages/app/state.py": ["cache"],
    "pages/app/warm_up.py": ["warm_up"],
    "pages/sources/links.py": ["tidy_up"],
    "pages/sources/path.py": ["_open"],
    "pages/sources/scenes.py": ["_open", "_open_web", "_labels"],
    "pages/sources/tiles.py": ["_index"],
    "pages/views/benchmark/filters.py": ["_facts"],
    "pages/views/benchmark/scenarios.py": ["_scores"],
    "pages/views/benchmark/selection.py": ["_resampled", "estimates", "scale_gains", "robustness"],
    "pages/views/benchmark/thresholds.py": ["_on_board"],
}


def test_streamlit_caches_only_what_holds_no_pixels() -> None:
    found = {}
    for path in sorted(PROJECT.glob("pages/**/*.py")):
        names = re.findall(r"@st\.cache_[^\n]*\n(?:[^\n]*\n)?def (\w+)", path.read_text())
        assert path.read_text().count("@st.cache_") == len(names), path
        if names:
            found[str(path.relative_to(PROJECT))] = names
    assert found == STREAMLIT_CACHES


def test_every_cache_drops_what_exceeds_its_bound() -> None:
    for name, max_bytes in CACHE_BYTES.items():
        of_name = cache(name)
        assert of_name.max_bytes == int(max_bytes * cache_share(memory_bytes())) and cache(name) is of_name


def test_session_state_is_accessed_by_widget_keys_and_session_only() -> None:
    """So that state.py lists all there is."""
    for path in PROJECT.glob("pages/**/*.py"):
        for key in re.findall(r"st\.session_state(?:\.get\(|\.pop\(|\[)([^\])]+)", path.read_text()):
            assert re.fullmatch(r"[A-Z_]+|key|name|f\"\{key\}-\{metric\}\"", key), f"{path}: {key}"
