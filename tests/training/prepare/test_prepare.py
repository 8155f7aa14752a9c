"""Scenes in the published format to a data folder, and from there on to a trained, evaluated and used checkpoint."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image
from rasterio.features import rasterize
from rasterio.transform import Affine

from scinet import download
from scinet.cli.main import main as scinet
from scinet.errors import SciNetError
from scinet.evaluation.mask import read_mask
from scinet.raster.scene import read_raster
from tests.published import PLACE, publish, town_scene
from tests.range_server import serve_files
from training import benchmark, train
from training.packed_tiles import PackedTiles
from training.prepare import cut
from training.prepare import main as prepare

SIDE = 128


def data_of(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "index.csv").set_index("image")


def report_of(out: Path) -> dict:
    return json.loads((out / "prepare.json").read_text())


@pytest.fixture(scope="module")
def town() -> tuple[np.ndarray, list]:
    """512 x 512 px, whose left 150 columns are nodata."""
    rgba, polygons = town_scene(3, size_m=51.2)
    rgba[:, :150] = 0
    return rgba, polygons


@pytest.fixture
def scenes(tmp_path: Path, town: tuple[np.ndarray, list]) -> Path:
    publish(tmp_path / "scenes", "ptn", "f49f31", *town)
    return tmp_path / "scenes"


def image_of(scenes: Path, name: str = "f49f31") -> Path:
    return scenes / "train_tier_1" / "ptn" / name / f"{name}.tif"


def test_tiles_have_their_pixels_masks_and_places(scenes: Path, tmp_path: Path, town: tuple[np.ndarray, list]) -> None:
    out = tmp_path / "data"
    prepare.prepare(scenes, out, "random", tile_px=SIDE)
    index = data_of(out)
    # Columns 128, 256 and 384: the first is nodata in 22 of its 128 columns, the one at 0 in all
    assert len(index) == 12 and set(index["split"]) == {"train", "val", "test"}
    assert report_of(out)["scenes"]["f49f31"]["empty"] == 4
    truth = rasterize(town[1], (512, 512), dtype="uint8") > 0
    truth[:, :150] = False
    for image, tile in index.iterrows():
        column, row = (int(part) for part in Path(str(image)).stem.split("_")[1:])
        mask = np.asarray(Image.open(out / tile["mask"]))
        assert mask.dtype == bool
        expected = truth[row : row + SIDE, column : column + SIDE]
        assert (mask != expected).mean() < 0.001 and tile["building_share"] == pytest.approx(mask.mean(), abs=1e-3)
        pixels = np.asarray(Image.open(out / str(image))).astype(int)
        there = town[0][row : row + SIDE, column : column + SIDE, :3].astype(int)
        assert np.abs(pixels - there)[:, 60:].mean() < 8
        assert (tile["x_min"], tile["y_max"]) == pytest.approx(PLACE @ (column, row))
    assert set(index["cm_per_px"]) == {9.992} and set(index["crs"]) == {"EPSG:32630"}
    assert set(index["city"]) == {"Pointe-Noire"} and set(index["dataset"]) == {"ocaic-ptn"}
    assert index["valid_share"].min() == pytest.approx(106 / 128, abs=0.03)
    # Neighbours are joined where a chip reaches over an edge
    pack = PackedTiles(out, "train", tmp_path / "cache")
    assert len({tile.scene for tile in pack.tiles}) == 1
    assert {(tile.column - pack.tiles[0].column) % SIDE for tile in pack.tiles} == {0}


def test_figure_4_counts_the_tiles_of_each_resolution(tmp_path: Path, town: tuple[np.ndarray, list]) -> None:
    publish(tmp_path, "ptn", "f49f31", *town)
    coarse = Affine(0.2, 0, 820_000, 0, -0.2, 620_000)
    publish(tmp_path, "acc", "d41d81", town[0][:256], town[1], place=coarse)
    prepare.prepare(tmp_path, tmp_path / "data", "random", tile_px=SIDE)
    counts = pd.read_csv(tmp_path / "data" / "tiles_per_gsd.csv")
    assert counts.values.tolist() == [[10, "Pointe-Noire", 12], [20, "Accra", 6]]
    assert "figure 4" in (tmp_path / "data" / "tiles_per_gsd.html").read_text()


def test_a_preparation_that_was_stopped_resumes(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, rows = tmp_path / "data", []

    def cut_row(scene, names, polygons, row, *rest):
        if len(rows) == 2:
            raise KeyboardInterrupt
        rows.append(row)
        return cut.cut_row(scene, names, polygons, row, *rest)

    monkeypatch.setattr(prepare, "cut_row", cut_row)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(scenes, out, "random", tile_px=SIDE)
    assert rows == [0, 128] and not (out / "index.csv").exists()
    record = out / "scenes" / "f49f31.jsonl"
    record.write_text(record.read_text()[:-20])  # killed while it wrote
    rows.clear()
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(scenes, out, "random", tile_px=SIDE)
    assert rows == [128, 256]
    rows.clear()
    prepare.prepare(scenes, out, "random", tile_px=SIDE)
    assert rows == [384] and len(data_of(out)) == 12
    rows.append(0)
    prepare.prepare(scenes, out, "block", tile_px=SIDE)  # another split cuts no tile again
    # Another file under the same name is cut again
    label = image_of(scenes).parent.with_name("f49f31-labels") / "f49f31.geojson"
    label.write_text(label.read_text() + "\n")
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(scenes, out, "random", tile_px=SIDE)


def test_broken_scenes_are_reported_and_the_others_are_cut(
    tmp_path: Path, town: tuple[np.ndarray, list], capsys: pytest.CaptureFixture[str]
) -> None:
    scenes, out = tmp_path / "scenes", tmp_path / "data"
    for name in ("f49f31", "abe1a3", "nolabels", "elsewhere", "page"):
        image = publish(scenes, "ptn", name, np.tile(town[0], (2, 2, 1)), town[1])
        labels = image.parent.with_name(f"{name}-labels") / f"{name}.geojson"
        if name == "abe1a3":  # a download that was cut short: its last blocks are missing
            content = image.read_bytes()
            image.write_bytes(content[: len(content) * 2 // 3])
        elif name == "nolabels":
            labels.unlink()
        elif name == "elsewhere":
            labels.write_text(json.dumps(shapely.geometry.mapping(shapely.box(30, 30, 31, 31))))
        elif name == "page":
            image.write_text("<html>403</html>")
    with pytest.raises(SciNetError, match="4 of 5 scenes had a problem: abe1a3, elsewhere, nolabels, page"):
        prepare.prepare(scenes, out, "random", tile_px=256)
    said = capsys.readouterr().out
    reasons = "nolabels has no labels", "elsewhere on the earth", "page.tif cannot be read", "tiles are damaged"
    for reason in reasons:
        assert reason in said
    tiles = data_of(out)["scene"].value_counts()
    assert tiles["f49f31"] == 8 and 0 < tiles["abe1a3"] < 8 and len(tiles) == 2
    assert report_of(out)["scenes"]["page"]["problem"].startswith("page.tif cannot be read as an image")


@pytest.mark.parametrize("scene", ["none", "broken", "small"])
def test_without_a_tile_there_is_no_index(tmp_path: Path, town: tuple[np.ndarray, list], scene: str) -> None:
    scenes = tmp_path / "scenes"
    if scene != "none":
        image = publish(scenes, "ptn", "f49f31", town[0][:100], town[1])
        if scene == "broken":
            image.write_bytes(b"II*\0")
    with pytest.raises(SciNetError, match="holds no scene as train_tier_1" if scene == "none" else "gave a tile"):
        prepare.prepare(scenes, tmp_path / "data", "random", tile_px=SIDE)
    assert not (tmp_path / "data" / "index.csv").exists()


def test_blocks_share_no_ground(tmp_path: Path, town: tuple[np.ndarray, list]) -> None:
    """Two scenes of 2 km with 4 m pixels over the same ground, one of them half a tile to the east."""
    for name, shift in (("f49f31", 0), ("abe1a3", 32)):
        place = Affine(4, 0, 810_000 + 4 * shift, 0, -4, 620_000)
        publish(tmp_path, "ptn", name, town[0][:, 150:], [shapely.box(0, 0, 400, 400)], place=place)
    out = tmp_path / "data"
    prepare.prepare(tmp_path, out, "random", tile_px=64)
    random = report_of(out)
    assert random["test_tiles_seen_in_training"] > 0.8 * random["test_tiles"] > 0 and random["left_out"] == 0
    prepare.prepare(tmp_path, out, "block", tile_px=64)
    block, index = report_of(out), data_of(out)
    assert block["test_tiles_seen_in_training"] == 0 and block["left_out"] > 0
    assert block["left_out"] + len(index) == 2 * 5 * 8
    boxes = {
        split: [shapely.box(t.x_min, t.y_max - 256, t.x_min + 256, t.y_max) for t in part.itertuples()]
        for split, part in index.groupby("split")
    }
    assert set(boxes) == {"train", "val", "test"}
    for one, other in (("train", "test"), ("train", "val"), ("val", "test")):
        assert shapely.union_all(boxes[one]).intersection(shapely.union_all(boxes[other])).area < 300


@pytest.mark.slow
def test_processes_do_the_same_as_one(scenes: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        prepare.prepare(scenes, tmp_path / str(jobs), "random", jobs=jobs, tile_px=SIDE)
    one, two = (sorted(path.relative_to(tmp_path / n) for path in (tmp_path / n).rglob("*.*g")) for n in "12")
    assert one == two and len(one) == 24
    assert all((tmp_path / "1" / path).read_bytes() == (tmp_path / "2" / path).read_bytes() for path in one)
    assert (tmp_path / "1" / "index.csv").read_text() == (tmp_path / "2" / "index.csv").read_text()


def test_the_real_piece_gives_the_tiles_that_it_was_made_of(data_dir: Path, tmp_path: Path) -> None:
    prepare.main(["--scenes", str(data_dir / "ocaic"), "--out", str(tmp_path / "data"), "--jobs", "1"])
    index = data_of(tmp_path / "data")
    assert len(index) == 24 and set(index["cm_per_px"]) == {5.176}
    known = pd.read_csv(data_dir / "index.csv")
    known = known[known["image"].str.contains("accra") & (known["split"] == "test")]
    shared = union = 0
    for tile in index.itertuples():
        near = known[(known["x_min"] - tile.x_min).abs().lt(0.01) & (known["y_max"] - tile.y_max).abs().lt(0.01)]
        assert len(near) == 1
        mask = np.asarray(Image.open(tmp_path / "data" / str(tile.mask)))
        truth = np.asarray(Image.open(data_dir / near["mask"].iloc[0]).convert("1"))
        shared, union = shared + np.count_nonzero(mask & truth), union + np.count_nonzero(mask | truth)
    assert shared / union > 0.98


@pytest.mark.slow
def test_download_prepare_train_evaluate_segment(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(tmp_path / "checkpoints"))
    with serve_files(folder=scenes) as server:
        server.fail("/train_tier_1/ptn/f49f31/f49f31.tif", "truncate", times=2)
        fetch = ["ocaic", "fetch", "f49f31", "--to", "scenes-fetched", "--base-url", server.address]
        assert scinet(fetch) == 0
    prepare.prepare(Path("scenes-fetched"), Path("data"), "random", tile_px=128)
    steps = ["--epochs", "1", "--batch", "2", "--chips-per-epoch", "4", "--chip-px", "64", "--window-px", "64"]
    folders = ["--data", "data", "--checkpoints", "checkpoints", "--device", "cpu", "--workers", "0"]
    train.main(["--model", "unet", "--encoder-weights", "none", *steps, *folders])
    benchmark.main(["--data", "data", "--model", "unet", "--device", "cpu"])
    rows = json.loads((tmp_path / "checkpoints" / "benchmark.json").read_text())["rows"]
    assert {row["dataset"] for row in rows} == {"ocaic-ptn"}
    card = json.loads((tmp_path / "checkpoints" / "unet.json").read_text())
    assert "ODbL-1.0" in card["data"][0]["licence"] and card["data"][0]["dataset"] == "ocaic-ptn"
    test_tile = data_of(Path("data")).query("split == 'test'").index[0]
    assert scinet(["segment", f"data/{test_tile}", "mask.tif", "--model", "unet", "--native-cm-per-px", "10"]) == 0
    raster = read_raster(Path("data") / test_tile, cm_per_px=10)
    assert read_mask("mask.tif", raster).buildings.shape == (128, 128)
