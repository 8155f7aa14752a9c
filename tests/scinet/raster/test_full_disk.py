"""Rasters on a disk that fills up: the file is whole under its name, or an error is raised and nothing is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scinet.errors import WriteError
from scinet.raster.geotiff import write_mask, write_probability, write_raster
from scinet.raster.raster import Raster

resource = pytest.importorskip("resource")


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Writing beyond the limit fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


WRITERS: dict[str, Callable[[Path, Raster], Any]] = {
    "raster": write_raster,
    "mask": lambda path, raster: write_mask(path, raster.pixels[..., 0] % 2, raster),
    "probability": lambda path, raster: write_probability(path, raster.pixels[..., 0] / np.float32(255), raster),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_cut_file_never_gets_its_name(kind: str, noise_raster: Raster, tmp_path: Path) -> None:
    whole = tmp_path / "whole.tif"
    WRITERS[kind](whole, noise_raster)
    size = whole.stat().st_size
    for limit in np.linspace(0, size - 1, 25).astype(int):
        path = tmp_path / "a.tif"
        try:
            with files_of_at_most(int(limit)):
                WRITERS[kind](path, noise_raster)
        except WriteError:
            assert [file.name for file in tmp_path.iterdir()] == ["whole.tif"]
        else:
            assert path.read_bytes() == whole.read_bytes()
            path.unlink()
