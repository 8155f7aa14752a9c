"""What each of the models costs: ``python -m training.costs`` writes it into ``benchmark.json``.

Parameters, multiply-adds and reach follow from the architecture alone; the time is that of this machine's processor.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.transform import Affine
from timm.layers.squeeze_excite import SEModule
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from scinet.errors import SciNetError
from scinet.models.architectures import NAMES
from scinet.models.build import build, run
from scinet.models.card import Card, checkpoints_folder
from scinet.models.device import has_bfloat16
from scinet.models.fuse import for_inference
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment
from training.benchmark_file import write_json
from training.command import run_command

SIDES_PX = (512, 1024)  # the paper counts at 512 px and tests at 1024 px
TIMED_PX, TIMES = 1024, 5
CM_PER_PX = 10.0  # what models that take the resolution are told; the cost does not depend on it
REACH_PX = (32, 6144)  # height and width of the strip along which the reach is measured


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cost of each model and add it to benchmark.json."""
    parser = argparse.ArgumentParser(prog="python -m training.costs", description="Measure what each model costs.")
    parser.add_argument("--out", type=Path, help="where benchmark.json is (default: the checkpoints' folder)")
    path = (parser.parse_args(arguments).out or checkpoints_folder()) / "benchmark.json"
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SciNetError(
            f"{path} cannot be read ({error}): score a checkpoint with training.benchmark first."
        ) from error
    costs = {name: cost(name) for name in tqdm(NAMES, unit="model", file=sys.stderr)}
    write_json(path, {**content, "costs": costs})


def cost(name: str) -> dict[str, Any]:
    """Parameters, GMACs, reach in px (None: the whole image) and seconds of a model."""
    with torch.device("meta"):
        planned = build(name).eval()
    network = build(name).eval()
    return {
        "parameters": sum(parameter.numel() for parameter in planned.parameters()),
        **{f"gmacs_{side_px}_px": round(gmacs(planned, side_px), 2) for side_px in SIDES_PX},
        "reach_px": reach_px(network),
        f"seconds_{TIMED_PX}_px": round(seconds(network, name), 3),
        "timed_on": f"{torch.get_num_threads()} threads of {processor()}, {precision()}, torch {torch.__version__}",
    }


def gmacs(network: nn.Module, side_px: int) -> float:
    """Billions of multiply-adds of convolutions and matrix products for one image; the network is on "meta"."""
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        run(network, torch.empty(1, 3, side_px, side_px), torch.full((1,), CM_PER_PX))
    return float(counter.get_total_flops() / 2 / 1e9)


def reach_px(network: nn.Module) -> int | None:
    """Along a row, how many pixels of the image one pixel of the result can depend on by convolutions; None for all.

    Squeeze-and-excite, which pools over the whole image in every model but HRNet, is left out of it. Measured by
    the gradient of one result, with weights that let no path cancel another.
    """
    for module in network.modules():
        for child_name, child in module.named_children():
            if isinstance(child, SEModule):
                setattr(module, child_name, nn.Identity())
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm begins some with 0, which cuts the branch before it
    network = network.eval().double()  # so that a path of many small steps does not round to 0
    height, width = REACH_PX
    image = torch.ones((1, 3, height, width), dtype=torch.double, requires_grad=True)
    logits = run(network, image, torch.full((1,), CM_PER_PX, dtype=torch.double))
    torch.autograd.backward(logits[0, 0, height // 2, width // 2])
    assert image.grad is not None
    touched = torch.nonzero(image.grad.abs().sum(dim=(0, 1, 2)))
    reach = int(touched.max() - touched.min()) + 1
    return None if reach == width else reach


def seconds(network: nn.Module, architecture: str) -> float:
    """The fastest of TIMES passes of one image on the processor, as ``segment`` makes them."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (TIMED_PX, TIMED_PX, 3), np.uint8)
    raster = Raster(pixels, np.ones(pixels.shape[:2], bool), Affine.scale(CM_PER_PX / 100, -CM_PER_PX / 100), None)
    card = Card("timed", architecture, (CM_PER_PX, CM_PER_PX), TIMED_PX)
    device = torch.device("cpu")
    model = Model(for_inference(network.float(), device), card, device)
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        segment(raster, model)
        taken.append(time.perf_counter() - begun)
    return min(taken)


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def precision() -> str:
    """The precision in which the processor runs the models."""
    return "bfloat16" if has_bfloat16(torch.device("cpu")) else "float32"


if __name__ == "__main__":
    run_command(main)
