"""How much ground a window has to show: ``python -m training.windows --model unet``.

A network breaks large roofs where its windows show a part of them only. At fine resolutions that has two cures: windows
that show more ground, or a scale that reduces the image. Both are measured on the halls of 80 m of generated towns, and
on validation tiles of a data folder, whose windows must not get worse. Test tiles are never touched.
"""

import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rasterio.transform import Affine

from scinet.evaluation.scores import Counts, iou
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.segmentation.cost import pixels_run
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy
from scinet.segmentation.tiling import windows_over
from scinet.synthetic.town import make_town
from scinet.vector.footprints import rasterize
from training.packed_tiles import PackedTiles

STEPS_CM_PER_PX = (3.0, 4.0, 5.0, 6.0)
SEEDS = (1, 2)
TOWN_M, MARGIN_M = 160.0, 12.0  # from this size on a town has a hall; ground around it
TILES = 6
_AS_IT_IS = 0.0


@dataclass(frozen=True)
class Way:
    """How a model sees an image: windows of at least some ground, and a scale."""

    least_window_m: float = _AS_IT_IS
    scale: float = 1.0

    def model(self, model: Model) -> Model:
        """The model with these windows and this scale for any resolution."""
        scales: dict[str, Sequence[Sequence[float]]] = {"unknown": ((10.0, self.scale, 1.0),)}
        return replace(model, card=replace(model.card, least_window_m=self.least_window_m or None, scales=scales))


WAYS = (Way(), Way(35.0), Way(50.0), Way(scale=0.67), Way(scale=0.5))


@dataclass(frozen=True, eq=False)
class Ground:
    """An image with its buildings, bool (H, W), and the part that the first figure is about."""

    name: str
    raster: Raster
    building: NDArray[np.bool_]
    hall: NDArray[np.bool_] | None


def halls(steps_cm_per_px: Sequence[float], seeds: Sequence[int]) -> Iterator[Ground]:
    """The largest building of each town, with its surroundings, at each resolution."""
    for seed in seeds:
        town = make_town(seed, TOWN_M)
        sizes = [polygon.area for polygon in town.footprints.polygons]
        hall = int(np.argmax(sizes))
        x_min, y_min, x_max, y_max = town.footprints.polygons[hall].buffer(MARGIN_M).bounds
        for step in steps_cm_per_px:
            whole = town.render(step)
            metres = whole.cm_per_px / 100
            rows = slice(max(0, int(-y_max / metres)), int(-y_min / metres))
            columns = slice(max(0, int(x_min / metres)), int(x_max / metres))
            labels = rasterize(town.footprints, whole)[rows, columns]
            pixels = np.ascontiguousarray(whole.pixels[rows, columns])
            valid = np.ones(labels.shape, np.bool_)
            raster = Raster(pixels, valid, Affine.scale(metres, -metres), None)
            yield Ground(f"hall {seed}, {sizes[hall]:.0f} m2", raster, labels > 0, labels == hall + 1)


def tiles(data: Path, cache: Path, dataset: str) -> Iterator[Ground]:
    """Validation tiles of a data set, evenly spaced."""
    pack = PackedTiles(data, "val", cache)
    found = [tile for tile in pack.tiles if tile.dataset == dataset]
    for index in np.linspace(0, len(found) - 1, min(TILES, len(found))).round().astype(int):
        pixels, building = pack.tile(found[index])
        metres = found[index].cm_per_px / 100
        valid = np.ones(building.shape, np.bool_)
        yield Ground(dataset, Raster(pixels.copy(), valid, Affine.scale(metres, -metres), None), building > 0, None)


def measure(model: Model, grounds: Iterator[Ground], ways: Sequence[Way]) -> pd.DataFrame:
    """One row per ground, resolution and way, the ground's images pooled.

    Returns:
        A table with ground, cm_per_px, least_window_m, scale, window_px, window_m, hall (the share of its area that is
        found, NaN for tiles), micro_iou, pixels_per_px, seconds and peak_mb (of the process so far).
    """
    rows = []
    for ground in grounds:
        for way in ways:
            seen_by = way.model(model)
            grid = ground.raster.grid
            seen = grid.at(grid.cm_per_px / way.scale) if way.scale != 1 else grid
            window_px = windows_over(seen, seen_by.card)[0].size
            begin = time.process_time()
            mask = segment(ground.raster, seen_by, strategy=Strategy("best-scale")).probability > 0.5
            rows.append(
                {
                    "ground": ground.name,
                    "cm_per_px": round(grid.cm_per_px, 2),
                    "least_window_m": way.least_window_m,
                    "scale": way.scale,
                    "window_px": window_px,
                    "window_m": window_px * seen.cm_per_px / 100,
                    "hall": np.nan if ground.hall is None else mask[ground.hall].mean(),
                    "counts": Counts.of(ground.building, mask),
                    "pixels_per_px": pixels_run(grid, seen_by.card) / (grid.height * grid.width),
                    "seconds": time.process_time() - begin,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            )
    keys = ["ground", "cm_per_px", "least_window_m", "scale"]
    pooled = pd.DataFrame(rows).groupby(keys, sort=False)
    table = pooled[["window_px", "window_m", "hall", "pixels_per_px", "seconds"]].mean()
    table["micro_iou"] = pooled["counts"].agg(lambda counts: iou(sum(counts, Counts(0, 0, 0))))
    table["peak_mb"] = pooled["peak_mb"].max()
    return table.reset_index()


@click.command(help=__doc__.splitlines()[0])
@click.option("--model", required=True, help="Name of a model, or path of its .safetensors file.")
@click.option("--step", "steps", type=float, multiple=True, default=STEPS_CM_PER_PX, help="Resolutions in cm/px.")
@click.option("--seed", "seeds", type=int, multiple=True, default=SEEDS, help="Of the generated towns.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with index.csv, for validation tiles too.")
@click.option("--dataset", default="accra", show_default=True, help="Of the validation tiles.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("runs/cache"), help="Folder of decoded tiles.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file to write the table to.")
def main(
    model: str,
    steps: Sequence[float],
    seeds: Sequence[int],
    data: Path | None,
    dataset: str,
    cache: Path,
    out: Path | None,
) -> None:
    """Measure windows and scales, and print the table."""
    loaded = load_model(model)
    table = measure(loaded, halls(steps, seeds), WAYS)
    if data is not None:
        table = pd.concat([table, measure(loaded, tiles(data, cache, dataset), WAYS)], ignore_index=True)
    print(table.round(3).to_string(index=False))
    if out is not None:
        table.round(4).to_csv(out, index=False)


if __name__ == "__main__":
    main()
