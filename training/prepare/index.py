"""The index of prepared tiles, and which of them are for training, validation and test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely

from scinet.datasets.open_cities import CREDIT, SceneFiles, published_scenes
from scinet.raster.scene import Scene
from scinet.vector.footprints import LONLAT, reproject
from training.prepare.splits import block_of, draw_splits, overlapping


def build_index(cut: Sequence[tuple[SceneFiles, Scene, Sequence[dict[str, Any]]]], tile_px: int) -> pd.DataFrame:
    """One row per tile as docs/training.md has it, and its outline on the earth for the split.

    `cut` holds the scenes with their tiles as `cut_row` gives them.
    """
    catalogue = {scene.id: scene for scene in published_scenes()}
    rows = []
    for files, scene, tiles in cut:
        if scene.crs is None or not tiles:
            continue
        code, name = files.city_code, files.id
        known = catalogue.get(name)
        t = scene.transform
        upright = t.b == t.d == 0 and t.a > 0 and abs(t.a + t.e) < 1e-4 * t.a
        corners = [(0, 0), (tile_px, 0), (tile_px, tile_px), (0, tile_px)]
        boxes = [shapely.Polygon([t @ (tile["column"] + x, tile["row"] + y) for x, y in corners]) for tile in tiles]
        for tile, outline in zip(tiles, reproject(np.array(boxes), scene.crs, LONLAT), strict=True):
            stem = f"{code}/{name}_{tile['column']}_{tile['row']}"
            x, y = t @ (tile["column"], tile["row"])
            rows.append(
                {
                    "image": f"images/{stem}.jpg",
                    "mask": f"masks/{stem}.png",
                    "dataset": f"ocaic-{code}",
                    "city": known.city if known else code,
                    "cm_per_px": round(scene.cm_per_px, 3),
                    "width": tile_px,
                    "height": tile_px,
                    "scene": name,
                    "valid_share": tile["valid_share"],
                    "building_share": tile["building_share"],
                    "crs": scene.crs.to_string() if upright else None,
                    "x_min": x if upright else None,
                    "y_max": y if upright else None,
                    "metres_per_px": t.a if upright else None,
                    "licence": CREDIT,
                    "outline": outline,
                }
            )
    return pd.DataFrame(rows)


def split_index(index: pd.DataFrame, split: str, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """The index with its split, without outlines, and how many test tiles share ground with training ones.

    Of blocks, tiles for training or validation that share ground with a test tile of another scene or a neighbouring
    block are left out, and those for training that share it with a validation tile.
    """
    if split == "random":
        index = index.assign(split=draw_splits(index["image"].tolist(), seed))
    else:
        middles = [outline.centroid for outline in index["outline"]]
        index = index.assign(split=draw_splits([block_of(middle.x, middle.y) for middle in middles], seed))
    outlines, splits = index["outline"].to_numpy(), index["split"].to_numpy()
    left_out = np.zeros(len(index), bool)
    if split == "block":
        for name, holding in (("val", ["test"]), ("train", ["test", "val"])):
            mine = np.flatnonzero(splits == name)
            left_out[mine[overlapping(outlines[mine], outlines[np.isin(splits, holding) & ~left_out])]] = True
    kept = index[~left_out]
    of = {name: kept.loc[kept["split"] == name, "outline"].to_numpy() for name in ("train", "test")}
    shared = {"left_out": int(left_out.sum()), "test_tiles": len(of["test"])}
    shared["test_tiles_seen_in_training"] = int(overlapping(of["test"], of["train"]).sum())
    return kept.drop(columns="outline"), shared
