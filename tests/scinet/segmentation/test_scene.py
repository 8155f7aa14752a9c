"""Whole scenes on disk: the same as in memory, however they are cut, stopped and gone on with."""

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import torch
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy import ndimage
from scipy.ndimage import gaussian_filter

from scinet.errors import RasterError, ResolutionError, WriteError
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster import resample
from scinet.raster import scene as raster_scene
from scinet.raster.components import label
from scinet.raster.geotiff import PROBABILITY_STEP
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene, read_raster
from scinet.segmentation import blend, forward, scene
from scinet.segmentation.scene import segment_to_file
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import STRATEGIES
from scinet.vector.footprint_file import FootprintFile
from scinet.vector.trace import polygonize

PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SHAPE = 700, 530


def blotches(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """RGB (3, H, W): dark blotches of some 20 px, and nodata (0) in a slanted collar and a patch inside."""
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.standard_normal(shape), 8)
    grey = np.where(smooth > 0, 230, 60) + random.integers(-20, 20, (3, *shape))
    rows, columns = np.indices(shape)
    grey[:, rows + 2 * columns < 300] = 0
    grey[:, 400:480, 100:300] = 0
    return grey.clip(0, 255).astype(np.uint8)


def write_scene(path: Path, pixels: NDArray[np.uint8], **profile: Any) -> Path:
    _, height, width = pixels.shape
    profile = {
        "driver": "GTiff",
        "count": 3,
        "height": height,
        "width": width,
        "dtype": "uint8",
        "crs": "EPSG:32630",
        "transform": PLACE,
        "nodata": 0,
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
    } | profile
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)
    return path


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.tif", blotches(SHAPE))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands and stripes so small that a scene has many."""
    monkeypatch.setattr(raster_scene, "_BAND_PX", 1)
    monkeypatch.setattr(resample, "_STRIPE_VALUES", 40_000)
    monkeypatch.setattr("scinet.segmentation.segment._MERGED_ROWS", 50)


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def in_memory(
    path: Path, model: Model, strategy: Any = "best-scale", cm_per_px: float | None = None
) -> tuple[Raster, NDArray[np.float32]]:
    raster = read_raster(path)
    return segment(raster, model, cm_per_px, strategy)


def expected_mask(probability: NDArray[np.float32], raster: Raster) -> NDArray[np.uint8]:
    return np.where(raster.valid, probability > 0.5, 255).astype(np.uint8)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("cm_per_px", [None, 7.0, 23.0])
def test_a_scene_gives_what_it_gives_in_memory(
    strategy: Any, cm_per_px: float | None, scene_path: Path, brightness_model: Model, small_parts: None, tmp_path: Path
) -> None:
    working, probability = in_memory(scene_path, brightness_model, strategy, cm_per_px)
    out = tmp_path / "out.tif"
    options: dict[str, Any] = {"cm_per_px": cm_per_px, "strategy": strategy}
    found = segment_to_file(open_scene(scene_path), brightness_model, out, **options)
    mask = expected_mask(probability, working)
    assert (read(out) == mask).all()
    assert (found.valid_px, found.building_px) == (working.valid.sum(), (mask == 1).sum())
    segment_to_file(open_scene(scene_path), brightness_model, out, output="float32", **options)
    values = read(out)
    assert (np.isnan(values) == ~working.valid).all()
    assert (values[working.valid] == probability[working.valid]).all()  # to the last bit
    assert [path.name for path in tmp_path.iterdir()] == ["out.tif"]


def test_a_real_scene_gives_what_it_gives_in_memory(
    data_dir: Path, random_checkpoints: Path, small_parts: None, tmp_path: Path
) -> None:
    """The Accra scene with its JPEG blocks, lossy alpha and collars; the network's weights are random."""
    path = data_dir / "ocaic/train_tier_1/acc/d41d81/d41d81.tif"
    model = load_model(random_checkpoints / "unet.safetensors", torch.device("cpu"))
    working, probability = segment(read_raster(path), model, 60.0)
    segment_to_file(open_scene(path), model, tmp_path / "out.tif", cm_per_px=60.0, output="float32")
    values = read(tmp_path / "out.tif")
    assert (values[working.valid] == probability[working.valid]).all()
    assert np.isnan(values[~working.valid]).all() and not working.valid.all()


def test_the_file_is_a_cog_in_the_scenes_place(brightness_model: Model, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "in.tif", blotches((1300, 1100)))
    out = tmp_path / "out.tif"
    segment_to_file(open_scene(path), brightness_model, out)
    with rasterio.open(out) as dataset:
        assert dataset.crs.to_epsg() == 32630 and dataset.transform == PLACE and dataset.nodata == 255
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.block_shapes == [(512, 512)] and dataset.overviews(1) == [2, 4]
        assert dataset.compression.name == "deflate"
        assert "UNet" in dataset.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        whole, half = dataset.read(1), dataset.read(1, out_shape=(650, 550))
    blocks = whole.reshape(650, 2, 550, 2)
    alike = (blocks == blocks[:, :1, :, :1]).all(axis=(1, 3))  # no doubt about the mode there
    assert alike.mean() > 0.7 and (half[alike] == blocks[:, 0, :, 0][alike]).all()


def test_probability_in_steps(scene_path: Path, brightness_model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    segment_to_file(open_scene(scene_path), brightness_model, out, output="uint8")
    working, probability = in_memory(scene_path, brightness_model)
    with rasterio.open(out) as dataset:
        assert dataset.dtypes == ("uint8",) and dataset.nodata == 255
        values = dataset.read(1) * dataset.scales[0]
    assert np.abs(values - probability)[working.valid].max() <= 0.002 + 1e-6


class StopError(Exception):
    pass


def stopping_at(share: float) -> Any:
    def progress(done: float) -> None:
        if done >= share:
            raise StopError

    return progress


@pytest.mark.parametrize("strategy", ["direct", "multi-scale"])
@pytest.mark.parametrize("share", [0.05, 0.6, 0.97])
def test_stopped_work_resumes(
    share: float, strategy: Any, scene_path: Path, brightness_model: Model, small_parts: None, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out.tif", tmp_path / "whole.tif"
    options: dict[str, Any] = {"output": "float32", "strategy": strategy}
    segment_to_file(open_scene(scene_path), brightness_model, whole, **options)
    with pytest.raises(StopError):
        segment_to_file(open_scene(scene_path), brightness_model, out, progress=stopping_at(share), **options)
    assert not out.exists() and (tmp_path / "out.tif.part").is_dir()
    shares: list[float] = []
    segment_to_file(open_scene(scene_path), brightness_model, out, resume=True, progress=shares.append, **options)
    np.testing.assert_array_equal(read(out), read(whole))
    assert shares[-1] == 1 and shares == sorted(shares)
    if share > 0.5:
        assert shares[0] > share / 2  # what was done is not done again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "whole.tif"]


def test_a_killed_piece_is_made_again(
    scene_path: Path, brightness_model: Model, small_parts: None, tmp_path: Path
) -> None:
    out = tmp_path / "out.tif"
    with pytest.raises(StopError):
        segment_to_file(open_scene(scene_path), brightness_model, out, progress=stopping_at(0.6))
    pieces = sorted((tmp_path / "out.tif.part").glob("mask-*.tif"))
    assert len(pieces) >= 3
    pieces[-1].rename(pieces[-1].with_suffix(".part"))  # half written when the power went
    segment_to_file(open_scene(scene_path), brightness_model, out, resume=True)
    working, probability = in_memory(scene_path, brightness_model)
    assert (read(out) == expected_mask(probability, working)).all()


@pytest.mark.parametrize("kept_share", [0.0, 0.5])
def test_a_damaged_piece_is_made_again(
    kept_share: float, scene_path: Path, brightness_model: Model, small_parts: None, tmp_path: Path
) -> None:
    out = tmp_path / "out.tif"
    with pytest.raises(StopError):
        segment_to_file(open_scene(scene_path), brightness_model, out, progress=stopping_at(0.6))
    piece = max((tmp_path / "out.tif.part").glob("mask-*.tif"))
    content = piece.read_bytes()
    piece.write_bytes(content[: int(kept_share * len(content))])
    segment_to_file(open_scene(scene_path), brightness_model, out, resume=True)
    working, probability = in_memory(scene_path, brightness_model)
    assert (read(out) == expected_mask(probability, working)).all()


@pytest.mark.parametrize("resume", [False, True])
def test_empty_settings_start_over(resume: bool, scene_path: Path, brightness_model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    (tmp_path / "out.tif.part").mkdir()
    (tmp_path / "out.tif.part" / "settings.json").touch()
    segment_to_file(open_scene(scene_path), brightness_model, out, resume=resume)
    assert out.exists() and not (tmp_path / "out.tif.part").exists()


def test_other_settings_are_not_gone_on_with(scene_path: Path, brightness_model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    with pytest.raises(StopError):
        segment_to_file(open_scene(scene_path), brightness_model, out, progress=stopping_at(0.5))
    with pytest.raises(WriteError, match="another threshold"):
        segment_to_file(open_scene(scene_path), brightness_model, out, threshold=0.3, resume=True)
    footprints = FootprintFile(tmp_path / "out.gpkg")  # their confidence needs what a mask alone does not keep
    with pytest.raises(WriteError, match="another choice of footprints"):
        segment_to_file(open_scene(scene_path), brightness_model, out, footprints=footprints, resume=True)
    segment_to_file(open_scene(scene_path), brightness_model, out, threshold=0.3)  # from the start
    assert out.exists() and not (tmp_path / "out.tif.part").exists()


def test_a_folder_of_others_is_left_alone(scene_path: Path, brightness_model: Model, tmp_path: Path) -> None:
    (tmp_path / "out.tif.part").mkdir()
    (tmp_path / "out.tif.part" / "diary.txt").write_text("mine")
    with pytest.raises(WriteError, match="in the way"):
        segment_to_file(open_scene(scene_path), brightness_model, tmp_path / "out.tif")
    assert (tmp_path / "out.tif.part" / "diary.txt").read_text() == "mine"


def test_nodata_is_not_run(brightness_model: Model, tmp_path: Path) -> None:
    pixels = np.zeros((3, 2000, 300), np.uint8)
    pixels[:, 900:960, 100:160] = 90
    calls: list[int] = []
    brightness_model.network.register_forward_hook(lambda *_: calls.append(1))
    image = open_scene(write_scene(tmp_path / "in.tif", pixels))
    found = segment_to_file(image, brightness_model, tmp_path / "out.tif", strategy="direct")
    assert found.valid_px == 60 * 60 and 4 <= len(calls) <= 9
    blank = open_scene(write_scene(tmp_path / "blank.tif", np.zeros((3, 100, 300), np.uint8)))
    with pytest.raises(RasterError, match="nodata"):
        segment_to_file(blank, brightness_model, tmp_path / "none.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blank.tif", "in.tif", "out.tif"]


def test_batches_that_wait_change_nothing(
    scene_path: Path, brightness_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches reach over rows of windows and past nodata, and wait no longer than memory allows."""
    raster = read_raster(scene_path)
    one = segment(raster, brightness_model).probability
    monkeypatch.setitem(forward._BATCH, "cpu", 7)
    for waiting_px in (1, 100_000, 10**9):
        monkeypatch.setattr(blend, "_WAITING_PX", waiting_px)
        np.testing.assert_allclose(segment(raster, brightness_model).probability, one, atol=1e-6)


def test_a_large_scene_is_read_from_its_overview(
    brightness_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scene(tmp_path / "in.tif", np.full((3, 512, 512), 90, np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8])
    monkeypatch.setattr(raster_scene, "MAX_PIXELS", 1000)
    found = open_scene(path)
    shapes = {cm_per_px: found.rows(cm_per_px).grid.shape[0] for cm_per_px in (5, 10, 19, 20, 39, 41, 200)}
    assert shapes == {5: 512, 10: 512, 19: 512, 20: 256, 39: 256, 41: 128, 200: 64}
    found_mask = segment_to_file(found, brightness_model, tmp_path / "out.tif", cm_per_px=30)
    assert found_mask.grid.shape == (171, 171)
    assert found.rows(30).grid.cm_per_px == pytest.approx(20, rel=1e-3)


def test_rows_longer_than_memory(brightness_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_scene(tmp_path / "in.tif", blotches((64, 1000)))
    monkeypatch.setattr(scene, "MAX_WIDTH_PX", 1500)
    for cm_per_px, strategy, least in ((5, "direct", "6.6"), (10, "best-scale", "13.3")):
        with pytest.raises(ResolutionError, match=f"Choose {least}"):
            segment_to_file(
                open_scene(path), brightness_model, tmp_path / "out.tif", cm_per_px=cm_per_px, strategy=strategy
            )


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson"])
def test_footprints_have_no_seams(
    suffix: str, scene_path: Path, brightness_model: Model, small_parts: None, tmp_path: Path
) -> None:
    file = FootprintFile(tmp_path / f"out{suffix}")
    found = segment_to_file(open_scene(scene_path), brightness_model, tmp_path / "out.tif", footprints=file)
    working, probability = in_memory(scene_path, brightness_model)
    labels = label((probability > 0.5) & working.valid)
    wanted = polygonize(labels, working.transform)
    meta, _, wkb, (area_m2, confidence) = pyogrio.raw.read(file.path)
    polygons = shapely.from_wkb(wkb)
    assert shapely.is_valid(polygons).all() and len(polygons) == len(wanted) > 100
    assert area_m2.sum() == pytest.approx(found.building_px * working.pixel_area_m2, rel=1e-4)
    means = ndimage.mean(probability.astype(float), labels, np.arange(1, len(wanted) + 1))
    np.testing.assert_allclose(sorted(confidence), sorted(means), atol=PROBABILITY_STEP / 2 + 1e-4)
    if suffix == ".geojson":
        assert (np.abs(shapely.bounds(polygons)) <= 90).all()
        return
    assert meta["crs"] == "EPSG:32630"
    ours, theirs = (sorted(shapely.to_wkb(shapely.normalize(p))) for p in (polygons, np.array(wanted, dtype=object)))
    assert ours == theirs
    np.testing.assert_allclose(area_m2, shapely.area(polygons) * working.pixel_area_m2 / 0.01, rtol=1e-4)


def test_two_runs_of_the_same_output_do_not_mix(scene_path: Path, brightness_model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    refused: list[str] = []

    def run_again(_: float) -> None:
        if not refused:
            with pytest.raises(WriteError, match="another run") as caught:
                segment_to_file(open_scene(scene_path), brightness_model, out)
            refused.append(str(caught.value))

    segment_to_file(open_scene(scene_path), brightness_model, out, progress=run_again)
    assert refused and [path.name for path in tmp_path.iterdir()] == ["out.tif"]
