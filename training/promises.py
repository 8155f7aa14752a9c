"""What thresholds promise, fitted by conformal risk control to rows of tiles of several places.

Of n tiles whose mean loss at a threshold is R, a new tile like them is expected to lose at most (n R + 1) / (n + 1)
there (Angelopoulos et al. 2022, arXiv:2208.02814, with losses up to 1). That holds for losses that only fall, or only
rise, with the threshold. What recall misses does; what precision loses is made to, by its maximum over all higher
thresholds, as the paper says. Tiles of one place are alike and places are not, so each place promises on its own and
the least of them counts.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinet.models.promise import QUANTITIES, THRESHOLDS, Promise, Promised, Quantity, Tried
from scinet.models.scaling import BINS
from training.calibration_fit import LEAST_SHARE, by_step, matrix

LEVELS = (0.8, 0.9)  # that are tried elsewhere
Floats = NDArray[np.float64]


def fit_promised(rows: pd.DataFrame) -> tuple[Promised, ...]:
    """What each threshold promises, by resolution."""
    return tuple(
        Promised(step, *(_promised(at_step, losses) for losses in (_missed, _invented)))
        for step, at_step in by_step(with_buildings(rows))
    )


def check_promised(rows: pd.DataFrame) -> pd.DataFrame:
    """How promises do in each place when nothing of it is in the fit.

    Returns:
        One row per place, resolution and promise: place, cm_per_px, quantity, least, threshold, found, and as its cost
        the other quantity. These three are NaN where nothing is promised.
    """
    rows = with_buildings(rows)
    found = []
    for place in rows["place"].unique():
        fitted = {row.cm_per_px: row for row in fit_promised(rows[rows["place"] != place])}
        for step, there in by_step(rows[rows["place"] == place]):
            for quantity in QUANTITIES:
                for least in LEVELS:
                    row = {"place": place, "cm_per_px": step, "quantity": quantity, "least": least}
                    found.append({**row, **_kept(there, fitted.get(step), Promise(quantity, least))})
    return pd.DataFrame(found)


def _kept(rows: pd.DataFrame, fitted: Promised | None, promise: Promise) -> dict[str, float]:
    """The threshold for a promise, and what came of it on rows of tiles."""
    threshold = fitted.threshold(promise) if fitted else None
    if threshold is None:
        return {"threshold": np.nan, "found": np.nan, "cost": np.nan}
    found, cost = (mean_at(rows, quantity, threshold) for quantity in (promise.quantity, promise.other))
    return {"threshold": threshold, "found": found, "cost": cost}


def tried(checked: pd.DataFrame) -> tuple[Tried, ...]:
    """What `check_promised` found, for the card; promises that could be made nowhere are left out."""
    known = checked.dropna(subset="found").groupby(["quantity", "least"])
    return tuple(
        Tried(
            quantity,
            least,
            *(round(float(value), 3) for value in (rows["found"].mean(), rows["found"].min(), rows["cost"].mean())),
        )
        for (quantity, least), rows in known
    )


def with_buildings(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of tiles of which enough is building to speak of recall."""
    return rows[matrix(rows, "buildings").sum(axis=1) >= LEAST_SHARE * matrix(rows, "all").sum(axis=1)]


def mean_at(rows: pd.DataFrame, quantity: Quantity, threshold: float) -> float:
    """The mean over tiles of recall or precision at one of THRESHOLDS; precision is 1 where nothing is predicted."""
    whole, buildings = _above(rows)
    at = int(np.argmin(np.abs(THRESHOLDS - threshold)))
    shares = buildings[:, at] / _total(rows) if quantity == "recall" else _share_right(whole, buildings)[:, at]
    return float(shares.mean())


def _promised(rows: pd.DataFrame, losses_of: Callable[[pd.DataFrame], Floats]) -> tuple[float, ...]:
    """The least promise of any place, by threshold."""
    by_place = []
    for _, there in rows.groupby("place"):
        losses = losses_of(there)
        by_place.append((len(losses) * losses.mean(axis=0) + 1) / (len(losses) + 1))
    return tuple(round(float(1 - risk), 4) for risk in np.max(by_place, axis=0))


def _missed(rows: pd.DataFrame) -> Floats:
    """1 - recall, (tiles, thresholds)."""
    _, buildings = _above(rows)
    return 1 - buildings / _total(rows)[:, np.newaxis]


def _invented(rows: pd.DataFrame) -> Floats:
    """1 - precision, or more where a higher threshold has more, (tiles, thresholds)."""
    losses = 1 - _share_right(*_above(rows))
    highest: Floats = np.maximum.accumulate(losses[:, ::-1], axis=1)[:, ::-1]
    return highest


def _share_right(whole: Floats, buildings: Floats) -> Floats:
    return np.divide(buildings, whole, out=np.ones_like(whole), where=whole > 0)


def _above(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """The pixels above each of THRESHOLDS, and those of them that are building, (tiles, thresholds)."""
    first = (BINS - len(THRESHOLDS) + 1) // 2  # the thresholds are edges of the histogram's middle
    whole, buildings = (
        np.cumsum(matrix(rows, name)[:, ::-1], axis=1)[:, ::-1][:, first : first + len(THRESHOLDS)].astype(float)
        for name in ("all", "buildings")
    )
    return whole, buildings


def _total(rows: pd.DataFrame) -> Floats:
    totals: Floats = matrix(rows, "buildings").sum(axis=1).astype(float)
    return totals
