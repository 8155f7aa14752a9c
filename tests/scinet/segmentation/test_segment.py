from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from rasterio.transform import Affine

from scinet.evaluation.mask import read_mask
from scinet.evaluation.scores import Counts, iou
from scinet.models.card import Card, list_models
from scinet.models.checkpoint import load_model, load_trained
from scinet.models.device import has_bfloat16
from scinet.models.fuse import for_inference
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import STRATEGIES, Strategy
from scinet.segmentation.tiling import MIN_OVERLAP_PX, STEP_PX, window_side, window_starts


def with_windows_of(side_px: int, model: Model) -> Model:
    return replace(model, card=replace(model.card, window_px=side_px, window_m=None))


def logits_of(pixels: np.ndarray, model: Model) -> np.ndarray:
    image = (torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
    bfloat16 = has_bfloat16(model.device)
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bfloat16):
        return model.network(image)[0, 0].float().sigmoid().numpy()


@pytest.mark.parametrize("window", [32, 64, 128, 576])
@pytest.mark.parametrize("length", [1, 64, 65, 100, 111, 112, 113, 500, 1024])
def test_windows_cover_every_pixel_and_overlap(length, window):
    starts = window_starts(length, window)
    ends = [start + window for start in starts]
    assert starts[0] == 0
    assert ends[-1] == max(length, window)
    for start, end in zip(starts[1:], ends, strict=False):
        assert end - start >= min(MIN_OVERLAP_PX, window // 4)


@pytest.mark.parametrize("length", [*range(32, 700, 11), 1024, 9216, 40_000])
def test_the_windows_side_needs_no_padding_and_runs_few_pixels(length):
    side = window_side(length, 576)
    assert side % STEP_PX == 0 and side <= min(length, 576)
    if length >= 4 * STEP_PX:
        assert side * len(window_starts(length, side)) <= 1.5 * length


@pytest.mark.parametrize("one_size", [False, True])
def test_a_network_of_one_size_gets_no_other(one_size):
    seen = set()

    class Spy(torch.nn.Module):
        def forward(self, image):
            seen.add(tuple(image.shape[-2:]))
            return image[:, :1]

    card = Card(name="spy", architecture="unet", gsd_range_cm_per_px=(10.0, 40.0), window_px=256)
    raster = Raster(np.full((300, 530, 3), 99, np.uint8), np.ones((300, 530), bool), Affine.scale(0.1, -0.1), None)
    segment(raster, Model(Spy(), card, torch.device("cpu"), one_size))
    assert seen == {(256, 256) if one_size else (192, 224)}


@pytest.mark.parametrize("shape", [(32, 32), (32, 64), (64, 64)])
def test_an_image_of_one_window_gets_the_networks_own_answer(random_checkpoints, noise_raster, shape):
    model = load_model(random_checkpoints / "sci-net.safetensors", torch.device("cpu"))
    pixels = noise_raster.pixels[: shape[0], : shape[1]]
    small = Raster(pixels, np.ones(shape, bool), noise_raster.transform, noise_raster.crs)
    np.testing.assert_allclose(segment(small, model).probability, logits_of(pixels, model), atol=1e-6)


def test_windows_are_blended_without_a_gap(brightness_model, noise_raster):
    probability = segment(noise_raster, with_windows_of(32, brightness_model), strategy="direct").probability
    assert probability.shape == noise_raster.shape and probability.dtype == np.float32
    # The model answers 0.5 + something for dark pixels, less for bright ones, in every window
    brightness = noise_raster.pixels.mean(axis=2)
    assert np.corrcoef(probability.ravel(), brightness.ravel())[0, 1] < -0.98
    assert probability.min() > 0 and probability.max() < 1


def test_smaller_than_any_network_takes(brightness_model, noise_raster):
    pixels = noise_raster.pixels[:9, :50]
    tiny = Raster(pixels, np.ones((9, 50), bool), noise_raster.transform, noise_raster.crs)
    probability = segment(tiny, brightness_model).probability
    assert probability.shape == (9, 50)
    assert np.isfinite(probability).all()


def test_nodata_is_zero_and_its_windows_are_not_run(brightness_model, noise_raster):
    valid = np.zeros(noise_raster.shape, bool)
    valid[:20, :20] = True
    half = Raster(noise_raster.pixels, valid, noise_raster.transform, noise_raster.crs)
    calls = []
    brightness_model.network.register_forward_hook(lambda *_: calls.append(1))
    probability = segment(half, with_windows_of(32, brightness_model), strategy="direct").probability
    assert len(calls) == 1
    assert (probability[~valid] == 0).all() and (probability[valid] > 0).all()


def test_progress_ends_at_one(brightness_model, noise_raster):
    for strategy in STRATEGIES:
        shares: list[float] = []
        segment(noise_raster, brightness_model, 10, strategy, progress=shares.append)
        assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("cm_per_px", [5, 10, 25])
def test_strategies_answer_on_the_working_grid(brightness_model, noise_raster, strategy, cm_per_px):
    working, probability = segment(noise_raster, brightness_model, cm_per_px, strategy)
    assert working.cm_per_px == pytest.approx(cm_per_px, rel=0.02)
    assert probability.shape == working.shape
    assert probability.dtype == np.float32


class Spy(torch.nn.Module):
    """Notes the size of each window; the probability is the red channel's."""

    def __init__(self):
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def forward(self, image):
        self.seen.append(tuple(image.shape[-2:]))
        return image[:, :1]


SCALES = {"unknown": ((10, 1.5, 2), (40, 3, 0.67)), "known": ((10, 0.67, 1),)}


def spy_model(**settings: Any) -> tuple[Model, Spy]:
    network = Spy()
    card = Card(name="spy", architecture="unet", gsd_range_cm_per_px=(10.0, 40.0), window_px=512, scales=SCALES)
    return Model(network, card, torch.device("cpu"), **settings), network


@pytest.mark.parametrize(
    ("strategy", "seen"),
    [
        ("direct", [(96, 128)]),
        ("best-scale", [(144, 192)]),
        ("multi-scale", [(144, 192), (192, 256)]),
        (Strategy("best-scale", "known"), [(64, 86)]),
        (Strategy("multi-scale", "known"), [(96, 128)]),  # never coarser than the image
        (Strategy("direct", flips=True), 4 * [(96, 128), (128, 96)]),
    ],
    ids=str,
)
def test_a_strategy_shows_the_model_the_scales_of_its_card(noise_raster, strategy, seen):
    model, network = spy_model(one_size=True)
    working, probability = segment(noise_raster, model, 10, strategy)
    assert probability.shape == working.shape == (96, 128)
    assert sorted(network.seen) == sorted(seen)


def test_without_a_table_the_best_scale_is_the_image_itself(brightness_model, noise_raster):
    brightness_model = replace(brightness_model, card=replace(brightness_model.card, scales={}))
    direct = segment(noise_raster, brightness_model, 10, "direct").probability
    assert (segment(noise_raster, brightness_model, 10, "best-scale").probability == direct).all()


def test_flips_average_all_eight_views(noise_raster):
    """A network that looks one pixel to the left gives, over all views, the mean of the four neighbours."""

    class LeftNeighbour(torch.nn.Module):
        def forward(self, image):
            return torch.roll(image[:, :1], 1, dims=3)

    card = Card(name="left", architecture="unet", gsd_range_cm_per_px=(10.0, 40.0), window_px=512)
    model = Model(LeftNeighbour(), card, torch.device("cpu"))
    probability = segment(noise_raster, model, strategy=Strategy("direct", flips=True)).probability
    single = 1 / (1 + np.exp(-(noise_raster.pixels[..., 0] / 255 - card.mean) / card.std))
    neighbours = [np.roll(single, shift, axis) for axis in (0, 1) for shift in (1, -1)]
    np.testing.assert_allclose(probability, np.mean(neighbours, axis=0), atol=1e-5)


def border_to_inner_step(probabilities: list[np.ndarray], window_px: int) -> float:
    """How large the step between neighbours is where windows of a side begin and end, against everywhere else.

    Mean absolute steps over all images, in both directions.
    """
    at_borders, inside = [], []
    for probability in probabilities:
        for turned in (probability, probability.T):
            steps = np.abs(np.diff(turned, axis=1)).mean(axis=0)
            at_border = np.zeros(steps.size, bool)
            side = window_side(turned.shape[1], window_px)
            for start in window_starts(turned.shape[1], side):
                at_border[[edge - 1 for edge in (start, start + side) if 0 < edge < turned.shape[1]]] = True
            at_borders.append(steps[at_border].mean())
            inside.append(steps[~at_border].mean())
    return float(np.mean(at_borders) / np.mean(inside))


@pytest.mark.slow
@pytest.mark.parametrize("name", [card.name for card in list_models()] or [None])
def test_no_seams_on_real_tiles(data_dir, name):
    """The probability steps no more at the windows' borders than one window over the whole tile does there.

    Compared with itself, since which buildings happen to lie on a border moves the ratio by 10 %.
    """
    if name is None:
        pytest.skip("no checkpoint in checkpoints/")
    model = load_model(name, torch.device("cpu"))
    tiles = sorted((data_dir / "images" / "accra").glob("*_1*_1*.jpg"))[:6]
    rasters = [resample(read_raster(tile, cm_per_px=5.18), 10) for tile in tiles]
    in_windows, whole = (
        [segment(raster, with_windows_of(side, model)).probability for raster in rasters] for side in (128, 576)
    )
    # 1.04 to 1.06 with a tent instead of the Hann bell
    assert border_to_inner_step(in_windows, 128) <= 1.03 * border_to_inner_step(whole, 128)


def unrounded(name: str) -> Model:
    """A checkpoint in float32, its weights drawn from all that half precision rounds to those on board."""
    network, card = load_trained(name)
    random = np.random.default_rng(0)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            gaps = np.spacing(np.abs(tensor.numpy().astype(np.float16))).astype(np.float32)
            tensor += torch.from_numpy(gaps * random.uniform(-0.5, 0.5, gaps.shape).astype(np.float32))
    return Model(for_inference(network, torch.device("cpu")), card, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [card.name for card in list_models()] or [None])
def test_lower_precision_gives_the_masks_of_float32(data_dir, name, monkeypatch):
    """Under 0.2 % of the pixels differ, and micro-IoU by under 0.1 point, on real tiles.

    For calculating in bfloat16, where the processor has it, and for weights kept in half precision.
    """
    if name is None:
        pytest.skip("no checkpoint in checkpoints/")
    images = sorted((data_dir / "images" / "accra").glob("*_10240_1*.jpg"))[:3]
    rasters = [read_raster(image, cm_per_px=5.18) for image in images]
    truth = np.stack(
        [read_mask(data_dir / "masks" / "accra" / f"{image.stem}.png", rasters[0]).buildings for image in images]
    )

    def masks(model: Model) -> np.ndarray:
        return np.stack([segment(raster, model).probability > 0.5 for raster in rasters])

    in_bfloat16 = masks(load_model(name, torch.device("cpu")))
    for module in ("scinet.models.fuse", "scinet.segmentation.torch_forward"):
        monkeypatch.setattr(f"{module}.has_bfloat16", lambda device: False)
    on_board = masks(load_model(name, torch.device("cpu")))
    as_trained = masks(unrounded(name))
    for lower, exact in ((in_bfloat16, on_board), (on_board, as_trained)):
        assert np.not_equal(lower, exact).mean() < 0.002
        assert abs(iou(Counts.of(truth, lower)) - iou(Counts.of(truth, exact))) < 0.001
