"""The rows of a Parquet file of scored tiles: the benchmark's, or those of a model of one's own."""

import io
from collections.abc import Collection

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

from scinet.errors import BenchmarkError
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS, THRESHOLDS
from scinet.evaluation.tile_sums import NUMBERS, RANKED, sums_matrix
from scinet.evaluation.tile_traits import TRAITS

MAX_FILE_BYTES = 100_000_000
MAX_BYTES_IN_MEMORY = 1_000_000_000
TEXT_COLUMNS = {"model", "dataset", "city", "image", "grid", "strategy", "weights"}
TILE_COLUMNS = TEXT_COLUMNS | {
    "native_cm_per_px",
    "cm_per_px",
    "is_native",
    "pixels",
    "true",
    "predicted",
    "shared",
    "largest_pieces",
    "largest_owners",
    "holes",
    "scale",
}
LATER_COLUMNS = {"strategy": "direct", "scale": 1.0, "weights": ""}  # of files made before there was a choice


def with_strategies(tiles: pd.DataFrame) -> pd.DataFrame:
    """Rows of tiles with their strategy: in files made before there was a choice, it is direct."""
    return tiles.assign(**{name: value for name, value in LATER_COLUMNS.items() if name not in tiles.columns})


def parse_rows(content: bytes, without: Collection[str] = ()) -> pd.DataFrame:
    """Read and check the rows in the bytes of a Parquet file.

    Args:
        content: The file.
        without: Columns to leave out.

    Raises:
        KeyError: A column is missing.
        ValueError: A column is damaged, or the file is too large.
        ArrowException: It is not a Parquet file.
    """
    file = pq.ParquetFile(io.BytesIO(content))  # of a path, an error would name all folders
    groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > MAX_BYTES_IN_MEMORY:
        raise ValueError("it is too large once it is unpacked")
    known = TILE_COLUMNS | {*NUMBERS, *RANKED, *TRAITS, *THRESHOLD_COLUMNS}
    tiles = with_strategies(
        _read_columns(file, [name for name in file.schema_arrow.names if name in known - {*without}])
    )
    if missing := TILE_COLUMNS - set(tiles.columns):
        raise KeyError(", ".join(sorted(missing)))
    for name in (TILE_COLUMNS - TEXT_COLUMNS) | (set(TRAITS) & set(tiles.columns)):
        if not is_numeric_dtype(tiles[name]):
            raise ValueError(f"{name} does not hold numbers")
    for name in TEXT_COLUMNS:
        if not tiles[name].map(lambda value: isinstance(value, str)).all():
            raise ValueError(f"{name} does not hold texts")
    try:
        sums_matrix(tiles)
    except TypeError as error:
        raise ValueError(f"the sums of objects are damaged: {error}") from None
    for name in set(THRESHOLD_COLUMNS) & set(tiles.columns):
        if not tiles[name].dropna().map(lambda sums: len(sums) == len(THRESHOLDS)).all():
            raise ValueError(f"{name} does not hold {len(THRESHOLDS)} numbers per tile")
    return tiles


def _read_columns(file: pq.ParquetFile, names: list[str]) -> pd.DataFrame:
    """Read columns in one thread, and give back what reading took: with Arrow's threads four times the table stays."""
    table = file.read(names, use_threads=False).to_pandas()
    pa.default_memory_pool().release_unused()
    return table


def rows_to_parquet(rows: pd.DataFrame) -> bytes:
    """Rows as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    falling = [name for name in THRESHOLD_COLUMNS if name in rows.columns]  # their differences take a third less
    rows.to_parquet(
        buffer,
        index=False,
        compression="zstd",
        use_dictionary=[name for name in rows.columns if name not in falling],
        column_encoding={f"{name}.list.element": "DELTA_BINARY_PACKED" for name in falling},
    )
    return buffer.getvalue()


def scored_images(rows: pd.DataFrame, weights: str, strategies: Collection[str]) -> set[str]:
    """The images that have rows by these weights and by all of these strategies."""
    rows = rows[rows["weights"] == weights]
    by_strategy = [set(rows.loc[rows["strategy"] == name, "image"]) for name in strategies]
    return set.intersection(*by_strategy) if by_strategy else set()


def read_rows(content: bytes, name: str) -> pd.DataFrame:
    """The rows of a file of scored tiles that a user opens.

    Args:
        content: The file, as ``scinet benchmark`` writes it.
        name: What to call it in messages.

    Raises:
        BenchmarkError: It is not such a file.
    """
    if len(content) > MAX_FILE_BYTES:
        raise BenchmarkError(f"{name} has more than {MAX_FILE_BYTES / 1e6:g} MB: score fewer tiles.")
    try:
        rows = parse_rows(content)
        if rows.empty:
            raise ValueError("it has no rows")
        if not rows["cm_per_px"].between(0.01, 100_000).all() or not rows["native_cm_per_px"].between(0.01, 1e5).all():
            raise ValueError("a resolution is not possible")
        if not set(rows["grid"]) <= {"working", "native"}:
            raise ValueError("a grid is not working or native")
    except (ValueError, KeyError, TypeError, OSError, pa.ArrowException) as error:
        reason = str(error).strip().splitlines()
        raise BenchmarkError(
            f"{name} is not a file of scored tiles ({reason[0][:200] if reason else 'damaged'}): "
            "choose one that this page or scinet benchmark wrote."
        ) from None
    return rows
