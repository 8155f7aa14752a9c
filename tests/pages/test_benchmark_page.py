"""The page Benchmark without a browser: on scores of the village, and on those on board."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.app.state import SESSION
from pages.views.benchmark import figure_5, tables, tile_list
from pages.views.benchmark.selection import models_of
from scinet.evaluation.benchmark import read_benchmark
from scinet.models.architectures import NAMES
from scinet.models.card import REPOSITORY_FOLDER
from tests.pages.samples import PROJECT, session_of


def opened(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    monkeypatch.setenv("SCINET_DATA", str(data))
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page("pages/benchmark.py").run()
    assert not app.exception
    return app


@pytest.fixture(scope="module")
def nine_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark on board, of nine models, of which only UNet is on board."""
    folder = tmp_path_factory.mktemp("nine")
    for pattern in ("benchmark.*", "unet.*"):
        for path in REPOSITORY_FOLDER.glob(pattern):
            shutil.copy(path, folder)
    return folder


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def charts(app: AppTest) -> list[dict]:
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def test_the_tiles_behind_a_point_lead_to_explore(scored_village: Path, village: Path, monkeypatch) -> None:
    app = opened(scored_village, village, monkeypatch)
    app.selectbox(key="behind_system").set_value("unet").run()
    app.selectbox(key="behind_gsd").set_value(20.0).run()
    both, *links = [link.proto for link in app.get("page_link")]
    assert both.query_string in ("models=Sci-Net&models=UNet", "models=UNet&models=Sci-Net")
    assert len(links) == 2 and all(link.page == "explore" and "IoU" in link.label for link in links)
    query = links[0].query_string
    assert "source=Tiles" in query and "city=Village" in query and "tile=" in query
    assert "gsd=20+cm%2Fpx" in query and "left_pane=UNet" in query and query.count("models=") == 2


def test_without_the_folder_of_tiles_they_are_named_without_links(scored_village, tmp_path, monkeypatch) -> None:
    app = opened(scored_village, tmp_path, monkeypatch)
    assert len(app.get("page_link")) == 1  # to Explore as it stands
    assert any("--data DIR" in caption.value for caption in app.caption)


def test_the_worst_tiles_come_first(scored_village: Path, village: Path, monkeypatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(scored_village))
    benchmark = read_benchmark(scored_village)
    tiles = benchmark.tiles
    tiles = tiles[(tiles["grid"] == "working") & (tiles["strategy"] == "direct")]
    rows = tiles[tiles["cm_per_px"] == 20].assign(seen_cm_per_px=20.0)
    rows["predicted"] = rows["shared"] = rows["true"]  # all is right, but in the west
    rows.loc[rows["image"] == "west.png", "shared"] = 0
    model = models_of(benchmark)["unet"]
    for by in ("IoU", "Wrong area"):
        worst = tile_list.worst_first(rows, model, 20.0, "working", by)
        assert worst["image"].tolist() == ["west.png", "east.png"]
        west = worst.iloc[0]
        assert west["wrong_m2"] == pytest.approx((west["true"] + west["predicted"]) * 0.04)


def test_a_click_is_what_the_list_shows(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch)
    session_of(app).clicked_point = ("manet", 40.0, "macro_iou")
    app.run()
    assert (app.selectbox(key="behind_system").value, app.selectbox(key="behind_gsd").value) == ("manet", 40.0)
    assert app.segmented_control(key="behind_by").value == "IoU"
    app.button(key="behind_more").click().run()
    listed = [caption.value for caption in app.caption if ": IoU" in caption.value]
    assert len(listed) == 36
    ious = [float(text.split("IoU ")[1].split(" ")[0]) for text in listed]
    assert ious == sorted(ious)


def test_only_a_click_on_a_point_counts(monkeypatch) -> None:
    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    figure_5.take({"selection": {"points": []}}, "micro_iou")
    figure_5.take({"selection": {"points": [{"x": 1, "y": 2}]}}, "micro_iou")
    assert SESSION not in state or state[SESSION].clicked_point is None
    figure_5.take({"selection": {"points": [{"customdata": ["unet", "7.5", "0.1", "0.2"]}]}}, "micro_iou")
    assert state[SESSION].clicked_point == ("unet", 7.5, "micro_iou")


def test_seeds_count_as_one_model_and_variants_as_separate_ones(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch)
    assert len(app.multiselect(key="systems").options) == len(NAMES) + 2
    figure = charts(app)[0]
    lines = [trace for trace in figure["data"] if trace.get("mode") == "lines+markers"]
    assert len(lines) == len(figure["data"]) / 2 == 9  # a band each
    dashed = {trace["name"] for trace in lines if trace["line"]["dash"] == "dash"}
    assert dashed == {f"{title} (trained at native resolution)" for title in ("Sci-Net", "UNet")}
    assert dashed == {trace["name"] for trace in lines if trace["marker"]["symbol"].endswith("-open")}
    low, high = figure["layout"]["yaxis"]["range"]
    bounds = [bound for trace in lines for *_, least, most in trace["customdata"] for bound in (least, most)]
    assert 0 <= low + 0.002 < min(bounds) and max(bounds) < high <= 1.002
    scored = read_benchmark(nine_models)
    assert scored is not None
    seeds = len(models_of(scored)["sci-net"].seeds)
    assert seeds > 1 and html(app).count(f"{seeds} seeds") == 2 * 2  # of two models, in two legends
    assert html(app).count("lowest to highest seed") == 1  # bars in figure 5 alone
    assert html(app).count("not on board") == 2 * 8  # two legends


def test_the_ranking_follows_the_resolution_and_the_score(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, rank_at="40 cm/px", metric="Macro-IoU")
    assert app.select_slider(key="rank_at").value == 40.0
    estimates = pd.DataFrame(json.loads((nine_models / "benchmark.json").read_text())["estimates"])
    assert "Macro-IoU" in html(app) and "comes first" in html(app)
    app.selectbox(key="tiles_of").set_value("Accra, 5.2 cm/px").run()
    accra = estimates[
        (estimates["dataset"] == "accra")
        & (estimates["cm_per_px"] == 40)
        & (estimates["grid"] == "working")
        & (estimates["metric"] == "macro_iou")
    ]
    best = accra.sort_values("value").iloc[-1]
    assert f"<b>{best['value']:.3f}</b>" in html(app)  # the same figure as evaluate has written
    assert f"{best['low']:.3f} to {best['high']:.3f}" in html(app)


def test_the_papers_figures_are_next_to_ours_with_remarks(nine_models: Path, tmp_path, monkeypatch) -> None:
    text = html(opened(nine_models, tmp_path, monkeypatch))
    assert text.count("82.25") >= 2 and "gives 90.26" in text
    assert text.count("sn-printed") > 40


def test_own_gsd_shows_every_tile_once(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, axis="Own GSD")
    line = next(trace for trace in charts(app)[0]["data"] if trace.get("mode") == "lines+markers")
    assert [point[1] for point in line["customdata"]] == [5.2, 7.4, 7.5, 13.0, 15.0, 30.0]


def test_missing_and_damaged_files_are_reported(tmp_path, monkeypatch) -> None:
    assert "training.benchmark" in opened(tmp_path, tmp_path, monkeypatch).info[0].value
    (tmp_path / "benchmark.json").write_text("{")
    assert "cannot be read" in opened(tmp_path, tmp_path, monkeypatch).error[0].value


@pytest.mark.parametrize(
    "change, of_seeds, said",
    [
        (0.0004, {"seeds": 3, "sure": True}, "are level: 0.675 and 0.675."),
        (0.0054, {"seeds": 3, "sure": True}, "of 0.005 is larger than the choice of tiles or another training seed"),
        (0.0054, {"seeds": 3, "sure": False}, "but another training seed may change the order."),
        (0.0054, {"seeds": 1, "sure": True}, "but another training seed may change the order."),
        (0.0009, {"seeds": 3, "sure": False}, "is no larger than the choice of tiles explains."),
    ],
)
def test_the_answer_says_what_tiles_and_seeds_could_change(change: float, of_seeds: dict, said: str) -> None:
    def row(change: float) -> SimpleNamespace:
        interval = {"change_low": change - 0.001, "change_high": change + 0.001}
        return SimpleNamespace(value=0.6746 + change, change=change, **interval, **of_seeds)

    ranked = [SimpleNamespace(name=name, title=name) for name in ("unet", "sci-net")]
    answer = tables.lead_in_words(ranked, {"unet": row(change), "sci-net": row(0.0)})
    assert said in answer and answer.startswith("<b>unet</b>")


def test_the_strategy_and_object_scores_can_be_chosen(scored_village: Path, village: Path, monkeypatch) -> None:
    app = opened(scored_village, village, monkeypatch, metric="Object F1", scored_by="Direct")
    assert app.selectbox(key="scored_by").options == ["Direct", "Best scale, unknown places"]
    text = html(app)
    assert "Object F1" in text and "Count error" in text and "&lt;20 m²" in text
    assert "What scale buys" in text and "Scale buys <b>+0.000</b>" in text  # the village's models have no scales
    figures = [chart for chart in charts(app) if chart["layout"].get("clickmode") == "event+select"]
    assert len(figures) == 10  # scores of objects


def test_old_rows_are_direct_and_say_how_to_count_objects(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch)
    assert app.selectbox(key="scored_by").options == ["Direct"]
    assert app.selectbox(key="metric").options == ["Micro-IoU", "Micro-F1", "Macro-IoU", "Macro-F1"]
    assert any("training.benchmark" in info.value for info in app.info)


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
    assert any("published: 0.656" in json.dumps(chart) for chart in charts(app))
    app.segmented_control(key="score_grid").set_value("Working").run()
    assert "0.656" not in html(app)  # published on the image's own grid
    assert not re.search(r"\bnan\b", html(app))
