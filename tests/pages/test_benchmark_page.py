"""The page Benchmark without a browser: on scores of the village, and on those on board."""

import json
import re
import shutil
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.views.benchmark import answer, curves, downloads, scenarios, tile_list
from pages.views.benchmark.scored_models import models_of
from pages.views.benchmark.selection import scored_by_all
from scinet.evaluation.benchmark import read_benchmark
from scinet.evaluation.benchmark_rows import LATER_COLUMNS, TILE_COLUMNS, rows_to_parquet
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS
from scinet.models.architectures import NAMES
from scinet.models.card import REPOSITORY_FOLDER
from tests.pages.samples import PROJECT


def opened(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    monkeypatch.setenv("SCINET_DATA", str(data))
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
    for key, value in {"scored_by": "Direct", **query}.items():
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


def estimate(folder: Path, system: str, dataset: str, cm_per_px: float, metric: str) -> dict:
    """A row of what training.benchmark has written."""
    rows = json.loads((folder / "benchmark.json").read_text())["estimates"]
    wanted = {"system": system, "dataset": dataset, "cm_per_px": cm_per_px, "metric": metric, "grid": "working"}
    (row,) = [row for row in rows if wanted.items() <= row.items() and row.get("strategy", "direct") == "direct"]
    return row


def test_the_ranking_follows_the_resolution_and_the_score(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"rank_at": "40 cm/px", "metric": "Macro-IoU", "tiles_of": "Accra, 5.2 cm/px · 24 tiles"}
    app = opened(nine_models, tmp_path, monkeypatch, **query)
    assert app.select_slider(key="rank_at").value == 40.0
    assert "Macro-IoU" in html(app) and "At 40 cm/px in Accra, 5.2 cm/px, use" in html(app)
    rows = [estimate(nine_models, name, "accra", 40, "macro_iou") for name in NAMES]
    best = max(rows, key=lambda row: row["value"])
    assert f"<b>{best['value']:.3f}</b>" in html(app)  # the same figure as evaluate has written
    assert f"{best['low']:.3f} to {best['high']:.3f}" in html(app)


def test_the_answer_says_who_reaches_the_target_and_how_far(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"rank_at": "20 cm/px", "tiles_of": "Accra, 5.2 cm/px · 24 tiles", "systems": "UNet", "pass_mark": "0.6"}
    app = opened(nine_models, tmp_path, monkeypatch, **query)
    by_step = {
        step: estimate(nine_models, "unet", "accra", step, "micro_iou") for step in (7.5, 10, 15, 20, 30, 40, 60)
    }
    held = max(step for step, row in by_step.items() if row["value"] >= 0.6)
    sure = int(by_step[20]["low"] >= 0.6)
    assert f"reached by 1 of 1 models, by {sure} of them for sure" in html(app) or not sure
    assert f"reaches it up to {held:g} cm/px" in html(app)
    app.number_input(key="pass_mark").set_value(0.95).run()
    assert "No model reaches the target of 0.95" in html(app) and '<span class="sn-worse">no</span>' in html(app)


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
    assert said in answer.lead_in_words(ranked, {"unet": row(change), "sci-net": row(0.0)})


def test_the_strategy_and_object_scores_can_be_chosen(scored_village: Path, village: Path, monkeypatch) -> None:
    query = {"section": "Tables", "metric": "Object F1", "scored_by": "Direct"}
    app = opened(scored_village, village, monkeypatch, table="Buildings counted", **query)
    assert app.selectbox(key="scored_by").options == ["Direct", "Best scale, unknown places"]
    assert "Count error" in html(app) and "&lt;20 m²" in html(app)
    app.segmented_control(key="table").set_value("Scale and architecture").run()
    assert "What scale buys" in html(app) and "Scale buys <b>+0.000</b>" in html(app)  # these models have no scales
    app = opened(scored_village, village, monkeypatch, section="By resolution", metric="Object F1")
    assert charts(app)[0]["layout"]["yaxis"]["title"]["text"] == "Object F1"


def test_every_table_can_be_reached(nine_models: Path, tmp_path, monkeypatch) -> None:
    app = opened(nine_models, tmp_path, monkeypatch, section="Tables", table="Robustness")
    assert "Area under the curve" in html(app)
    app.segmented_control(key="table").set_value("Cities and resolutions").run()
    assert "Banepa<br><small>48 tiles" in html(app)
    app.segmented_control(key="cities_by").set_value("By native resolution").run()
    assert "13 cm/px<br>" in html(app)
    app.segmented_control(key="cities_by").set_value("Figure 4: the tiles").run()
    assert len(charts(app)) == 1


def test_scores_are_drawn_against_both_costs(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"rank_at": "20 cm/px", "tiles_of": "Accra, 5.2 cm/px · 24 tiles"}
    app = opened(nine_models, tmp_path, monkeypatch, section="Cost", **query)
    (point,) = [trace for trace in charts(app)[0]["data"] if trace["name"] == "UNet"]
    assert point["y"] == pytest.approx([estimate(nine_models, "unet", "accra", 20, "micro_iou")["value"]], abs=1e-5)
    titles = [figure["layout"]["xaxis"]["title"]["text"] for figure in charts(app)]
    assert titles == ["GMACs at 1024 px", "Seconds for 1024 px on a CPU"]


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


def test_the_best_threshold_is_shown_where_rows_hold_its_sums(
    scored_village: Path, village: Path, nine_models: Path, tmp_path, monkeypatch
) -> None:
    app = opened(scored_village, village, monkeypatch, section="Threshold", rank_at="20 cm/px")
    assert "Best threshold" in html(app) and "Gain, held out" in html(app)
    (figure,) = charts(app)
    assert {line["name"] for line in figure["data"]} == {"Sci-Net", "UNet"}
    folder = tmp_path / "old"
    shutil.copytree(nine_models, folder)
    tiles = pd.read_parquet(folder / "benchmark.parquet").drop(columns=[*THRESHOLD_COLUMNS], errors="ignore")
    tiles.to_parquet(folder / "benchmark.parquet")
    app = opened(folder, tmp_path, monkeypatch, section="Threshold")
    assert any("hold no sums at other thresholds" in info.value for info in app.info)


def test_the_methods_have_the_scores_and_both_citations(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"rank_at": "20 cm/px", "tiles_of": "Accra, 5.2 cm/px · 24 tiles", "systems": "UNet"}
    (code,) = opened(nine_models, tmp_path, monkeypatch, **query).code
    row = estimate(nine_models, "unet", "accra", 20, "micro_iou")
    assert f"UNet {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in code.value
    assert "24 test tiles of 1 city (Accra, 5.2 cm/px)" in code.value and "20 cm/px" in code.value
    assert "arXiv:2111.06812" in code.value and "scale robustness explorer, version" in code.value


def test_downloads_hold_what_is_shown_and_every_tile(nine_models: Path) -> None:
    table = pd.read_parquet(nine_models / "benchmark.parquet").head(30)
    assert pd.read_parquet(BytesIO(rows_to_parquet(table))).equals(table)
    assert pd.read_csv(BytesIO(downloads.csv(table)))["shared"].tolist() == table["shared"].tolist()


def test_old_rows_are_direct_and_say_how_to_count_objects(nine_models: Path, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "old"
    shutil.copytree(nine_models, folder)
    tiles = pd.read_parquet(folder / "benchmark.parquet")
    kept = [name for name in tiles.columns if name in TILE_COLUMNS - LATER_COLUMNS.keys()]
    tiles = tiles.drop_duplicates(["model", "image", "cm_per_px", "grid"])[kept]
    tiles.to_parquet(folder / "benchmark.parquet")
    content = json.loads((folder / "benchmark.json").read_text())
    for row in content["rows"]:
        row.pop("objects", None)
    (folder / "benchmark.json").write_text(json.dumps(content))
    app = opened(folder, tmp_path, monkeypatch, section="Tables", table="Buildings counted")
    assert app.selectbox(key="scored_by").options == ["Direct"]
    assert app.selectbox(key="metric").options == ["Micro-IoU", "Micro-F1", "Macro-IoU", "Macro-F1"]
    assert any("training.benchmark" in info.value for info in app.info)


def test_scores_are_of_the_tiles_that_all_models_were_scored_on() -> None:
    rows = pd.DataFrame(
        [(model, image) for model in ("unet", "unet-seed1", "mine") for image in ("a.png", "b.png", "c.png")],
        columns=["model", "image"],
    )
    assert scored_by_all(rows).equals(rows)
    partial = rows[~((rows["model"] == "mine") & (rows["image"] == "b.png"))]
    assert set(scored_by_all(partial)["image"]) == {"a.png", "c.png"}
    seed = rows[~((rows["model"] == "unet-seed1") & (rows["image"] == "b.png"))]
    assert scored_by_all(seed).equals(seed)  # the bootstrap leaves that seed out


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
