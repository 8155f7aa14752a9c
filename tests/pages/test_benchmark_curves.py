"""The charts of the page Benchmark, without a browser."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st

from pages.views.benchmark import curves
from pages.views.benchmark.scored_models import ScoredModel, by_another_recipe, models_of
from scinet.evaluation.benchmark import read_benchmark
from scinet.models.architectures import NAMES
from scinet.models.card import Card
from tests.pages.benchmark_app import charts, estimate, html, opened


def test_a_click_on_a_point_leads_to_its_tiles(monkeypatch) -> None:
    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    curves.take({"selection": {"points": []}}, "unet", "micro_iou")
    curves.take({"selection": {"points": [{"x": 1, "y": 2}]}}, "unet", "micro_iou")
    assert "section" not in state
    points = [{"customdata": [name, "7.5", "0.1", "0.2"]} for name in ("manet", "unet")]  # all at one cm/px
    curves.take({"selection": {"points": points}}, "unet", "macro_iou")
    assert (state["section"], state["behind_system"], state["rank_at"]) == ("Tiles", "unet", 7.5)
    assert state["behind_by"] == "IoU"
    curves.take({"selection": {"points": points[:1]}}, "unet", "micro_iou")
    assert (state["behind_system"], state["behind_by"]) == ("manet", "Wrong area")


def test_one_line_stands_out_of_the_grey_ones(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, section="By resolution", stands_out="UNet")
    models = models_of(read_benchmark(nine_models).models)
    assert len(app.multiselect(key="systems").options) == len(models) > len(NAMES)
    (figure,) = charts(app)
    lines = figure["data"]
    assert len(lines) == len(models) and figure["layout"]["hovermode"] == "x unified"
    coloured = [line["name"] for line in lines if line["line"]["color"] != curves.GREY_LINE]
    assert coloured == ["UNet"] and lines[-1]["name"] == "UNet"  # on top
    dashed = {line["name"] for line in lines if line["line"]["dash"] == "dash"}
    assert dashed == {model.title for model in models.values() if model.is_variant}
    assert "UNet (trained at native resolution)" in dashed
    assert dashed == {line["name"] for line in lines if line["marker"]["symbol"].endswith("-open")}
    assert figure["layout"]["yaxis"]["title"]["text"] == "Micro-IoU"

    app.toggle(key="intervals").set_value(True).run()
    (figure,) = charts(app)
    (band,) = [trace for trace in figure["data"] if trace.get("fill") == "toself"]  # of the one that stands out
    bars = [trace["name"] for trace in figure["data"] if trace.get("error_y", {}).get("visible")]
    assert len(band["x"]) == 2 * 7  # there and back
    assert bars == (["UNet"] if len(models["unet"].seeds) > 1 else [])


def test_differences_are_those_of_the_benchmark(nine_models: Path, tmp_path, monkeypatch) -> None:
    view = {"view": "Difference from Sci-Net", "tiles_of": "Accra, 5.2 cm/px · 24 tiles"}
    app = opened(nine_models, tmp_path, monkeypatch, section="By resolution", **view)
    (figure,) = charts(app)
    assert {line["name"] for line in figure["data"]} == {
        model.title for name, model in models_of(read_benchmark(nine_models).models).items() if name != "sci-net"
    }
    row = estimate(nine_models, "unet", "accra", 40, "micro_iou")
    unet = next(line for line in figure["data"] if line["name"] == "UNet")
    shown = {point[1]: point[2:] for point in unet["customdata"]}
    assert shown[40] == pytest.approx([row["change_low"], row["change_high"]], abs=1e-5)


def test_each_city_has_a_chart_of_its_finest_tiles(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, section="By resolution", view="By city")
    assert len(charts(app)) == 4
    assert "Accra, 24 tiles" in html(app) and "Banepa, 48 tiles" in html(app)
    row = estimate(nine_models, "unet", "accra", 20, "micro_iou")
    unet = next(line for line in charts(app)[0]["data"] if line["name"] == "UNet")
    shown = {point[1]: point[2:] for point in unet["customdata"]}
    assert shown[20] == pytest.approx([row["low"], row["high"]], abs=1e-5)


def test_the_papers_figures_are_next_to_ours_with_remarks(nine_models: Path, tmp_path, monkeypatch) -> None:
    text = html(opened(nine_models, tmp_path, monkeypatch, section="Tables"))
    tiles = read_benchmark(nine_models).tiles
    tiles = tiles[tiles["is_native"] & (tiles["grid"] == "working") & (tiles["strategy"] == "direct")]
    sums = tiles[(tiles["model"] == "pspnet") & (tiles["dataset"] != "hot_banepa")][
        ["true", "predicted", "shared"]
    ].sum()
    ours = sums["shared"] / (sums["true"] + sums["predicted"] - sums["shared"])
    assert f"<b>{100 * ours:.2f}</b>" in text
    assert text.count("82.25") >= 2 and "gives 90.26" in text
    assert text.count("sn-printed") > 40


def test_own_gsd_shows_every_tile_once(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, section="By resolution", axis="Own GSD")
    (figure,) = charts(app)
    assert [point[1] for point in figure["data"][0]["customdata"]] == [5.2, 7.4, 7.5, 13.0, 15.0, 30.0]
    assert "the paper's, over all resolutions: 0.823" in json.dumps(figure)


def test_scores_are_drawn_against_both_costs(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"rank_at": "20 cm/px", "tiles_of": "Accra, 5.2 cm/px · 24 tiles"}
    app = opened(nine_models, tmp_path, monkeypatch, section="Cost", **query)
    (point,) = [trace for trace in charts(app)[0]["data"] if trace["name"] == "UNet"]
    assert point["y"] == pytest.approx([estimate(nine_models, "unet", "accra", 20, "micro_iou")["value"]], abs=1e-5)
    titles = [figure["layout"]["xaxis"]["title"]["text"] for figure in charts(app)]
    assert titles == ["GMACs at 1024 px", "Seconds for 1024 px on a CPU"]


def test_a_published_score_is_a_line_and_a_row(nine_models: Path, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "published"
    shutil.copytree(nine_models, folder)
    tiles = pd.read_parquet(folder / "benchmark.parquet")
    scene = tiles[tiles["image"] == tiles.loc[tiles["dataset"] == "banepa", "image"].iloc[0]]
    scene = scene.assign(dataset="hot_banepa", image="hot_banepa/test.tif", native_cm_per_px=53.0)
    pd.concat([tiles, scene]).to_parquet(folder / "benchmark.parquet")
    app = opened(folder, tmp_path, monkeypatch, tiles_of="Banepa (HOT), 53 cm/px · 1 tile", score_grid="Native")
    assert app.selectbox(key="tiles_of").value == "Banepa (HOT), 53 cm/px"
    assert "0.656" in html(app) and "on a single image" in html(app)
    bound = {"tiles_of": "Banepa (HOT), 53 cm/px · 1 tile", "score_grid": "Native", "section": "By resolution"}
    assert "published: 0.656" in json.dumps(charts(opened(folder, tmp_path, monkeypatch, **bound)))
    app.segmented_control(key="score_grid").set_value("Working").run()
    assert "0.656" not in html(app)  # published on the image's own grid
    assert not re.search(r"\bnan\b", html(app))


def test_former_recipes_are_offered_and_not_shown_at_first(nine_models: Path, tmp_path, monkeypatch) -> None:
    folder = shutil.copytree(nine_models, tmp_path / "former")
    tiles = pd.read_parquet(folder / "benchmark.parquet")
    tiles = tiles[tiles["model"].isin(["sci-net", "unet"])]
    former = tiles[tiles["model"] == "unet"].assign(model="unet-november")
    pd.concat([tiles, former]).to_parquet(folder / "benchmark.parquet")
    app = opened(folder, tmp_path, monkeypatch, section="By resolution")
    assert app.multiselect(key="systems").options == ["Sci-Net", "UNet", "UNet (recipe of November)"]
    assert app.multiselect(key="systems").value == ["sci-net", "unet"]


def test_models_of_another_recipe_are_named() -> None:
    def model(name: str, **recipe: float) -> ScoredModel:
        card = Card(name, name, (2.5, 60.0), 576, settings={"recipe": recipe})
        return ScoredModel(name, name, (name,), (card,))

    models = [model("unet", epochs=15, seed=0), model("manet", epochs=10), model("pspnet", epochs=15, seed=1)]
    assert [each.name for each in by_another_recipe(models)] == ["manet"]
    assert by_another_recipe([ScoredModel("unet", "unet", ("unet",), ())]) == []
