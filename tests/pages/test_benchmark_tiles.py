"""Tiles, scenarios and masks of the page Benchmark, without a browser."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import streamlit as st

from pages.views.benchmark import scenarios, tile_list
from pages.views.benchmark.scored_models import models_of
from scinet.evaluation.benchmark import read_benchmark
from tests.pages.benchmark_app import estimate, opened


def test_the_tiles_behind_a_point_lead_to_explore(scored_village: Path, village: Path, monkeypatch) -> None:
    app = opened(scored_village, village, monkeypatch, section="Tiles", rank_at="20 cm/px", behind_system="UNet")
    links = [link.proto for link in app.get("page_link")]
    assert len(links) == 2 and all("IoU" in link.label for link in links)
    query = links[0].query_string
    assert "source=Tiles" in query and "city=Village" in query and "tile=" in query
    assert "gsd=20+cm%2Fpx" in query and "left_pane=UNet" in query and query.count("models=") == 2
    assert "strategy=Direct" in query and "places=Unknown+place" in query


def test_without_the_folder_of_tiles_they_are_named_without_links(scored_village, tmp_path, monkeypatch) -> None:
    app = opened(scored_village, tmp_path, monkeypatch, section="Tiles")
    assert not app.get("page_link")
    assert any("--data DIR" in caption.value for caption in app.caption)


def test_the_worst_tiles_come_first(scored_village: Path, village: Path, monkeypatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(scored_village))
    benchmark = read_benchmark(scored_village)
    tiles = benchmark.tiles
    tiles = tiles[(tiles["grid"] == "working") & (tiles["strategy"] == "direct")]
    rows = tiles[tiles["cm_per_px"] == 20].assign(seen_cm_per_px=20.0)
    rows["predicted"] = rows["shared"] = rows["true"]  # all is right, but in the west
    rows.loc[rows["image"] == "west.png", "shared"] = 0
    model = models_of(benchmark.models)["unet"]
    for by in ("IoU", "Wrong area"):
        worst = tile_list.worst_first(rows, model, 20.0, "working", by)
        assert worst["image"].tolist() == ["west.png", "east.png"]
        west = worst.iloc[0]
        assert west["wrong_m2"] == pytest.approx((west["true"] + west["predicted"]) * 0.04)


def test_more_of_the_tiles_can_be_listed(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"section": "Tiles", "rank_at": "40 cm/px", "behind_system": "MANet", "behind_by": "IoU"}
    app = opened(nine_models, tmp_path, monkeypatch, **query)
    assert any("of MANet at 40 cm/px" in caption.value for caption in app.caption)
    app.button(key="behind_more").click().run()
    listed = [caption.value for caption in app.caption if ": IoU" in caption.value]
    assert len(listed) == 36
    ious = [float(text.split("IoU ")[1].split(" ")[0]) for text in listed]
    assert ious == sorted(ious)


def test_scenarios_have_the_scores_of_their_tiles_and_lead_to_them(nine_models: Path, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "with-traits"
    shutil.copytree(nine_models, folder)
    tiles = pd.read_parquet(folder / "benchmark.parquet")
    is_accra = tiles["dataset"] == "accra"
    traits = {"built_share": 0.5, "median_building_m2": 80.0, "touching_share": 0.0, "roof_brightness": 0.6}
    tiles.assign(
        **{name: [value if accra else 0.0 for accra in is_accra] for name, value in traits.items()}
    ).to_parquet(folder / "benchmark.parquet")
    app = opened(folder, tmp_path, monkeypatch, section="Scenarios", rank_at="20 cm/px")
    (table,) = app.dataframe
    row = estimate(nine_models, "unet", "accra", 20, "micro_iou")
    for scenario in ("Place: Accra (24 tiles)", "Density: dense (24 tiles)", "Size: medium (24 tiles)"):
        assert table.value.loc[scenario, "UNet"] == pytest.approx(row["value"], abs=1e-5)

    query = {"section": "Tiles", "scenario": "Density: dense", "behind_system": "UNet"}
    app = opened(folder, tmp_path, monkeypatch, **query)
    assert any(caption.value.startswith("24 tiles of UNet") for caption in app.caption)


def test_a_click_on_a_scenario_leads_to_its_tiles(monkeypatch) -> None:
    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    place = scenarios.Place("Density: dense", "", frozenset({"a.png"}))
    model = SimpleNamespace(name="unet", title="UNet")
    scenarios.take({"selection": {"cells": []}}, [place], [model])
    assert "section" not in state
    scenarios.take({"selection": {"cells": [(0, "UNet")]}}, [place], [model])
    assert (state["section"], state["scenario"], state["behind_system"]) == ("Tiles", "Density: dense", "unet")


@pytest.mark.parametrize(
    "low, value, high, colour",
    [(0.72, 0.75, 0.8, "PASSES"), (0.5, 0.6, 0.65, "FAILS"), (0.6, 0.68, 0.75, "UNLIKELY"), (0.65, 0.72, 0.8, "")],
)
def test_red_is_strong_where_the_whole_interval_fails(low: float, value: float, high: float, colour: str) -> None:
    style = scenarios._colour(SimpleNamespace(low=low, value=value, high=high), 0.7)
    assert style == (f"background-color: {getattr(scenarios, colour)}" if colour else "")


def test_figure_6_draws_the_masks_on_board_and_offers_the_others(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, section="Figure 6", figure_6_tiles="Accra, a building site")
    known = [link.proto for link in app.get("page_link")]
    assert len(known) + len([b for b in app.button if "Draw the missing 1 mask" in b.label]) == 1  # UNet alone is here
    assert all("IoU" in link.label and "example=Accra" in link.query_string for link in known)
    assert [button.proto.label for button in app.get("download_button")][-1] == "Download as PNG"


def test_the_masks_of_the_worst_tiles_are_drawn_on_demand(scored_village: Path, village: Path, monkeypatch) -> None:
    query = {"section": "Tiles", "tiles_as": "Masks", "rank_at": "20 cm/px"}
    app = opened(scored_village, village, monkeypatch, **query)
    app.button(key="draw-tiles").click().run()
    assert not app.exception
    links = [link.proto for link in app.get("page_link")]
    assert len(links) == 2 * 2  # tiles and models
    listed = read_benchmark(scored_village).tiles
    rows = listed[(listed["cm_per_px"] == 20) & (listed["grid"] == "working") & (listed["strategy"] == "direct")]
    ious = {
        f"IoU {(row.shared + 1e-4) / (row.true + row.predicted - row.shared + 1e-4):.2f} →" for row in rows.itertuples()
    }
    assert {link.label for link in links} == ious
