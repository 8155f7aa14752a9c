"""The house's one rule: imports point one way, pages -> scinet <- training."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
FORBIDDEN = {
    "scinet": {"streamlit", "streamlit_folium", "folium", "training", "pages"},
    "training": {"streamlit", "streamlit_folium", "folium", "pages"},
    "pages": {"training"},
}


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: write the whole name"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package):
    files = sorted((PROJECT / package).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(PROJECT)): imported(path) & FORBIDDEN[package] for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_checker_sees_an_import(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("def f():\n    import streamlit as st\n    from training.train import main\n")
    assert imported(path) == {"streamlit", "training"}
