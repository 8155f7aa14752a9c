"""The README's table of scores says what benchmark.json says."""

import json
from pathlib import Path

import pytest

from scinet.models.card import REPOSITORY_FOLDER
from scinet.models.systems import TITLES

PROJECT = Path(__file__).parent.parent
CITIES = ("accra", "zanzibar", "kampala", "banepa")
GSDS = ("native", 20.0, 40.0)
SYSTEMS = {title: name for name, title in TITLES.items()} | {
    f"{TITLES[name]}, native GSD alone": f"{name}-native" for name in ("sci-net", "unet")
}


@pytest.fixture(scope="module")
def benchmark() -> dict:
    return json.loads((REPOSITORY_FOLDER / "benchmark.json").read_text())


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    """The cells of every row of the README's tables that has one for each city and GSD, by the row's name."""
    lines = [
        line.removeprefix("|").removesuffix("|").split("|")
        for line in (PROJECT / "README.md").read_text().splitlines()
        if "|" in line
    ]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in lines if len(cells) == 12}


def test_every_score_is_the_benchmarks_and_marked_where_it_is_sure(benchmark: dict, rows: dict[str, list[str]]) -> None:
    estimates = {
        (row["system"], row["dataset"], row["cm_per_px"]): row
        for row in benchmark["estimates"]
        if row["grid"] == "working" and row["metric"] == "micro_iou"
    }
    assert set(SYSTEMS) == set(rows) & set(SYSTEMS) and len(SYSTEMS) == 9
    for title, name in SYSTEMS.items():
        found = [estimates[name, city, gsd] for city in CITIES for gsd in GSDS]
        assert rows[title] == [cell(row) for row in found], title
        if found[0]["seeds"] > 1:
            assert rows[f"{title}, between seeds"] == [f"{row['seed_high'] - row['seed_low']:.3f}" for row in found]


def test_the_floor_is_the_benchmarks(benchmark: dict, rows: dict[str, list[str]]) -> None:
    floor = [f"{benchmark['everything_is_building'][city]:.3f}" for city in CITIES]
    assert [cell for cell in rows["all building"] if cell] == floor


def cell(row: dict) -> str:
    """Bold where surely better than Sci-Net, italic where surely worse."""
    mark = ("**" if row["change"] > 0 else "*") if row["sure"] else ""
    return f"{mark}{row['value']:.3f}{mark}"
