from itertools import chain

import pytest

from pages.views.benchmark.paper import SLIPS, TABLE_1, TABLE_2, Printed


def test_f1_follows_from_iou_but_where_a_slip_is_noted():
    """Micro scores are of one pooled mask, so F1 = 2 IoU / (1 + IoU)."""
    for system, row in chain(TABLE_1.items(), TABLE_2.items()):
        iou = row.micro_iou / 100
        fits = 200 * iou / (1 + iou) == pytest.approx(row.micro_f1, abs=0.02)
        assert fits == ((system, "micro_f1") not in SLIPS), system


def test_slips_name_columns_that_are_there():
    for system, column in SLIPS:
        assert system in {**TABLE_1, **TABLE_2} and column in Printed._fields
