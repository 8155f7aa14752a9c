"""One's own model on the page Benchmark: scored in the background, or opened from a file."""

import time
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.app import runs
from pages.app.scoring import Scoring
from pages.views.benchmark import places
from scinet.evaluation import tile_scoring
from scinet.evaluation.benchmark import read_benchmark
from scinet.evaluation.benchmark_rows import read_rows, rows_to_parquet
from scinet.evaluation.tile_scoring import tiles_to_score
from scinet.models.card import list_models
from tests.pages.samples import session_of
from tests.pages.test_benchmark_page import html, opened


@pytest.fixture
def on_tab(scored_village: Path, village: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return opened(scored_village, village, monkeypatch, section="My model")


def test_a_scored_model_is_a_row_like_the_others(on_tab: AppTest, scored_village: Path) -> None:
    on_tab.selectbox(key="score_model").set_value("unet")
    on_tab.button(key="score_start").click().run()
    (scoring,) = session_of(on_tab).scorings.values()
    scoring.join()
    assert scoring.problem == "" and scoring.progress == 1.0
    on_tab.run()
    assert any("2 of 2 tiles scored" in text.value for text in on_tab.markdown)
    assert "unet (scored here)" in on_tab.multiselect(key="systems").value
    on_tab.query_params["section"] = "Answer"
    on_tab.run()
    known = read_benchmark(scored_village)
    assert known is not None
    ours, theirs = scoring.rows(), known.tiles[known.tiles["model"] == "unet"]
    order = ["image", "cm_per_px", "grid", "strategy"]
    pd.testing.assert_frame_equal(  # the same model on the same tiles
        ours.sort_values(order)[[*order, "shared", "predicted"]].reset_index(drop=True),
        theirs.sort_values(order)[[*order, "shared", "predicted"]].reset_index(drop=True),
        check_dtype=False,
    )
    again = read_rows(rows_to_parquet(ours), "mine.parquet")
    assert len(again) == len(ours)


def test_rows_of_a_file_stay_until_they_are_removed(on_tab: AppTest, scored_village: Path) -> None:
    rows = read_benchmark(scored_village).tiles
    content = rows_to_parquet(rows[rows["model"] == "unet"].assign(model="mine"))
    on_tab.file_uploader(key="rows_files").set_value([("mine.parquet", content, "")]).run()
    assert "mine" in on_tab.multiselect(key="systems").value
    on_tab.button(key="rows_remove_mine.parquet").click().run()  # though the uploader still holds the file
    assert "mine" not in on_tab.multiselect(key="systems").options
    on_tab.file_uploader(key="rows_files").set_value([("notes.parquet", b"PAR1, so to say", "")]).run()
    assert any("notes.parquet is not a file of scored tiles" in error.value for error in on_tab.error)


def test_a_file_of_the_benchmarks_own_names_gets_its_file_name(
    scored_village: Path, village: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(scored_village, village, monkeypatch)
    rows = read_benchmark(scored_village).tiles
    session_of(app).opened_rows["mine.parquet"] = rows[rows["model"] == "unet"]
    app.run()
    assert set(app.multiselect(key="systems").value) == {"sci-net", "unet", "unet (mine.parquet)"}
    assert html(app).count("unet (mine.parquet)") >= 1
    del session_of(app).opened_rows["mine.parquet"]
    app.run()
    assert set(app.multiselect(key="systems").value) == {"sci-net", "unet"}


def test_a_cancelled_run_keeps_its_tiles_and_goes_on(
    scored_village: Path, village: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(scored_village))
    monkeypatch.setattr(st, "session_state", {})
    asked: list[str] = []
    may_go_on = Event()

    def slow(model: Any, folder: Path, strategies: Any, tile: Any, progress: Any) -> list[dict[str, Any]]:
        asked.append(tile.image.name)
        while tile.image.name == "west.png" and not may_go_on.is_set():
            progress(0.5)
            time.sleep(0.01)
        row = {"model": "unet", "image": tile.image.name, "weights": card.sha256}
        return [{**row, "strategy": name} for name in strategies]

    monkeypatch.setattr(tile_scoring, "score_tile", slow)
    monkeypatch.setattr(runs, "model_of", lambda card: None)
    card = next(card for card in list_models() if card.name == "unet")
    scoring = Scoring(card, village, tiles_to_score(village))
    scoring.start()
    while scoring.progress < 0.75:
        time.sleep(0.01)
    scoring.cancel()
    scoring.join()
    assert scoring.done == {"east.png"} and not scoring.is_running
    may_go_on.set()
    scoring.start()
    scoring.join()
    assert asked.count("east.png") == 1 and scoring.progress == 1.0
    assert set(scoring.rows()["image"]) == {"east.png", "west.png"}


def test_tiles_that_only_own_models_were_scored_on_are_sets_of_their_own(scored_village: Path) -> None:
    tiles = read_benchmark(scored_village).tiles
    own = tiles[tiles["model"] == "unet"].assign(model="mine", image=lambda rows: "mine/" + rows["image"])
    known = frozenset(tiles["image"])
    sets = places.tile_sets(pd.concat([tiles, own]), [], known)
    assert {name: set(images) for name, images in sets.items()} == {
        "Village, 10 cm/px": {"east.png", "west.png"},
        "Own tiles: Village, 10 cm/px": {"mine/east.png", "mine/west.png"},
    }
    assert sets["Village, 10 cm/px"] == places.tile_sets(tiles, [], known)["Village, 10 cm/px"]
