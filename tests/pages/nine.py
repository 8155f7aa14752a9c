"""A benchmark of all seven systems, a second seed and two variants, drawn at random around that on board.

``python -m tests.pages.nine FOLDER`` writes it, to look at the page as it is when all is trained.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scinet.checkpoint import REPOSITORY_FOLDER
from scinet.models import NAMES
from training import evaluate

VARIANTS = ("sci-net-seed1", "unet-seed1", "sci-net-native", "unet-native")


def write_nine(folder: Path, seed: int = 0) -> None:
    """benchmark.json and .parquet of nine checkpoints more than are on board."""
    for name in ("benchmark.json", "benchmark.parquet"):
        shutil.copy(REPOSITORY_FOLDER / name, folder)
    real = pd.read_parquet(folder / "benchmark.parquet")
    rng = np.random.default_rng(seed)
    tables = [real]
    for name in [*NAMES, *VARIANTS]:
        if name in set(real["model"]):
            continue
        like = real[real["model"] == ("sci-net" if name.startswith("sci-net") else "unet")].copy()
        worse = rng.uniform(0.9, 1.0) * (like["native_cm_per_px"] / like["cm_per_px"]).clip(upper=1.0) ** (
            0.1 if name.endswith("-native") else 0.0
        )
        for column in ("shared", "largest_pieces", "largest_owners"):
            like[column] = (like[column] * worse * rng.uniform(0.97, 1.0, len(like))).astype(np.int64)
        tables.append(like.assign(model=name))
    table = pd.concat(tables, ignore_index=True)
    table.to_parquet(folder / "benchmark.parquet", index=False)
    evaluate.write_benchmark(table, folder)


if __name__ == "__main__":
    write_nine(Path(sys.argv[1]))
