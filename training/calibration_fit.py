"""What calibration fits: scalings, estimates of scores and their intervals, from rows of tiles of several places.

The rows are those of ``python -m training.calibration``.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinet.evaluation.scores import Counts, f1, iou
from scinet.models.confidence import SCORES, Calibration, Line, expected_iou, fit_line
from scinet.models.reliability import Reliability
from scinet.models.scaling import calibrated, calibration_error, fit_scaling, logit
from training.leave_out import STEPS_CM_PER_PX

COVERAGE = 0.9
TILES_TOGETHER, REPEATS = 4, 3  # make an image; a tile alone has too few buildings for a steady score
LEAST_SHARE = 0.01  # of an image that is building
CURVE_POINTS = 10


def images(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Rows as of larger images: `TILES_TOGETHER` random tiles of one place and resolution, each a few times.

    Images without a share of `LEAST_SHARE` of building are left out: they have no score to estimate.

    Returns:
        One row per image: place, cm_per_px, all (the histogram) and SCORES.
    """
    random = np.random.default_rng(seed)
    found = []
    for step, at_step in by_step(rows):
        for place, there in at_step.groupby("place"):
            columns = [matrix(there, name) for name in ("all", "buildings", "pixel_counts", "object_counts")]
            order = np.concatenate([random.permutation(len(there)) for _ in range(REPEATS)])
            for chosen in np.split(order, range(TILES_TOGETHER, len(order), TILES_TOGETHER)):
                whole, buildings, pixels, objects = (column[chosen].sum(axis=0) for column in columns)
                if buildings.sum() >= LEAST_SHARE * whole.sum():
                    scores = {"iou": iou(Counts(*pixels)), "object_f1": f1(Counts(*objects))}
                    found.append({"place": place, "cm_per_px": step, "all": whole.tolist(), **scores})
    return pd.DataFrame(found)


def fit(rows: pd.DataFrame, coverage: float = COVERAGE) -> Calibration:
    """Scalings, lines and their intervals from rows of tiles of several places.

    The line is fitted to all; how far it is off is measured in each place on a line that was fitted without that
    place, and the widest of these intervals is taken: the next place may be as strange as the strangest of these.
    """
    scalings = tuple((step, *fit_scaling(*_pooled(found))) for step, found in by_step(rows))
    calibration = Calibration(scalings, {}, coverage)
    together = images(rows)
    expected = _expected(together, calibration)
    lines = {}
    for name in SCORES:
        true = together[name].to_numpy()
        line = fit_line(expected, true)
        tail = (1 - coverage) / 2
        ends = []
        for place in together["place"].unique():
            there = (together["place"] == place).to_numpy()
            off = logit(true[there]) - fit_line(expected[~there], true[~there]).at(expected[there])
            ends.append(np.quantile(off, [tail, 1 - tail]))
        low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
        lines[name] = Line(line.slope, line.intercept, float(low), float(high))
    return Calibration(scalings, lines, coverage)


def check(rows: pd.DataFrame, coverage: float = COVERAGE) -> pd.DataFrame:
    """How estimates do in each place when nothing of it is in the fit.

    Returns:
        One row per place and score: images, the mean distance of the estimate from the truth, the share of images whose
        score lies in the interval, and the interval's mean width.
    """
    found = []
    for place in rows["place"].unique():
        calibration = fit(rows[rows["place"] != place], coverage)
        there = images(rows[rows["place"] == place])
        estimates = [calibration.estimate(np.array(row.all), row.cm_per_px) for row in there.itertuples()]
        for name in SCORES:
            value, low, high = np.array([estimate[name][:3] for estimate in estimates]).T
            true = there[name].to_numpy()
            found.append(
                {
                    "place": place,
                    "score": name,
                    "images": len(there),
                    "mean_error": np.abs(value - true).mean(),
                    "covered": np.mean((low <= true) & (true <= high)),
                    "width": (high - low).mean(),
                }
            )
    return pd.DataFrame(found)


def reliability(rows: pd.DataFrame) -> pd.DataFrame:
    """The calibration error by resolution, as the model is and with the scaling of the other places."""
    found = []
    for step, at_step in by_step(rows):
        errors = []
        for place in at_step["place"].unique():
            there = _pooled(at_step[at_step["place"] == place])
            elsewhere = fit_scaling(*_pooled(at_step[at_step["place"] != place]))
            errors.append((calibration_error(*there), calibration_error(*there, elsewhere)))
        before, after = np.mean(errors, axis=0)
        found.append(
            {
                "cm_per_px": step,
                **fit_scaling(*_pooled(at_step))._asdict(),
                "error": before,
                "error_with_scaling": after,
            }
        )
    return pd.DataFrame(found)


def curves(rows: pd.DataFrame) -> tuple[Reliability, ...]:
    """The curve of reliability by resolution, the same weight for each place."""
    return tuple(_curve(step, *_pooled(at_step)) for step, at_step in by_step(rows))


def _curve(cm_per_px: float, whole: NDArray[np.int64], buildings: NDArray[np.int64]) -> Reliability:
    probability = calibrated()
    point = np.minimum((probability * CURVE_POINTS).astype(int), CURVE_POINTS - 1)
    pixels, sums, found = (
        np.bincount(point, weights, CURVE_POINTS) for weights in (whole, whole * probability, buildings)
    )
    points = [
        (round(sums[i] / pixels[i], 4), round(found[i] / pixels[i], 4), round(pixels[i] / pixels.sum(), 5))
        for i in np.flatnonzero(pixels)
    ]
    return Reliability(cm_per_px, round(calibration_error(whole, buildings), 4), tuple(points))


def by_step(rows: pd.DataFrame) -> list[tuple[float, pd.DataFrame]]:
    """Rows by the nearest of the steps, finer ones (native) under the finest one's half."""
    steps = np.array([STEPS_CM_PER_PX[0] / 2, *STEPS_CM_PER_PX], float)
    nearest = np.abs(np.log(rows["cm_per_px"].to_numpy()[:, np.newaxis] / steps)).argmin(axis=1)
    return [(float(steps[i]), rows[nearest == i]) for i in np.unique(nearest)]


def _expected(rows: pd.DataFrame, calibration: Calibration) -> NDArray[np.float64]:
    return np.array(
        [expected_iou(np.array(row.all), calibration.scaling_at(row.cm_per_px)) for row in rows.itertuples()]
    )


def _pooled(rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Histograms of all pixels and of buildings, with the same weight for each place."""
    both = np.zeros((2, len(rows["all"].iloc[0])))
    for _, found in rows.groupby("place"):
        sums = np.stack([matrix(found, "all").sum(axis=0), matrix(found, "buildings").sum(axis=0)])
        both += sums * (1e9 / sums[0].sum())
    whole, buildings = both.round().astype(np.int64)
    return whole, buildings


def matrix(rows: pd.DataFrame, name: str) -> NDArray[np.int64]:
    """A column of lists as int64 (rows, values)."""
    return np.array(rows[name].to_list(), np.int64)
