"""How certain a score is: a paired bootstrap over tiles, and the spread over training seeds.

A *system* is what was trained, once or with several seeds: ``unet``, ``unet-seed1`` and ``unet-seed2`` are three
seeds of ``unet``. Its score is the mean over its seeds. The interval around it comes from the tiles: they are drawn
with replacement, and all systems get the same draws, so that a difference has an interval of its own. Another seed of
the training changes scores too, sometimes by more than another choice of tiles: a difference is *sure* if its interval
excludes 0 and every seed of one system is on the same side of every seed of the other.
"""

import re
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinet.evaluation.draws import DRAWS, draws
from scinet.evaluation.scores import EPSILON
from scinet.evaluation.tile_sums import OBJECT_METRICS, object_scores_of, sums_matrix

LEVEL = 0.95
PIXEL_METRICS = ("micro_iou", "micro_f1", "macro_iou", "macro_f1")
METRICS = (*PIXEL_METRICS, *OBJECT_METRICS)

Samples = NDArray[np.float64]  # (seeds, 1 + DRAWS): the score itself, then that of each draw of the tiles


def system_of(model: str) -> str:
    """The system of which a model is one seed.

    >>> system_of("unet-aspp-seed2"), system_of("unet-native")
    ('unet-aspp', 'unet-native')
    """
    return re.sub(r"-seed\d+$", "", model)


def bootstrap_scores(
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    shared: NDArray[np.int64],
    objects: NDArray[np.float64] | None = None,
) -> dict[str, Samples]:
    """The samples of PIXEL_METRICS, and of OBJECT_METRICS where the sums of objects are known.

    Args:
        true: Pixels of building in the reference, (seeds, tiles).
        predicted: Pixels of building in the mask.
        shared: Pixels of building in both.
        objects: Rows of `sums_matrix`, (seeds, tiles, columns).
    """
    counts = np.stack([shared, true + predicted - shared, true + predicted], axis=-1).astype(float)  # (seeds, tiles, 3)
    weights = draws(counts.shape[1])

    def scores(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        tp, union, both = np.moveaxis(sums, -1, 0)
        return {"iou": (tp + EPSILON) / (union + EPSILON), "f1": (2 * tp + EPSILON) / (both + EPSILON)}

    micro, each = scores(weights @ counts), scores(counts)
    macro = {name: values @ weights.T / counts.shape[1] for name, values in each.items()}
    found = {f"micro_{name}": micro[name] for name in micro} | {f"macro_{name}": macro[name] for name in macro}
    if objects is not None and not np.isnan(objects).any():
        found |= object_scores_of(weights @ objects)
    return found


def sample(
    tiles: pd.DataFrame, by: str, metrics: Collection[str] = METRICS
) -> dict[tuple[str, float], dict[str, Samples]]:
    """Samples of every system at every value of the column ``by``, from rows of ``Benchmark.tiles``.

    The rows are of one grid and one strategy. Seeds that were not scored on all the tiles of the others are left out.
    """
    if tiles.empty:
        return {}
    models, model_names = pd.factorize(tiles["model"])
    images = pd.factorize(tiles["image"])[0]
    names, systems = np.unique([system_of(str(name)) for name in model_names], return_inverse=True)
    values = tiles[by].to_numpy(float)
    order = np.lexsort((images, models, values, systems[models]))  # by system, value, model, image
    models, images, values = models[order], images[order], values[order]
    pixels = tiles[["true", "predicted", "shared"]].to_numpy(np.int64)[order]
    objects = sums_matrix(tiles)[order]
    starts = np.flatnonzero((np.diff(systems[models], prepend=-1) != 0) | (np.diff(values, prepend=np.nan) != 0))
    found = {}
    for start, end in zip(starts, [*starts[1:], len(values)], strict=True):
        count = len(np.unique(images[start:end]))
        seeds, scored = np.unique(models[start:end], return_counts=True)
        whole = np.isin(models[start:end], seeds[scored == count])
        if whole.any():
            true, predicted, shared = np.moveaxis(pixels[start:end][whole].reshape(-1, count, 3), -1, 0)
            of_objects = objects[start:end][whole].reshape(len(true), count, -1)
            scores = bootstrap_scores(true, predicted, shared, of_objects)
            found[str(names[systems[models[start]]]), float(values[start])] = {
                metric: samples for metric, samples in scores.items() if metric in metrics
            }
    return found


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The bounds between which LEVEL of the draws lie; ``values`` is (1 + DRAWS,).

    Draws without a score are left out; without any draw the bounds are NaN.
    """
    known = values[1:][~np.isnan(values[1:])]
    if not known.size:
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


ESTIMATE_COLUMNS = (
    *("metric", "tiles", "seeds", "value", "low", "high", "seed_low", "seed_high"),
    *("change", "change_low", "change_high", "change_seed_low", "change_seed_high", "sure"),
)


def estimates(
    tiles: pd.DataFrame, by: str, against: str = "sci-net", metrics: Collection[str] = METRICS
) -> pd.DataFrame:
    """One row per system, value of ``by`` and metric, from rows of ``Benchmark.tiles`` of one grid and strategy.

    value, low, high                   mean over the seeds, and its interval over the tiles
    seeds, seed_low, seed_high         how many, and the lowest and the highest of them
    tiles                              how many
    change, change_low, change_high    the value less that of the system ``against``, paired tile by tile, and the
                                       interval of that; NaN where that system has not been scored on the same tiles
    change_seed_low, change_seed_high  the lowest and the highest change from a seed of that system to one of this
    sure                               whether change_low and change_seed_low are above 0, or both highs below it
    """
    found, counted = sample(tiles, by, metrics), tiles.groupby(by)["image"].nunique()
    rows = []
    for (system, value), of_metric in found.items():
        reference = found.get((against, value))
        for metric, values in of_metric.items():
            mean = values.mean(axis=0)
            theirs = (reference or {}).get(metric, np.full((1, 1 + DRAWS), np.nan))
            change = mean - theirs.mean(axis=0)
            change_low, change_high = interval(change)
            by_seed = values[:, :1] - theirs[:, 0]  # (seeds, their seeds)
            rows.append(
                {
                    "system": system,
                    by: value,
                    "metric": metric,
                    "tiles": int(counted[value]),
                    "seeds": len(values),
                    "value": mean[0],
                    **dict(zip(("low", "high"), interval(mean), strict=True)),
                    "seed_low": values[:, 0].min(),
                    "seed_high": values[:, 0].max(),
                    "change": change[0],
                    "change_low": change_low,
                    "change_high": change_high,
                    "change_seed_low": by_seed.min(),
                    "change_seed_high": by_seed.max(),
                    "sure": min(change_low, by_seed.min()) > 0 or max(change_high, by_seed.max()) < 0,
                }
            )
    return pd.DataFrame(rows, columns=["system", by, *ESTIMATE_COLUMNS])


def scale_gains(best: pd.DataFrame, direct: pd.DataFrame, by: str) -> pd.DataFrame:
    """What another strategy gains each system, from the rows of both, paired tile by tile.

    Returns:
        One row per system, value of `by` and metric: direct and best, the scores, and gain, gain_low and gain_high, the
        difference and its interval over the tiles.
    """
    ours, theirs = sample(best, by), sample(direct, by)
    rows = []
    for (system, value), of_metric in ours.items():
        for metric, values in of_metric.items():
            former = theirs.get((system, value), {}).get(metric)
            if former is None:
                continue
            mean, before = values.mean(axis=0), former.mean(axis=0)
            low, high = interval(mean - before)
            row = {"system": system, by: value, "metric": metric, "direct": before[0], "best": mean[0]}
            rows.append({**row, "gain": mean[0] - before[0], "gain_low": low, "gain_high": high})
    columns = ["system", by, "metric", "direct", "best", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=columns)


def robustness(tiles: pd.DataFrame, metric: str = "micro_iou") -> pd.DataFrame:
    """One row per system: how its score holds over the column cm_per_px, from rows of one set of tiles on one grid.

    area, area_low, area_high    mean score over log cm/px: the area under the curve by the width of its axis
    best, best_at                the highest score, and the cm/px where it is
    finest, coarsest             the scores at both ends, as shares of the best; NaN where that is 0
    """
    found = {key: of_metric for key, of_metric in sample(tiles, "cm_per_px").items() if metric in of_metric}
    rows = []
    for system in dict.fromkeys(system for system, _ in found):
        gsds = np.array(sorted(gsd for name, gsd in found if name == system))
        curve = np.stack([found[system, gsd][metric].mean(axis=0) for gsd in gsds])  # (steps, 1 + DRAWS)
        if len(gsds) < 2:
            continue
        area = np.trapezoid(curve, np.log(gsds), axis=0) / np.log(gsds[-1] / gsds[0])
        best = int(curve[:, 0].argmax())
        highest = float(curve[best, 0])
        rows.append(
            {
                "system": system,
                "area": area[0],
                **dict(zip(("area_low", "area_high"), interval(area), strict=True)),
                "best": highest,
                "best_at": gsds[best],
                "finest": curve[0, 0] / highest if highest else np.nan,
                "coarsest": curve[-1, 0] / highest if highest else np.nan,
            }
        )
    return pd.DataFrame(rows)
