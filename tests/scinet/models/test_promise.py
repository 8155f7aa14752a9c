"""Thresholds that promise a recall or a precision."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from scinet.errors import PromiseError
from scinet.models.promise import THRESHOLDS, Promise, Promised, Tried, parse_promise, promised_threshold, tried_text

FALLING = tuple(float(share) for share in 1 - THRESHOLDS)
RISING = tuple(float(share) for share in THRESHOLDS)


def test_recall_gets_the_highest_threshold_that_keeps_it_and_precision_the_lowest() -> None:
    row = Promised(10.0, FALLING, RISING)
    assert row.threshold(Promise("recall", 0.6)) == pytest.approx(0.4, abs=0.06)
    assert row.threshold(Promise("precision", 0.6)) == pytest.approx(0.6, abs=0.06)
    for promise in (Promise("recall", 0.6), Promise("precision", 0.6)):
        at = int(np.argmin(np.abs(THRESHOLDS - row.threshold(promise))))
        assert getattr(row, promise.quantity)[at] >= 0.6


def test_the_nearest_resolution_counts() -> None:
    rows = [Promised(10.0, FALLING, RISING), Promised(40.0, (0.95,) * len(THRESHOLDS), RISING)]
    assert promised_threshold(rows, Promise("recall", 0.9), 12.0, "UNet") < 0.11
    assert promised_threshold(rows, Promise("recall", 0.9), 30.0, "UNet") == THRESHOLDS[-1]


def test_what_no_threshold_keeps_is_refused_with_the_most_that_can_be_asked_for() -> None:
    rows = [Promised(10.0, FALLING, RISING)]
    with pytest.raises(PromiseError, match=r"recall 0\.99 at 10 cm/px.*Ask for 0\.98 or less"):
        promised_threshold(rows, Promise("recall", 0.99), 10.0, "UNet")
    with pytest.raises(PromiseError, match="not measured for UNet"):
        promised_threshold([], Promise("recall", 0.9), 10.0, "UNet")


@pytest.mark.parametrize("text", ["recall", "recall=high", "iou=0.7", "recall=1", "recall=0", "recall=nan", ""])
def test_what_is_not_a_promise_is_refused(text: str) -> None:
    with pytest.raises(PromiseError):
        parse_promise(text)


def test_the_nearest_trial_is_told_with_its_level() -> None:
    rows = [Tried("recall", 0.8, 0.88, 0.67, 0.6), Tried("recall", 0.9, 0.95, 0.85, 0.4)]
    assert "Tried of 0.9 in places" in tried_text(rows, Promise("recall", 0.97))
    assert "recall was 0.88 on average and 0.67 in the worst" in tried_text(rows, Promise("recall", 0.8))
    assert tried_text(rows, Promise("precision", 0.8)) == ""


def test_promises_are_read_as_they_were_written() -> None:
    row, tried = Promised(10.0, FALLING, RISING), Tried("recall", 0.9, 0.95, 0.85, 0.4)
    assert Promised.from_json(json.loads(json.dumps(asdict(row)))) == row
    assert Tried.from_json(json.loads(json.dumps(asdict(tried)))) == tried


@pytest.mark.parametrize("change", [{"recall": [0.5]}, {"recall": ["high"] * 33}, {"cm_per_px": 0}])
def test_damaged_promises_are_refused(change: dict[str, object]) -> None:
    good = json.loads(json.dumps(asdict(Promised(10.0, FALLING, RISING))))
    with pytest.raises(ValueError):
        Promised.from_json({**good, **change})
