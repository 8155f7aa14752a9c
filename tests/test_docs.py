"""README and docs: result tables equal the benchmark, examples run, paths and links resolve."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import scinet
from scinet.models.architectures import TITLES
from scinet.models.card import REPOSITORY_FOLDER
from scinet.raster.raster import Raster
from scinet.synthetic.town import make_town
from scinet.vector.footprint_file import write_footprints
from scinet.vector.footprints import rasterize

PROJECT = Path(__file__).parent.parent
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
]
CITIES = ("accra", "zanzibar", "kampala", "banepa")
GSDS = ("native", 20.0, 40.0)
ON_BOARD = [name for name in TITLES if (REPOSITORY_FOLDER / f"{name}.json").is_file()]
MODELS = {TITLES[name]: name for name in ON_BOARD} | {
    f"{TITLES[name]}, native-resolution training": f"{name}-native" for name in ("sci-net", "unet")
}

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOP_LEVEL = {path.name for path in PROJECT.iterdir() if not path.name.startswith(".") and path.name != "runs"}


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((REPOSITORY_FOLDER / "benchmark.json").read_text())
    return content


@pytest.fixture(scope="module")
def estimates(benchmark: dict[str, Any]) -> dict[tuple[str, str, object], dict[str, Any]]:
    """Micro-IoU on the working grid by model, city and cm/px."""
    return {
        (row["system"], row["dataset"], row["cm_per_px"]): row
        for row in benchmark["estimates"]
        if row["grid"] == "working" and row["metric"] == "micro_iou"
    }


def rows_of(page: str, columns: int) -> dict[str, list[str]]:
    """The cells of the page's table rows with that many columns after the first, by the first."""
    lines = [
        line.strip().removeprefix("|").removesuffix("|").split("|")
        for line in (PROJECT / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in lines if len(cells) == columns}


def cell(row: dict[str, Any]) -> str:
    """Bold where significantly better than Sci-Net, italic where significantly worse."""
    mark = ("**" if row["change"] > 0 else "*") if row["sure"] else ""
    return f"{mark}{row['value']:.3f}{mark}"


@pytest.mark.parametrize(
    "page, cities, models", [("README.md", ("accra", "banepa"), 5), ("docs/results.md", CITIES, len(MODELS))]
)
def test_every_score_is_the_benchmarks_and_marked_where_it_is_significant(
    page: str, cities: tuple[str, ...], models: int, estimates: dict[tuple[str, str, object], dict[str, Any]]
) -> None:
    rows = rows_of(page, len(cities) * len(GSDS))
    shown = {title: name for title, name in MODELS.items() if title in rows}
    assert len(shown) == models
    for title, name in shown.items():
        found = [estimates[name, city, gsd] for city in cities for gsd in GSDS]
        assert rows[title] == [cell(row) for row in found], title
        spread = rows.get(f"{title}, spread of seeds")
        assert (spread is not None) == (page == "docs/results.md" and found[0]["seeds"] > 1)
        if spread is not None:
            assert spread == [f"{row['seed_high'] - row['seed_low']:.3f}" for row in found]


def test_the_baseline_is_the_benchmarks(benchmark: dict[str, Any]) -> None:
    baseline = [f"{benchmark['everything_is_building'][city]:.3f}" for city in CITIES]
    row = rows_of("docs/results.md", len(CITIES) * len(GSDS))["Baseline: everything is building"]
    assert [cell for cell in row if cell] == baseline


def test_readme_fits_on_a_few_screens() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            assert heading in set(anchors(target)), link


def anchors(page: Path) -> Iterator[str]:
    """The anchors that GitHub gives to the headings of a page."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("#").strip().lower()
            yield re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_paths_in_the_text_exist(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for code in CODE.findall(text):
        path = code.partition("::")[0].removesuffix("/")
        if "/" in path and path.split("/")[0] in TOP_LEVEL and not re.search(r"[<*\s]", path):
            assert (PROJECT / path).exists(), code


def test_the_architecture_page_shows_the_layers_that_are_checked() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = next(block for language, block in BLOCK.findall(text) if language == "text").splitlines()
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [contract["layers"] for contract in contracts["contracts"] if contract["type"] == "layers"]
    (apps, library), in_scinet, in_pages = layers
    expected = [apps, "", f"{library}:", *in_scinet, "", "pages:", *in_pages]
    assert [line.strip() for line in shown] == expected


def test_changelog_and_citation_are_of_this_version() -> None:
    version = re.escape(scinet.__version__)
    headings = re.findall(r"^## (.*)$", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    newest = next((heading for heading in headings if heading != "Unreleased"), "")
    date = re.fullmatch(rf"{version} - (\d{{4}}-\d\d-\d\d)", newest)
    assert date
    citation = (PROJECT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {version}$", citation, re.MULTILINE)
    assert f"date-released: {date[1]}\n" in citation


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_python_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    town = make_town(seed=3, size_m=30)
    image = town.render(cm_per_px=20)
    tile = Raster(image.pixels, image.valid, from_origin(808_000, 618_000, 0.2, 0.2), rasterio.CRS.from_epsg(32630))
    profile = {"driver": "GTiff", "height": tile.height, "width": tile.width, "count": 3, "dtype": "uint8"}
    with rasterio.open("tile.tif", "w", crs=tile.crs, transform=tile.transform, **profile) as file:
        file.write(np.moveaxis(tile.pixels, -1, 0))
    write_footprints("tile.geojson", rasterize(town.footprints, image) > 0, tile)
    blocks = BLOCK.findall((PROJECT / page).read_text(encoding="utf-8"))
    examples = [text for language, text in blocks if language == "python"]
    assert examples
    names: dict[str, Any] = {}
    for text in examples:
        exec(compile(text, page, "exec"), names)
