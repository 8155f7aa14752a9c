import io
from pathlib import Path

import pandas as pd
import pytest

from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark_rows import parse_rows, read_rows, rows_to_parquet
from scinet.models.card import REPOSITORY_FOLDER


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    table = pd.read_parquet(REPOSITORY_FOLDER / "benchmark.parquet")
    return table[table["image"] == table["image"].iloc[0]].reset_index(drop=True)


def parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def test_rows_written_are_rows_read(rows: pd.DataFrame) -> None:
    found = read_rows(parquet(rows), "mine.parquet")
    assert found[["model", "shared", "cm_per_px"]].equals(rows[["model", "shared", "cm_per_px"]])


def test_sums_at_thresholds_come_back_from_the_file(rows: pd.DataFrame) -> None:
    sums = [None if grid == "native" else list(range(19, 0, -1)) for grid in rows["grid"]]
    table = rows.assign(predicted_at=sums, shared_at=sums)
    for content in (rows_to_parquet(table), rows_to_parquet(rows)):  # and without such columns
        assert len(read_rows(content, "mine.parquet")) == len(rows)
    found = read_rows(rows_to_parquet(table), "mine.parquet")
    assert [None if each is None else list(each) for each in found["predicted_at"]] == sums


def test_unknown_columns_are_dropped_and_wanted_ones_can_be_left_out(rows: pd.DataFrame) -> None:
    wide = rows.assign(note="x", predicted_at=[[1] * 19] * len(rows), shared_at=[[1] * 19] * len(rows))
    assert "note" not in parse_rows(parquet(wide))
    assert "predicted_at" in parse_rows(parquet(wide))
    assert "predicted_at" not in parse_rows(parquet(wide), without=("predicted_at",))


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda rows: rows.drop(columns="shared"), "shared"),
        (lambda rows: rows.assign(shared="many"), "shared does not hold numbers"),
        (lambda rows: rows.assign(model=3), "model does not hold texts"),
        (lambda rows: rows.assign(cm_per_px=-1.0), "a resolution is not possible"),
        (lambda rows: rows.assign(grid="polar"), "a grid is not working or native"),
        (lambda rows: rows.iloc[:0], "no rows"),
        (lambda rows: rows.assign(shared_at=[[1, 2]] * len(rows)), "does not hold 19 numbers"),
    ],
)
def test_other_files_are_refused_with_a_sentence(rows: pd.DataFrame, damage, said: str) -> None:
    with pytest.raises(BenchmarkError, match=said):
        read_rows(parquet(damage(rows)), "mine.parquet")


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"mine.parquet is not a file of scored tiles"):
        read_rows(b"PAR1 but not really", "mine.parquet")
