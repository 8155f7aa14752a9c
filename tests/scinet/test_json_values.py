import math

import pytest

from scinet import json_values


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' * 50_000, "", "{", "1" * 5000, '"\\ud800"', '["\\udfff"]'])
def test_damaged_json_is_a_value_error(content):
    with pytest.raises(ValueError, match=r"."):
        json_values.parse(content)


@pytest.mark.parametrize("value", [None, "5", True, [5], {}, math.inf, math.nan, 10**400])
def test_what_is_not_a_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="tiles is not a finite number"):
        json_values.number(value, "tiles")


def test_numbers_keep_their_kind():
    assert json_values.whole(576.0, "px") == 576
    assert math.isnan(json_values.score(math.nan, "iou"))
    with pytest.raises(ValueError, match="px is not a whole number"):
        json_values.whole(5.5, "px")
    with pytest.raises(ValueError, match="m is not above 0"):
        json_values.positive(0, "m")
