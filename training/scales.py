"""At which scale a model should see an image of each resolution: ``python -m training.scales``.

Scores a model on the same ground at every working resolution and every candidate scale. Tiles of places that were left
out of its training (``training.leave_out``) give the scales for unknown places, validation tiles of its training scenes
those for known ones. Test tiles are never touched. The two best scales per resolution go onto the card.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd
from rasterio.transform import Affine
from tqdm import tqdm

from scinet.atomic_write import write_text
from scinet.evaluation.scores import Counts, iou
from scinet.models.card import Places, read_card
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample, resample_probability
from scinet.raster.stream import RasterStream, read_into
from scinet.segmentation.segment import AtOtherScales
from training.cards import weights_of, write_card
from training.command import run_command
from training.packed_tiles import PackedTile, PackedTiles

CANDIDATES = (0.67, 1.0, 1.5, 2.0, 3.0)
STEPS_CM_PER_PX = (5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0)
MOST_TILES, MOST_PX = 12, 6_000_000  # of a place at a resolution
FINEST_CM_PER_PX = 2.25  # that a model is shown: training saw 2.5 and coarser
TOLERANCE = 0.005  # IoU that a scale may cost in any place, against leaving the image as it is
_SIDE_PX = 32  # the least that a network sees


def measure(model: Model, packs: Sequence[PackedTiles], places: Sequence[str]) -> pd.DataFrame:
    """Micro-IoU of a model by place, working resolution and scale.

    Each resolution is scored on the place's coarsest tiles that are not coarser than it: of all its tiles they show
    the most ground.

    Returns:
        One row per place, resolution and scale: place, cm_per_px, scale, tiles, micro_iou.
    """
    rows = []
    for place in places:
        for step in tqdm(STEPS_CM_PER_PX, place, unit="step"):
            tiles = list(tiles_for(packs, place, step))
            counts: dict[float, Counts] = defaultdict(lambda: Counts(0, 0, 0))
            for pack, tile in tiles:
                for scale, found in score_tile(model, pack, tile, step).items():
                    counts[scale] += found
            rows += [
                {"place": place, "cm_per_px": step, "scale": scale, "tiles": len(tiles), "micro_iou": iou(found)}
                for scale, found in counts.items()
            ]
    return pd.DataFrame(rows)


def tiles_for(packs: Sequence[PackedTiles], place: str, cm_per_px: float) -> Iterator[tuple[PackedTiles, PackedTile]]:
    """At most `MOST_TILES` tiles of a place, evenly spaced, all of one native resolution."""
    fine = [(pack, tile) for pack in packs for tile in pack.tiles if tile.dataset == place]
    fine = [(pack, tile) for pack, tile in fine if tile.cm_per_px <= 1.04 * cm_per_px]
    coarsest = max((round(tile.cm_per_px) for _, tile in fine), default=0)
    found = [(pack, tile) for pack, tile in fine if round(tile.cm_per_px) == coarsest]
    found = [(pack, tile) for pack, tile in found if pack.tile(tile)[1].any()] or found
    if found:
        most = min(MOST_TILES, len(found), MOST_PX // (found[0][1].width * found[0][1].height))
        yield from (found[i] for i in np.linspace(0, len(found) - 1, most).round().astype(int))


def score_tile(model: Model, pack: PackedTiles, tile: PackedTile, cm_per_px: float) -> dict[float, Counts]:
    """The counts of a tile at a working resolution, for each scale."""
    pixels, building = pack.tile(tile)
    metres = tile.cm_per_px / 100
    raster = Raster(pixels.copy(), np.ones(building.shape, np.bool_), Affine.scale(metres, -metres), None)
    working = resample(raster, max(cm_per_px, tile.cm_per_px))
    truth = resample_probability(building.astype(np.float32), working.shape) >= 0.5
    found = {}
    for scale in CANDIDATES:
        too_small = scale < 1 and min(working.shape) * scale < _SIDE_PX
        if too_small or working.cm_per_px / scale < FINEST_CM_PER_PX:
            continue
        probability = np.empty(working.shape, np.float32)
        seen_at = [working.cm_per_px / scale]
        read_into(AtOtherScales(RasterStream(working), model, seen_at, None), probability)
        found[scale] = Counts.of(truth, probability >= 0.5)
    return found


def choose(table: pd.DataFrame) -> list[tuple[float, float, float]]:
    """Rows of a resolution and its two best scales, by the mean IoU over places.

    A scale counts only where it costs no place more than `TOLERANCE` against a scale of 1: for a place that nobody
    knows, a loss weighs more than a gain.
    """
    rows = []
    for step, found in table.groupby("cm_per_px"):
        scores = found.pivot_table(index="place", columns="scale", values="micro_iou")
        losses = scores.sub(scores[1.0], axis=0).min()
        harmless = scores.columns[losses >= -TOLERANCE]
        best = scores[harmless].mean().sort_values(ascending=False).index
        rows.append((float(step), float(best[0]), float(best[1] if len(best) > 1 else best[0])))
    return rows


@click.group(help=__doc__.splitlines()[0])
def main() -> None:
    """Measure scales, and put the best onto cards."""


@main.command("measure")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with index.csv.")
@click.option("--model", required=True, help="Name of a model, or path of its .safetensors file.")
@click.option("--place", "places", required=True, multiple=True, help="Where to score it; may be given several times.")
@click.option("--split", "splits", multiple=True, type=click.Choice(["train", "val"]), default=("val",))
@click.option("--cache", type=click.Path(path_type=Path), default=Path("runs/cache"), help="Folder of decoded tiles.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="CSV file to write the scores to.")
def measure_command(
    data: Path, model: str, places: Sequence[str], splits: Sequence[str], cache: Path, out: Path
) -> None:
    """Score a model at all scales in some places."""
    packs = [PackedTiles(data, split, cache) for split in splits]
    loaded = load_model(model)
    table = measure(loaded, packs, places).assign(model=loaded.card.name)
    write_text(out, table.round(4).to_csv(index=False))
    _print(table)


@main.command("choose")
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--for", "kind", required=True, type=click.Choice(["unknown", "known"]), help="Kind of places.")
@click.option("--model", "models", multiple=True, help="Name or path of a model whose card gets the scales.")
def choose_command(tables: Sequence[Path], kind: Places, models: Sequence[str]) -> None:
    """Choose the best scales by what was measured, in all places together, and write them to cards."""
    table = pd.concat([pd.read_csv(path) for path in tables], ignore_index=True)
    _print(table)
    rows = choose(table)
    for cm_per_px, best, second in rows:
        print(f"{cm_per_px:g} cm/px: {best:g}, then {second:g}")
    for model in models:
        weights = weights_of(model)
        write_card(weights, scales={**read_card(weights.with_suffix(".json")).scales, kind: rows})
        print(f"{weights.with_suffix('.json')} has the scales for {kind} places.")


def _print(table: pd.DataFrame) -> None:
    """Print the scores, with their means over places."""
    scores = table.pivot_table(index=["place", "cm_per_px"], columns="scale", values="micro_iou")
    print(scores.round(3).to_string())
    print("mean\n" + scores.groupby("cm_per_px").mean().round(3).to_string())


if __name__ == "__main__":
    run_command(main)
