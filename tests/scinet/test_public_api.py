"""What ``import scinet`` offers, and what it costs."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import scinet
from tests.conftest import PROJECT

NAMES = [name for name in scinet.__all__ if name != "__version__"]


def test_importing_the_package_loads_nothing_else() -> None:
    script = "import sys; before = set(sys.modules); import scinet; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT)
    loaded = ast.literal_eval(done.stdout)
    assert [name for name in loaded if name.startswith("scinet")] == ["scinet"]
    assert not {"numpy", "torch", "rasterio"} & set(loaded)


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_there_with_an_example(name: str) -> None:
    value = getattr(scinet, name)
    assert value.__name__ == name
    text = inspect.getdoc(value) or ""
    assert "Example:" in text and ">>>" in text


@pytest.mark.parametrize("name", [name for name in NAMES if name[0].islower()])
def test_each_public_function_has_sections_for_what_it_takes_and_gives(name: str) -> None:
    function = getattr(scinet, name)
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    assert not signature.parameters or "Args:" in text
    for parameter in signature.parameters:
        assert f"{parameter}:" in text


def test_type_checkers_see_what_is_loaded_lazily() -> None:
    """The imports for type checkers name the same modules as those at run time."""
    tree = ast.parse(Path(scinet.__file__).read_text())
    (for_checkers,) = [node for node in tree.body if isinstance(node, ast.If)]
    found = {
        alias.name: f"scinet.{scinet._MODULES[alias.name]}" == node.module
        for node in for_checkers.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(found) == set(NAMES) and all(found.values())


def test_dir_lists_the_public_names() -> None:
    assert set(scinet.__all__) <= set(dir(scinet))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        scinet.nothing  # noqa: B018
