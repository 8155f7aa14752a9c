from collections import Counter

import numpy as np
import shapely

from training.prepare.splits import block_of, draw_splits, overlapping


def test_tile_by_tile_nine_in_ten_are_not_for_test():
    tiles = [f"tile {n}" for n in range(1000)]
    drawn = draw_splits(tiles, seed=0)
    assert Counter(drawn) == {"train": 850, "test": 100, "val": 50}
    assert draw_splits(tiles, seed=0) == drawn != draw_splits(tiles, seed=1)
    # A tile's split is its own, not that of its place in the list
    assert draw_splits(tiles[::-1], seed=0) == drawn[::-1]


def test_a_group_stays_together():
    groups = [n // 30 for n in range(1200)]
    drawn = draw_splits(groups, seed=3)
    assert all(len({split for g, split in zip(groups, drawn, strict=True) if g == group}) == 1 for group in range(40))
    counts = Counter(drawn)
    assert 120 <= counts["test"] < 150 and 60 <= counts["val"] < 90
    assert set(draw_splits(["a", "b", "c"], seed=0)) == {"train", "val", "test"}


def test_blocks_are_500_m_on_the_ground_at_any_latitude():
    for latitude in (0.2, 5.6, -6.8, 13.5):
        step = 1 / (111_320 * np.cos(np.radians(latitude)))  # a metre eastwards
        blocks = [block_of(39.0 + metres * step, latitude)[1] for metres in range(0, 5000, 10)]
        lengths = [10 * count for count in list(Counter(blocks).values())[1:-1]]
        assert len(lengths) >= 8 and all(490 <= length <= 510 for length in lengths)
    rows = [block_of(39.0, metres / 111_320)[0] for metres in range(0, 5000, 10)]
    assert set(Counter(rows).values()) == {50}


def test_neighbours_touch_and_others_overlap():
    tiles = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(5, 5, 6, 6)], dtype=object)
    others = np.array([shapely.box(1, 0, 2, 1), shapely.box(0.9, 0.9, 1.9, 1.9)], dtype=object)
    assert overlapping(tiles, others[:1]).tolist() == [False, True, False]
    assert overlapping(tiles, others).tolist() == [True, True, False]
    assert overlapping(tiles, others[:0]).tolist() == [False, False, False]
