import pytest

from scinet.evaluate import sweep


def test_a_sweep_tells_its_progress_in_order(brightness_model, noise_raster):
    shares: list[float] = []
    rows = sweep(noise_raster, None, [brightness_model] * 3, [10, 14, 20], progress=shares.append)
    assert [(row["cm_per_px"], row["grid"]) for row in rows[:6]] == [
        (step, grid) for step in (10, 14, 20) for grid in ("native", "working")
    ]
    assert len(rows) == 18
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_a_sweep_that_is_stopped_begins_nothing_more(brightness_model, noise_raster):
    calls: list[float] = []

    def stop(share: float) -> None:
        calls.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(noise_raster, None, [brightness_model], [10, 14, 20, 28, 40], progress=stop)
    assert len(calls) <= 2  # of the runs that were under way
