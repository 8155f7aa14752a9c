"""Outlines traced in bands: the same as of the whole mask."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy import ndimage
from shapely import Polygon, box

from scinet.errors import WriteError
from scinet.raster.components import label
from scinet.raster.grid import Grid
from scinet.vector.footprint_file import FootprintFile, write_footprint_file
from scinet.vector.regularize import regularize
from scinet.vector.trace import MaskBand, polygonize, trace

PLACE = Affine(0.1, 0, 500_000, 0, -0.1, 620_000)


def in_bands(
    mask: NDArray[np.bool_], cuts: list[int], probability: NDArray[np.float32] | None = None
) -> list[MaskBand]:
    edges = sorted({0, len(mask), *cuts})
    return [
        MaskBand(top, mask[top:bottom], None if probability is None else probability[top:bottom])
        for top, bottom in pairwise(edges)
    ]


def written(path: Path, mask: NDArray[np.bool_], cuts: list[int], **options: Any) -> tuple[Any, NDArray[np.float64]]:
    """The polygons of a mask at 10 cm/px in pixel coordinates, and their areas in m2."""
    grid = Grid(*mask.shape, PLACE, CRS.from_epsg(32630))
    count = write_footprint_file(FootprintFile(path, **options), in_bands(mask, cuts), grid)
    _, _, wkb, (area_m2,) = pyogrio.raw.read(path)
    polygons = shapely.transform(shapely.from_wkb(wkb), lambda xy: (xy - (500_000, 620_000)) * (10, -10))
    assert len(polygons) == count and shapely.is_valid(polygons).all()
    return polygons, area_m2


@pytest.mark.parametrize("seed", range(60))
def test_bands_leave_no_trace(seed: int) -> None:
    """Noise at densities around percolation: components that wind through many bands, with holes at the cuts."""
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 60, 2)
    mask = random.random((height, width)) < random.choice([0.3, 0.5, 0.6, 0.8])
    found = [p for batch in trace(in_bands(mask, random.integers(1, height + 1, 5).tolist())) for p in batch.polygons]
    wanted = polygonize(label(mask), Affine.identity())
    ours, theirs = (sorted(shapely.to_wkb(shapely.normalize(p)) for p in some) for some in (found, wanted))
    assert ours == theirs
    assert shapely.is_valid(found).all()


@pytest.mark.parametrize("seed", range(20))
def test_confidence_is_the_mean_probability_inside_however_bands_are_cut(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((50, 40)) < random.choice([0.3, 0.5, 0.6])
    probability = random.random(mask.shape, np.float32)
    probability[~mask] = np.nan
    found: dict[bytes, float] = {}
    for _, polygons, confidence in trace(in_bands(mask, random.integers(1, 50, 5).tolist(), probability)):
        found |= zip(shapely.to_wkb(shapely.normalize(polygons)), confidence, strict=True)
    labels = label(mask)
    wanted = shapely.to_wkb(shapely.normalize(np.array(polygonize(labels, Affine.identity()), dtype=object)))
    means = ndimage.mean(probability.astype(float), labels, np.arange(1, len(wanted) + 1))
    assert [found[outline] for outline in wanted] == pytest.approx(means.tolist(), rel=1e-12)


def test_small_buildings_and_small_holes_go(tmp_path: Path) -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:60, 10:60] = True  # 25 m2
    mask[20:25, 20:24] = False  # a hole of 0.2 m2, across the cut
    mask[30:50, 30:50] = False  # one of 4 m2
    mask[35:45, 35:45] = True  # with a hut of 1 m2 in it
    mask[80:90, 80:90] = True  # 1 m2
    polygons, area_m2 = written(tmp_path / "all.gpkg", mask, [22, 40])
    np.testing.assert_allclose(sorted(area_m2), [1, 1, 20.8], rtol=0.002)  # the scale of UTM there is 0.9996
    polygons, area_m2 = written(tmp_path / "large.gpkg", mask, [22, 40], min_area_m2=1.5, min_hole_m2=0.5)
    np.testing.assert_allclose(area_m2, [21], rtol=0.002)
    assert len(polygons[0].interiors) == 1 and polygons[0].interiors[0].bounds == pytest.approx((30, 30, 50, 50))


def test_outlines_simplified_and_squared(tmp_path: Path) -> None:
    """A house at 30 degrees: stairs of pixels become four walls at right angles."""
    house = shapely.affinity.rotate(box(40, 60, 160, 130), 30)
    columns, rows = np.meshgrid(np.arange(200) + 0.5, np.arange(200) + 0.5)
    mask = shapely.contains_xy(house, columns, rows)
    for options in ({"simplify_m": 0.2}, {"square": True}):
        (polygon,), (area_m2,) = written(tmp_path / "out.gpkg", mask, [70, 100], **options)
        assert shapely.area(polygon.intersection(house)) / shapely.area(polygon.union(house)) > 0.97
        assert len(polygon.exterior.coords) < 12
        assert area_m2 == pytest.approx(84, rel=0.03)
    corners = np.diff(polygon.exterior.coords, axis=0)
    cosines = (corners[:-1] * corners[1:]).sum(axis=1) / np.prod(np.linalg.norm([corners[:-1], corners[1:]], axis=2), 0)
    assert len(corners) == 4 and np.abs(cosines).max() < 0.02


def test_squaring_leaves_what_it_would_spoil(tmp_path: Path) -> None:
    bends = np.linspace(0, 5, 40)
    outer, inner = (r * np.column_stack([np.cos(bends), np.sin(bends)]) for r in (10, 9.6))
    snake = Polygon(np.concatenate([outer, inner[::-1]]))
    both = np.array([snake, box(0, 0, 8, 5)], dtype=object)
    result = regularize(both, 0.5)
    assert len(result) == 2 and result[1].symmetric_difference(both[1]).area < 0.1
    assert shapely.area(result[0].intersection(snake)) / shapely.area(result[0].union(snake)) > 0.7
    assert len(regularize(both[:0], 0.5)) == 0


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("out.svg", {}, "ends in .gpkg"),
        ("out.gpkg", {"min_hole_m2": 3.0, "min_area_m2": 2.0}, "buildings that stand in them"),
        ("out.gpkg", {"simplify_m": -1.0}, "0 or more"),
        ("out.gpkg", {"min_area_m2": float("nan")}, "0 or more"),
        ("none/out.gpkg", {}, "folder does not exist"),
    ],
)
def test_bad_requests(name: str, options: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=reason):
        written(tmp_path / name, np.ones((10, 10), bool), [], **options)


def test_an_error_amid_the_work_is_told_and_leaves_no_file(tmp_path: Path) -> None:
    def bands() -> Any:
        yield MaskBand(0, np.eye(10, dtype=bool))
        raise WriteError("The disk is full.")

    grid = Grid(20, 10, PLACE, CRS.from_epsg(32630))
    for suffix in (".gpkg", ".fgb", ".geojson"):
        with pytest.raises(WriteError, match="disk is full"):
            write_footprint_file(FootprintFile(tmp_path / f"out{suffix}"), bands(), grid)
    assert list(tmp_path.iterdir()) == []
