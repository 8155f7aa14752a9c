"""The examples in docstrings are run."""

import doctest
from types import ModuleType

import pytest

from scinet import atomic_write
from scinet.raster import components, geotiff, raster, scene
from scinet.vector import footprint_file

MODULES = [atomic_write, components, geotiff, raster, scene, footprint_file]


@pytest.mark.parametrize(
    "module", [atomic_write, components, geotiff, raster, scene], ids=lambda module: module.__name__
)
def test_examples_do_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed
