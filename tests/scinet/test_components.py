import numpy as np
import pytest

from scinet.components import compact, hole_labels, label, overlaps, without_small


def mask(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


@pytest.mark.parametrize(
    ("picture", "components", "holes"),
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
def test_components_and_holes(picture, components, holes):
    assert label(picture).max() == components
    assert hole_labels(picture).max() == holes


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
    kept, areas_px = compact(labels, valid)
    assert kept.tolist() == [[1, 0, 0, 0, 0, 2]]
    assert areas_px.tolist() == [1, 1]
    untouched, areas_px = compact(labels, None)
    assert untouched.tolist() == labels.tolist()
    assert areas_px.tolist() == [2, 1, 1]


def test_overlaps_agree_with_counting():
    random = np.random.default_rng(1)
    a, b = (label(random.random((40, 50)) > 0.6) for _ in range(2))
    table = overlaps(a, b, (a.max(), b.max())).toarray()
    assert table.sum() == ((a > 0) & (b > 0)).sum()
    for i, j in zip(*np.nonzero(table), strict=True):
        assert table[i, j] == ((a == i + 1) & (b == j + 1)).sum()
