"""Every writer on a disk that fills up: the file is whole under its name, or it is not there and an error is raised."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.atomic_write import write_bytes, write_text
from scinet.datasets.web_cache import _save
from scinet.errors import SciNetError
from scinet.models.card import Card
from scinet.models.checkpoint import save_checkpoint
from scinet.models.onnx_export import export_onnx
from scinet.raster.geotiff import MASK, write_mask, write_probability, write_raster
from scinet.raster.raster import Raster
from scinet.raster.resumable_cog import ResumableCog
from scinet.vector.footprint_file import write_footprints
from tests.faults.disk import files_of_at_most
from training.prepare.cut import _encoded
from training.resume import save_state, write_row

pytest.importorskip("resource", reason="the size of files is limited on Linux and macOS only")

STEPS = 12


def image() -> Raster:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    return Raster(pixels, np.ones((96, 128), bool), Affine(0.1, 0, 810000, 0, -0.1, 620000), CRS.from_epsg(32630))


def checkpoint(folder: Path) -> None:
    torch.manual_seed(0)
    card = Card("mine", "unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=128)
    save_checkpoint(folder, torch.nn.Linear(100, 20), card)


def export(folder: Path) -> None:
    torch.manual_seed(0)
    card = Card("mine", "unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=128)
    export_onnx(torch.nn.Conv2d(3, 1, 9, padding=4), card, folder / "mine.onnx")


def resumable(folder: Path) -> None:
    try:
        result = ResumableCog(folder / "mask.tif", image().grid, {}, resume=False)
        result.add(0, {"mask": image().pixels[:48, :, 0] % 2})
        result.add(48, {"mask": image().pixels[48:, :, 0] % 2})
        result.join("mask", MASK)
    finally:  # the pieces stay where they are otherwise, to resume from
        shutil.rmtree(folder / "mask.tif.part", ignore_errors=True)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "GeoTIFF": lambda folder: write_raster(folder / "a.tif", image()),
    "COG of a mask": lambda folder: write_mask(folder / "a.tif", image().pixels[..., 0] % 2, image()),
    "COG of a probability": lambda folder: write_probability(
        folder / "a.tif", image().pixels[..., 0] / np.float32(255), image()
    ),
    "COG in pieces": resumable,
    "GeoPackage": lambda folder: write_footprints(folder / "a.gpkg", image().pixels[..., 0] > 128, image()),
    "FlatGeobuf": lambda folder: write_footprints(folder / "a.fgb", image().pixels[..., 0] > 128, image()),
    "GeoJSON": lambda folder: write_footprints(folder / "a.geojson", image().pixels[..., 0] > 128, image()),
    "Shapefile": lambda folder: write_footprints(folder / "a.shp", image().pixels[..., 0] > 128, image()),
    "zipped Shapefile": lambda folder: write_footprints(folder / "a.zip", image().pixels[..., 0] > 128, image()),
    "GeoParquet": lambda folder: write_footprints(folder / "a.parquet", image().pixels[..., 0] > 128, image()),
    "DXF": lambda folder: write_footprints(folder / "a.dxf", image().pixels[..., 0] > 128, image()),
    "PMTiles": lambda folder: write_footprints(folder / "a.pmtiles", image().pixels[..., 0] > 128, image()),
    "CSV": lambda folder: write_text(folder / "a.csv", pd.DataFrame({"a": range(5000)}).to_csv(index=False)),
    "metrics": lambda folder: write_row(folder / "metrics.csv", epoch=1, loss=0.5),
    "JSON": lambda folder: write_text(folder / "a.json", json.dumps(list(range(5000)))),
    "HTML": lambda folder: write_text(folder / "a.html", "<p>a</p>\n" * 5000),
    "JPEG": lambda folder: write_bytes(folder / "a.jpg", _encoded(image().pixels, "JPEG")),
    "PNG": lambda folder: write_bytes(folder / "a.png", _encoded(image().pixels, "PNG")),
    "Parquet": lambda folder: write_bytes(folder / "a.parquet", pd.DataFrame({"a": range(5000)}).to_parquet()),
    "checkpoint": checkpoint,
    "state of a training": lambda folder: save_state({"weights": torch.zeros(5000)}, folder / "resume.pt"),
    "window in the cache": lambda folder: _save(folder / "a.npz", image()),
    "ONNX": export,
}
UNSTABLE = {"GeoPackage", "window in the cache"}  # they hold the time at which they were written


def problem_of(write: Callable[[Path], Any], folder: Path, limit_bytes: int) -> str:
    """What a writer says of a disk with so little space; "" where that was enough."""
    try:
        with files_of_at_most(limit_bytes):
            write(folder)
    except SciNetError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", WRITERS)
def test_a_cut_file_never_gets_its_name(kind: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    WRITERS[kind](whole)
    wanted = {path.name: path.read_bytes() for path in whole.iterdir()}
    largest = max(map(len, wanted.values()))
    refused = 0
    for limit in np.linspace(0, largest - 1, STEPS).astype(int):
        problem = problem_of(WRITERS[kind], cut, int(limit))
        if problem:
            refused += 1
            assert "cannot be written" in problem and "\n" not in problem
            assert [*cut.iterdir()] == []
        else:
            found = {path.name: path.read_bytes() for path in cut.iterdir()}
            if kind in UNSTABLE:
                assert {name: len(content) for name, content in found.items()} == {n: len(c) for n, c in wanted.items()}
            else:
                assert found == wanted
            for path in cut.iterdir():
                path.unlink()
    assert refused
