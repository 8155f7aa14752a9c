from types import SimpleNamespace

import numpy as np
import pytest

from scinet.evaluation.smallest_found import smallest_found_m2


def smallest(areas, found):
    kind = np.where(found, "found", "missed")
    return smallest_found_m2(SimpleNamespace(area_m2=np.array(areas, float), kind=kind))


def test_a_size_counts_where_eight_in_ten_are_found():
    areas = [10] * 10 + [40] * 10
    assert smallest(areas, [True] * 8 + [False] * 2 + [True] * 10) == 10
    assert smallest(areas, [True] * 7 + [False] * 3 + [True] * 10) == 40
    assert smallest(areas[::-1], [True] * 10 + [False] * 3 + [True] * 7) == 40  # in any order


def test_large_buildings_do_not_make_up_for_small_ones():
    assert smallest([10] * 10 + [400] * 1000, [False] * 10 + [True] * 1000) == 400


@pytest.mark.parametrize("areas, found", [([], []), ([10] * 9, [True] * 9), ([10] * 20, [False] * 20)])
def test_without_enough_found_buildings_of_one_size_there_is_none(areas, found):
    assert np.isnan(smallest(areas, np.array(found, bool)))
