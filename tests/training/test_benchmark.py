import json
import shutil

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from scinet.evaluation import yardstick
from scinet.evaluation.benchmark import read_benchmark, read_threshold_rows
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS, THRESHOLDS
from scinet.evaluation.tile_scoring import working_steps
from scinet.evaluation.tile_traits import TRAITS
from scinet.evaluation.truth import truth_labels
from scinet.raster.raster import Raster
from scinet.synthetic.town import make_town
from scinet.vector.footprint_file import write_footprints
from training import benchmark
from training.errors import DataError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two test tiles of a generated town at 40 cm/px, one of them a copy without buildings in its truth."""
    folder = tmp_path_factory.mktemp("data")
    town = make_town(seed=3, size_m=40.0)
    raster = town.render(40)
    rows = []
    for name, truth in (("a", truth_labels(town.footprints, raster) > 0), ("b", np.zeros(raster.shape, bool))):
        Image.fromarray(raster.pixels).save(folder / f"{name}.png")
        Image.fromarray(truth).save(folder / f"{name}_mask.png")
        rows.append(
            (f"{name}.png", f"{name}_mask.png", "town", "Nowhere", 40.0, raster.width, raster.height, "test", "")
        )
    columns = ["image", "mask", "dataset", "city", "cm_per_px", "width", "height", "split", "licence"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "index.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def checkpoints(random_checkpoints, tmp_path, monkeypatch):
    for path in random_checkpoints.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(tmp_path))
    return tmp_path


def test_steps_are_native_and_those_from_half_of_it():
    assert working_steps(13.23) == [7.5, 10.0, 13.23, 15.0, 20.0, 30.0, 40.0, 60.0]
    assert working_steps(5.19)[0] == 5.19  # stands for the step 5.18
    assert working_steps(5.19)[1] == 7.5


@pytest.mark.slow
def test_two_models_in_turn_share_one_benchmark(data, checkpoints):
    benchmark.main(["--data", str(data), "--model", "unet"])
    benchmark.main(["--data", str(data), "--model", "sci-net", "--model", "unet"])  # unet's rows are replaced
    table = pd.read_parquet(checkpoints / "benchmark.parquet")
    steps = working_steps(40.0)
    assert len(table) == 2 * 2 * 2 * 2 * len(steps)  # models, tiles, strategies, grids
    content = json.loads((checkpoints / "benchmark.json").read_text())
    rows = pd.DataFrame(content["rows"])
    assert set(rows["model"]) == {"sci-net", "unet"}
    assert len(rows) == 2 * 2 * 2 * (len(steps) + 1)  # models, strategies, grids, the steps (40 is one) and native

    # Without a table of scales, both strategies are the same
    table, rows = table[table["strategy"] == "direct"], rows[rows["strategy"] == "direct"]

    # The JSON says what the rows of the tiles add up to
    part = table[(table["model"] == "unet") & (table["grid"] == "native") & (table["cm_per_px"] == 20)]
    tp, true, predicted = (int(part[name].sum()) for name in ("shared", "true", "predicted"))
    row = rows[(rows["model"] == "unet") & (rows["grid"] == "native") & (rows["cm_per_px"] == 20)].iloc[0]
    assert row["micro"]["iou"] == pytest.approx((tp + 1e-4) / (true + predicted - tp + 1e-4), abs=1e-5)
    assert row["shares"]["omission"] == pytest.approx(1 - tp / true, abs=1e-5)

    # Estimates are those rows' scores, with an interval around them, and UNet's are paired with Sci-Net's
    estimates = pd.DataFrame(content["estimates"])
    assert len(estimates) == 2 * 2 * 2 * (len(steps) + 1) * 3  # the last: metrics
    estimates = estimates[estimates["strategy"] == "direct"]
    found = estimates[
        (estimates["system"] == "unet")
        & (estimates["grid"] == "native")
        & (estimates["cm_per_px"] == 20)
        & (estimates["metric"] == "micro_iou")
    ].iloc[0]
    assert found["value"] == pytest.approx(row["micro"]["iou"], abs=1e-5)
    assert found["low"] <= found["value"] <= found["high"]
    ours = rows[(rows["model"] == "sci-net") & (rows["grid"] == "native") & (rows["cm_per_px"] == 20)].iloc[0]
    assert found["change"] == pytest.approx(row["micro"]["iou"] - ours["micro"]["iou"], abs=2e-5)

    # Half of the pixels belong to the tile without buildings
    share = np.asarray(Image.open(data / "a_mask.png")).mean()
    assert content["everything_is_building"]["town"] == pytest.approx(share / 2, abs=1e-3)

    card = json.loads((checkpoints / "unet.json").read_text())
    assert card["scores"]["test micro-IoU, Town, native GSD"] == pytest.approx(
        rows[(rows["model"] == "unet") & (rows["cm_per_px"] == "native") & (rows["grid"] == "working")].iloc[0][
            "micro"
        ]["iou"],
        abs=1e-4,
    )


def test_an_empty_split_is_said(data):
    with pytest.raises(DataError, match="no tile in the split 'val'"):
        benchmark.main(["--data", str(data), "--model", "unet", "--split", "val"])


def test_without_a_model_the_scores_are_made_again_from_the_tiles(data, checkpoints):
    with pytest.raises(DataError, match="--model and --data"):
        benchmark.main([])
    with pytest.raises(DataError, match="--data DIR"):
        benchmark.main(["--model", "unet"])
    out = checkpoints / "scores" / "of-unet"
    benchmark.main(["--data", str(data), "--model", "unet", "--out", str(out)])
    path = out / "benchmark.json"
    content = json.loads(path.read_text())
    path.write_text('{"costs": {"unet": {"parameters": 1}}}')
    benchmark.main(["--out", str(out)])
    assert json.loads(path.read_text()) == {**content, "costs": {"unet": {"parameters": 1}}}


def scored(folder, **wanted):
    table = pd.read_parquet(folder / "benchmark.parquet")
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table.reset_index(drop=True)


def give_scales(folder, scale):
    path = folder / "unet.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"scales": {"unknown": [[20, 1, 1], [60, scale, 1]], "known": []}}))


def test_each_strategy_has_rows_with_the_scale_of_the_card(data, checkpoints):
    give_scales(checkpoints, 2)
    benchmark.main(["--data", str(data), "--model", "unet"])
    best = scored(checkpoints, strategy="best-scale").set_index(["image", "cm_per_px", "grid"])
    direct = scored(checkpoints, strategy="direct").set_index(["image", "cm_per_px", "grid"])
    assert (direct["scale"] == 1).all()
    at_20, at_60 = best.xs(20.0, level="cm_per_px"), best.xs(60.0, level="cm_per_px")
    assert (at_20["scale"] == 1).all() and (at_60["scale"] == 2).all()
    sums = ["true", "predicted", "shared", "buildings", "components"]
    assert at_20[sums].equals(direct.xs(20.0, level="cm_per_px")[sums])
    assert (at_60["true"] == direct.xs(60.0, level="cm_per_px")["true"]).all()
    assert (best["true"].xs("a.png", level="image") > 0).all() and (
        best["buildings"].xs("b.png", level="image") == 0
    ).all()


def test_a_resumed_command_leaves_out_what_has_been_scored(data, checkpoints, capsys):
    command = ["--data", str(data), "--model", "unet", "--resume"]

    def is_left_out(*more):
        capsys.readouterr()
        benchmark.main([*command, *more])
        return "has been scored" in capsys.readouterr().out

    assert not is_left_out("--strategy", "direct")
    assert is_left_out("--strategy", "direct")
    assert not is_left_out()  # best-scale is missing
    assert set(scored(checkpoints)["strategy"]) == {"direct", "best-scale"}
    assert is_left_out()
    give_scales(checkpoints, 2)
    assert is_left_out("--strategy", "direct")
    assert not is_left_out()
    table = scored(checkpoints)
    table.assign(weights="of another training").to_parquet(checkpoints / "benchmark.parquet")
    assert not is_left_out("--strategy", "direct")
    assert set(scored(checkpoints)["strategy"]) == {"direct"}  # other weights made the rest


def test_hots_scene_is_a_tile_of_its_own_city(data, checkpoints, tmp_path):
    folder = tmp_path / "with-scene"
    shutil.copytree(data, folder)
    town = make_town(seed=4, size_m=40)
    image = town.render(53)
    (folder / yardstick.DATASET).mkdir()
    placed = Raster(image.pixels, image.valid, from_origin(808_000, 618_000, 0.53, 0.53), rasterio.CRS.from_epsg(32630))
    profile = {"driver": "GTiff", "height": placed.height, "width": placed.width, "count": 3, "dtype": "uint8"}
    with rasterio.open(folder / yardstick.IMAGE, "w", crs=placed.crs, transform=placed.transform, **profile) as file:
        file.write(np.moveaxis(placed.pixels, -1, 0))
    write_footprints(folder / yardstick.TRUTH, truth_labels(town.footprints, image) > 0, placed)
    assert [tile.dataset for tile in benchmark.tiles_of(folder, "test")] == ["hot_banepa", "town", "town"]
    benchmark.main(["--data", str(folder), "--model", "unet", "--strategy", "direct"])
    rows = scored(checkpoints, dataset="hot_banepa", grid="native")
    assert set(rows["city"]) == {"Banepa"}
    assert rows["buildings"].nunique() == 1 and rows["buildings"].iloc[0] > 0
    assert rows["native_cm_per_px"].iloc[0] == pytest.approx(53, rel=0.01)
    content = json.loads((checkpoints / "benchmark.json").read_text())
    estimate = next(row for row in content["estimates"] if row["dataset"] == "hot_banepa")
    assert estimate["value"] is not None and estimate["low"] is None  # one image has no other choice of tiles


def test_rows_hold_traits_and_sums_at_every_threshold(data, checkpoints):
    benchmark.main(["--data", str(data), "--model", "unet", "--strategy", "direct"])
    table = scored(checkpoints)
    at_half = THRESHOLDS.index(0.5)
    working = table[table["grid"] == "working"]
    assert (working["predicted_at"].map(lambda sums: sums[at_half]) == working["predicted"]).all()
    assert (working["shared_at"].map(lambda sums: sums[at_half]) == working["shared"]).all()
    assert table.loc[table["grid"] == "native", "predicted_at"].isna().all()
    rows = read_threshold_rows(checkpoints)
    assert len(rows) == len(working) and "predicted_at" not in read_benchmark(checkpoints).tiles

    # They are measured again for rows that were made before
    old = table.drop(columns=[*TRAITS, *THRESHOLD_COLUMNS])
    old.to_parquet(checkpoints / "benchmark.parquet")
    assert read_threshold_rows(checkpoints).empty
    benchmark.main(["--data", str(data)])
    again = scored(checkpoints)
    assert again[list(TRAITS)].equals(table[list(TRAITS)]) and again["built_share"].nunique() == 2
