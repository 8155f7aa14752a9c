"""The page Benchmark without a browser: on scores of the village, and on those on board."""

import json
import shutil
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pages.views.benchmark import answer, downloads
from pages.views.benchmark.selection import scored_by_all
from scinet.evaluation.benchmark_rows import LATER_COLUMNS, TILE_COLUMNS, rows_to_parquet
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS
from scinet.models.architectures import NAMES
from tests.pages.benchmark_app import charts, estimate, html, opened


def test_the_ranking_follows_the_resolution_and_the_score(nine_models: Path, tmp_path, monkeypatch) -> None:
    query = {"rank_at": "40 cm/px", "metric": "Macro-IoU", "tiles_of": "Accra, 5.2 cm/px · 24 tiles"}
    app = opened(nine_models, tmp_path, monkeypatch, **query)
    assert app.select_slider(key="rank_at").value == 40.0
    assert "Macro-IoU" in html(app) and "At 40 cm/px in Accra, 5.2 cm/px, use" in html(app)
    rows = [
        estimate(nine_models, name, "accra", 40, "macro_iou")
        for name in NAMES
        if (nine_models / f"{name}.json").is_file()
    ]
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


def test_the_calibration_is_shown_where_a_card_has_it(
    scored_village: Path, village: Path, tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "calibrated"
    shutil.copytree(scored_village, folder)
    card = json.loads((folder / "unet.json").read_text())
    curves = [
        {"cm_per_px": step, "error": step / 1000, "points": [[0.1, 0.2, 0.9], [0.9, 0.7, 0.1]]} for step in (10, 20)
    ]
    card["calibration"] = {
        "scalings": [[10.0, 1.0, 0.0]],
        "lines": {},
        "coverage": 0.9,
        "reliability": {"known": curves, "unknown": curves},
        "measured_with": "manet",
    }
    (folder / "unet.json").write_text(json.dumps(card))
    app = opened(folder, village, monkeypatch, section="Threshold", rank_at="20 cm/px")
    _, reliability, errors = charts(app)
    assert [line["name"] for line in errors["data"]] == ["UNet", "MANet in places left out"]
    assert len(reliability["data"]) == 3  # and the diagonal


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
