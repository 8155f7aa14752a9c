import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scinet.evaluation.truth import truth_labels
from scinet.synthetic.town import make_town
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
    assert benchmark.working_steps(13.23) == [7.5, 10.0, 13.23, 15.0, 20.0, 30.0, 40.0, 60.0]
    assert benchmark.working_steps(5.19)[0] == 5.19  # stands for the step 5.18
    assert benchmark.working_steps(5.19)[1] == 7.5


@pytest.mark.slow
def test_two_models_in_turn_share_one_benchmark(data, checkpoints):
    benchmark.main(["--data", str(data), "--model", "unet"])
    benchmark.main(["--data", str(data), "--model", "sci-net", "--model", "unet"])  # unet's rows are replaced
    table = pd.read_parquet(checkpoints / "benchmark.parquet")
    steps = benchmark.working_steps(40.0)
    assert len(table) == 2 * 2 * 2 * len(steps)  # models, tiles, grids
    content = json.loads((checkpoints / "benchmark.json").read_text())
    rows = pd.DataFrame(content["rows"])
    assert set(rows["model"]) == {"sci-net", "unet"}
    assert len(rows) == 2 * 2 * (len(steps) + 1)  # models, grids, the steps (40 is one) and native once more

    # The JSON says what the rows of the tiles add up to
    part = table[(table["model"] == "unet") & (table["grid"] == "native") & (table["cm_per_px"] == 20)]
    tp, true, predicted = (int(part[name].sum()) for name in ("shared", "true", "predicted"))
    row = rows[(rows["model"] == "unet") & (rows["grid"] == "native") & (rows["cm_per_px"] == 20)].iloc[0]
    assert row["micro"]["iou"] == pytest.approx((tp + 1e-4) / (true + predicted - tp + 1e-4), abs=1e-5)
    assert row["shares"]["omission"] == pytest.approx(1 - tp / true, abs=1e-5)

    # Estimates are those rows' scores, with an interval around them, and UNet's are paired with Sci-Net's
    estimates = pd.DataFrame(content["estimates"])
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
