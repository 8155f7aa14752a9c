"""Texts of files on every page: names, cities, licences, layers, cards and scores are shown but do not act."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import pytest
from google.protobuf.message import Message
from markdown_it import MarkdownIt
from shapely import box, to_wkb
from streamlit.testing.v1 import AppTest

from scinet.evaluation.benchmark_rows import TEXT_COLUMNS
from tests.pages.samples import PROJECT, geotiff, house
from tests.png import png

HOSTILE = '"><img src=evil>![evil](evil)[evil](evil)'
# Fields of Streamlit's messages that the browser renders as Markdown
MARKDOWN_FIELDS = {"body", "label", "help", "text", "content", "caption"}


class Addresses(HTMLParser):
    """The addresses that a piece of HTML leads to or fetches."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("src", "href", "onerror")]


def texts(message: Message, is_html: bool = False) -> Iterator[tuple[str, bool]]:
    """The texts of a message that the browser renders, and whether they are HTML."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in values:
                yield from texts(each, field.message_type.name == "Html")
        elif field.name in MARKDOWN_FIELDS and isinstance(value, str):
            yield value, is_html


def check(app: AppTest) -> None:
    """Nothing on the page leads to the hostile address, and the hostile text is on it."""
    assert not app.exception
    seen = 0
    for node in app._tree:
        proto = getattr(node, "proto", None)
        if not isinstance(proto, Message):
            continue
        is_html = type(proto).__name__ == "Html"
        for text, inner_is_html in texts(proto, is_html):
            seen += "evil" in text
            html = text if inner_is_html else MarkdownIt("commonmark", {"html": True}).render(text)
            assert "evil" not in Addresses(html).found, text
    assert seen


@pytest.fixture
def place(random_checkpoints: Path, village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tiles and one of models whose every text is hostile."""
    tiles, models = tmp_path / "tiles", tmp_path / "models"
    tiles.mkdir()
    models.mkdir()
    image, mask = house()
    (tiles / f"{HOSTILE}.png").write_bytes(png(image))
    (tiles / "mask.png").write_bytes(png(mask))
    row = {"image": f"{HOSTILE}.png", "mask": "mask.png", "city": HOSTILE, "cm_per_px": 10, "width": 64, "height": 64}
    table = pd.DataFrame([row | {"dataset": HOSTILE, "country": HOSTILE, "split": "test", "licence": HOSTILE}])
    table.to_csv(tiles / "index.csv", index=False)
    card = json.loads((random_checkpoints / "unet.json").read_text())
    card |= {
        "name": HOSTILE,
        "revision": HOSTILE,
        "settings": {
            "recipe": {"epochs": HOSTILE, "selection": [HOSTILE]},
            "deviations_from_the_paper": [HOSTILE],
            "started_from": {"epoch": HOSTILE, "chips_seen": HOSTILE},
            "encoder_weights": {"teacher": HOSTILE, "chips": HOSTILE},
        },
        "data": [{"dataset": HOSTILE, "tiles": HOSTILE, "licence": HOSTILE, "cm_per_px": [HOSTILE]}],
        "scores": {HOSTILE: HOSTILE},
    }
    (models / f"{HOSTILE}.json").write_text(json.dumps(card))
    for name in (HOSTILE, "unet"):
        shutil.copy(random_checkpoints / "unet.safetensors", models / f"{name}.safetensors")
    shutil.copy(random_checkpoints / "unet.json", models / "unet.json")
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(models))
    monkeypatch.setenv("SCINET_DATA", str(tiles))
    return tmp_path


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
    for name, value in query.items():
        app.query_params[name] = value
    return app


def test_explore_and_sweep(place: Path) -> None:
    app = opened(source="Tiles")
    app.run()
    check(app)
    app.switch_page("pages/sweep.py").run()
    check(app)


def test_models(place: Path) -> None:
    (place / "models" / "unet.json").unlink()
    app = opened(source="Tiles").run()
    app.switch_page("pages/models.py").run()
    check(app)


def test_benchmark(place: Path, scored_village: Path) -> None:
    models = place / "models"
    table = pd.read_parquet(scored_village / "benchmark.parquet")
    for name in TEXT_COLUMNS - {"grid", "strategy"}:
        table[name] = [value if value == "unet" else f"{HOSTILE}{value}" for value in table[name]]
    table.to_parquet(models / "benchmark.parquet")
    content = json.loads((scored_village / "benchmark.json").read_text())
    for row in content["rows"]:
        row["dataset"] = f"{HOSTILE}{row['dataset']}"
        row["model"] = row["model"] if row["model"] == "unet" else f"{HOSTILE}{row['model']}"
    content["everything_is_building"] = {f"{HOSTILE}{name}": 0.3 for name in content["everything_is_building"]}
    (models / "benchmark.json").write_text(json.dumps(content))
    app = opened(source="Tiles").run()
    for page in ("pages/benchmark.py", "pages/models.py"):
        app.switch_page(page).run()
        check(app)


def two_layers(folder: Path) -> bytes:
    """A GeoPackage of two layers of polygons, one under a hostile name, which GDAL would not write."""
    path = folder / "a.gpkg"
    house_wkb = to_wkb(np.array([box(0, 0, 1, 1)]))
    for name in ("a", "b"):
        options = {"geometry_type": "Polygon", "crs": "EPSG:4326", "append": path.exists(), "SPATIAL_INDEX": "NO"}
        pyogrio.raw.write(path, house_wkb, [], [], layer=name, **options)
    quoted = HOSTILE.replace('"', '""')
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(f'ALTER TABLE a RENAME TO "{quoted}"')
        for table in ("gpkg_contents", "gpkg_geometry_columns", "gpkg_ogr_contents"):
            database.execute(f"UPDATE {table} SET table_name = ? WHERE table_name = 'a'", (HOSTILE,))
        database.commit()
    return path.read_bytes()


@pytest.mark.parametrize("truth", ["layers", "mask", "text"])
def test_uploads(app: AppTest, truth: str, tmp_path: Path) -> None:
    app.query_params["source"] = "Upload"
    app.run()
    app.file_uploader(key="image_file").set_value((f"{HOSTILE}.tif", geotiff(), "image/tiff")).run()
    suffix, content = {
        "layers": ("gpkg", two_layers(tmp_path)),
        "mask": ("png", png(house()[1])),
        "text": ("kml", b"text"),
    }[truth]
    app.file_uploader(key="truth_file").set_value((f"{HOSTILE}.{suffix}", content, "application/octet-stream")).run()
    check(app)
    if truth == "layers":
        assert "several layers" in app.error[0].value


def test_custom_models(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/models.py").run()
    app.file_uploader(key="custom_file").set_value((f"{HOSTILE}.onnx", b"no model", "application/octet-stream")).run()
    app.button(key="custom_add").click().run()
    check(app)
