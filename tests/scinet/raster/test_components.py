import numpy as np
import pytest
from scipy import ndimage

from scinet.raster.components import Spans, components, holes, label, overlaps, without_small


def mask(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


@pytest.mark.parametrize(
    ("picture", "found", "hollow"),
    [
        (mask("....", "...."), 0, 0),
        (mask("####", "####"), 1, 0),
        (mask("#.", ".#"), 2, 0),  # corners do not connect the foreground
        (mask("#####", "#.#.#", "#####"), 1, 2),
        (mask("####.", "#.#..", "####."), 1, 1),
        (mask("####", "#.##", "##.#", "####"), 1, 1),  # corners do connect the background
        (mask("#.##", "#.##", "####"), 1, 0),  # open at the image's edge
    ],
)
def test_components_and_holes(picture, found, hollow):
    assert label(picture).max() == found
    assert holes(picture).pixels().max() == hollow


def test_small_components_go_and_large_ones_keep_their_holes():
    picture = mask("####..#", "#.##...", "####..#", "......#", "......#")
    kept = without_small(picture, 3 * 0.1, 0.1)  # 0.30000000000000004 m2
    assert kept.tolist() == mask("####...", "#.##...", "####..#", "......#", "......#").tolist()
    assert without_small(picture, 0.31, 0.1).sum() == 11
    assert without_small(picture, 1.2, 0.1).sum() == 0
    assert without_small(picture, 0.0, 0.1).tolist() == picture.tolist()


def test_compact_renumbers_after_nodata():
    labels = np.array([[1, 1, 0, 2, 0, 3]], np.int32)
    valid = np.array([[1, 0, 1, 0, 1, 1]], bool)
    kept = Spans.of(labels).compact(valid)
    assert kept.pixels().tolist() == [[1, 0, 0, 0, 0, 2]]
    assert kept.sizes_px.tolist() == [1, 1]
    untouched = Spans.of(labels).compact()
    assert untouched.pixels().tolist() == labels.tolist()
    assert untouched.sizes_px.tolist() == [2, 1, 1]


def test_overlaps_agree_with_counting():
    random = np.random.default_rng(1)
    a, b = (components(random.random((40, 50)) > 0.6) for _ in range(2))
    table = overlaps(a, b).toarray()
    assert table.shape == (len(a.sizes_px), len(b.sizes_px))
    a, b = a.pixels(), b.pixels()
    assert table.sum() == ((a > 0) & (b > 0)).sum()
    for i, j in zip(*np.nonzero(table), strict=True):
        assert table[i, j] == ((a == i + 1) & (b == j + 1)).sum()


@pytest.mark.parametrize("band_px", [1, 200, 10**6])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.6, 0.9, 1.0])
def test_components_and_holes_are_those_of_scipy(share, band_px, monkeypatch):
    """Wherever the bands are cut that spans are looked for in; on noise, which has every pattern of neighbours."""
    monkeypatch.setattr("scinet.raster.components._BAND_PX", band_px)
    for seed, shape in enumerate([(1, 1), (1, 9), (9, 1), (30, 41), (64, 64)]):
        noise = np.random.default_rng(seed).random(shape) < share
        np.testing.assert_array_equal(label(noise), ndimage.label(noise)[0])
        background, count = ndimage.label(~noise, np.ones((3, 3)))
        edges = {*background[0], *background[-1], *background[:, 0], *background[:, -1]}
        inner = np.isin(background, [i for i in range(1, count + 1) if i not in edges])
        np.testing.assert_array_equal(holes(noise).pixels() > 0, inner)
        np.testing.assert_array_equal(holes(noise).pixels(), ndimage.label(inner, np.ones((3, 3)))[0])


def test_neighbouring_labels_stay_apart():
    labels = np.array([[1, 1, 2, 3], [3, 2, 2, 0]], np.int32)
    assert Spans.of(labels).pixels().tolist() == labels.tolist()
    assert Spans.of(labels).sizes_px.tolist() == [2, 3, 2]
