"""Masks of many bytes per value are read as uint8 where that holds the same, and refused where it does not."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from scinet.errors import RasterError
from scinet.raster import mask_bands
from scinet.raster.mask_bands import read_bands

SHAPE = (40, 50)


def read(path: Path, values: np.ndarray) -> np.ndarray:
    profile = {"driver": "GTiff", "count": 1, "height": SHAPE[0], "width": SHAPE[1], "dtype": values.dtype}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values, 1)
    with rasterio.open(path) as dataset:
        return read_bands(dataset, [1])


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_bands, "_MAX_WIDE_BYTES", 3000)
    monkeypatch.setattr(mask_bands, "_ROWS_PX", 500)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint16"])
@pytest.mark.parametrize("classes", [[0, 1], [0, 255], [0, 5, 127]])
def test_classes_are_read_in_a_byte_each(tmp_path: Path, dtype: str, classes: list[int]) -> None:
    values = np.random.default_rng(0).choice(classes, SHAPE).astype(dtype)
    found = read(tmp_path / "a.tif", values)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0], values)


@pytest.mark.parametrize("value", [0.5, -1, 128, 256, np.nan, 1e30])
def test_other_values_are_refused(tmp_path: Path, value: float) -> None:
    values = np.zeros(SHAPE, np.float32)
    values[-1, -1] = value
    with pytest.raises(RasterError, match="Save it as uint8"):
        read(tmp_path / "a.tif", values)


def test_classes_next_to_255_are_refused(tmp_path: Path) -> None:
    values = np.zeros(SHAPE, np.float32)
    values[0, 0], values[-1, -1] = 1, 255
    with pytest.raises(RasterError):
        read(tmp_path / "a.tif", values)


def test_small_masks_keep_their_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_bands, "_MAX_WIDE_BYTES", 10_000)
    values = np.full(SHAPE, 0.5, np.float32)
    found = read(tmp_path / "a.tif", values)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], values)
