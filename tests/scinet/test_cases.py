"""Situations that people brought, end to end: the reference gives the scores that are computed by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.transform import Affine
from scipy.ndimage import binary_dilation, shift

from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.truth import read_truth
from scinet.raster.raster import Raster
from scinet.raster.scene import read_raster
from tests.png import png

UTM = CRS.from_epsg(32630)
PLACE = Affine(0.05, 0, 809_532, 0, -0.05, 618_663)
SHAPE = 96, 128
RNG = np.random.default_rng(0)
RGB = RNG.integers(20, 230, (*SHAPE, 3), np.uint8)
MASK = np.zeros(SHAPE, bool)
MASK[8:40, 8:40] = MASK[56:88, 20:60] = MASK[20:70, 90:120] = True
PREDICTED = shift(MASK, (2, 3), order=0)
ALL = np.ones(SHAPE, bool)
LEFT = ALL.copy()
LEFT[:, 64:] = False
RING = binary_dilation(MASK, iterations=3) & ~MASK


def tif(path: Path, bands: NDArray[Any], **profile: Any) -> Path:
    bands = bands[np.newaxis] if bands.ndim == 2 else bands
    form = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    marks = profile.pop("marks", None)
    names = profile.pop("names", None)
    with rasterio.open(path, "w", driver="GTiff", transform=PLACE, crs=UTM, **{**form, **profile}) as file:
        if marks:
            file.colorinterp = marks
        file.write(bands)
        if names:
            file.descriptions = names
    return path


def by_hand(judged: NDArray[np.bool_]) -> float:
    both, either = PREDICTED & MASK & judged, (PREDICTED | MASK) & judged
    return float(both.sum() / either.sum())


def coloured(ground: tuple[int, int, int], building: tuple[int, int, int], *others: tuple[int, int, int]) -> bytes:
    picture = np.full((*SHAPE, 3), ground, np.uint8)
    for i, other in enumerate(others):
        picture[4 * i : 4 * i + 4][~MASK[4 * i : 4 * i + 4]] = other
    picture[MASK] = building
    return png(picture)


def ids(**parts: tuple[int, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    values = MASK.astype(np.uint8)
    for value, where in parts.values():
        values[where] = value
    return values


REFERENCES: dict[str, tuple[Callable[[Path], bytes | Path], NDArray[np.bool_], MaskChoice | None]] = {
    "255 is not judged": (lambda _: png(ids(a=(255, ~LEFT))), LEFT, None),
    "a ring of 255": (lambda _: png(ids(a=(255, RING))), ~RING, None),
    "255 is marked as nodata": (lambda f: tif(f / "a.tif", ids(a=(255, ~LEFT)), nodata=255), LEFT, None),
    "only the left was labelled": (lambda f: tif(f / "a.tif", ids()[:, :64]), LEFT, None),
    "colours of ISPRS": (
        lambda _: coloured((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0)),
        ALL,
        MaskChoice(building=("#0000ff",)),
    ),
    "red on white": (lambda _: coloured((255, 255, 255), (255, 0, 0)), ALL, None),
    "class 1 of four": (lambda _: png(ids(a=(2, ~MASK & ~LEFT), b=(3, RING))), ALL, MaskChoice(building=("1",))),
    "white on black": (lambda _: png(MASK.astype(np.uint8) * 255), ALL, None),
    "one bit, MinIsWhite": (
        lambda f: tif(f / "a.tif", (~MASK).astype(np.uint8), nbits=1, compress="CCITTFAX4", photometric="MINISWHITE"),
        ALL,
        None,
    ),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_gives_the_score_that_is_computed_by_hand(name: str, tmp_path: Path) -> None:
    make, judged, choice = REFERENCES[name]
    image = Raster(RGB, ALL, PLACE, UTM)
    truth = read_truth(make(tmp_path), image, "reference", choice)
    found = evaluate(PREDICTED.astype(np.float32), image, truth).diagnosis
    assert found is not None
    counts = found.counts
    assert counts.tp / (counts.tp + counts.fp + counts.fn) == pytest.approx(by_hand(judged), abs=1e-6)


CHW = np.moveaxis(RGB, -1, 0)
NIR = RNG.integers(30, 120, SHAPE, np.uint8)
BGRN = np.stack([CHW[2], CHW[1], CHW[0], NIR])
IMAGES: dict[str, Callable[[Path], Path]] = {
    "near infrared marked as alpha": lambda f: tif(
        f / "a.tif", np.concatenate([CHW, NIR[np.newaxis]]), photometric="RGB", alpha="YES"
    ),
    "bands by their names": lambda f: tif(
        f / "a.tif", BGRN, names=("blue", "green", "red", "nir"), photometric="MINISBLACK"
    ),
    "bands by their marks": lambda f: tif(
        f / "a.tif",
        BGRN,
        marks=(ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined),
        photometric="MINISBLACK",
    ),
    **{
        f"compressed by {codec}": lambda f, codec=codec: tif(
            f / "a.tif", CHW, photometric="RGB", compress=codec, tiled=True, blockxsize=64, blockysize=64
        )
        for codec in ("ZSTD", "LERC", "LZMA", "LZW", "DEFLATE", "PACKBITS")
    },
    "BigTIFF": lambda f: tif(f / "a.tif", CHW, photometric="RGB", BIGTIFF="YES"),
    "big-endian": lambda f: tif(f / "a.tif", CHW, photometric="RGB", ENDIANNESS="BIG"),
    "pixel interleaved": lambda f: tif(f / "a.tif", CHW, photometric="RGB", interleave="pixel"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_read_as_what_it_shows(name: str, tmp_path: Path) -> None:
    raster = read_raster(IMAGES[name](tmp_path))
    assert raster.valid.all() and (raster.pixels == RGB).all()
    assert raster.crs == UTM and raster.transform == PLACE


def test_blocks_that_a_sparse_file_lacks_are_nodata(tmp_path: Path) -> None:
    form = {"width": 512, "height": 256, "count": 3, "dtype": "uint8", "transform": PLACE, "crs": UTM, "nodata": 0}
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "sparse_ok": True, "photometric": "RGB"}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **form, **tiled) as file:
        file.write(np.full((3, 256, 256), 90, np.uint8), window=rasterio.windows.Window(0, 0, 256, 256))
    raster = read_raster(tmp_path / "a.tif")
    assert raster.valid[:, :256].all() and not raster.valid[:, 256:].any()
