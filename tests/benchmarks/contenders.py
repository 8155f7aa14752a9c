"""Ways to segment a GeoTIFF with the same weights: ours, and other tools.

`tests.benchmarks.segment` runs each in a separate process: ``python -m tests.benchmarks.contenders NAME JOB``.
The other tools run in an environment of their own, which can import this package's models too. All give one number per
pixel of the scene, above 0.5 for buildings.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Job:
    """The model and the scene; `onnx` is the same network with windows of 512 px."""

    scene: str
    model: str
    onnx: str
    out: str  # .npy, the mask bool (H, W)
    windows: int = 0  # for the forward passes alone, as is side_px
    side_px: int = 0


@dataclass
class Done:
    """The outcome of a job.

    Attributes:
        mask: Reads the written mask.
        windows: Number of windows that the network saw.
        side_px: Their side.
        ready: When imports and model were loaded, (wall, CPU) seconds.
    """

    mask: Callable[[], Any] | None = None
    windows: int = 0
    side_px: int = 0
    ready: tuple[float, float] = (0.0, 0.0)


def ours(job: Job) -> Done:
    from scinet.models.named import open_model
    from scinet.raster.scene import open_scene
    from scinet.segmentation import forward
    from scinet.segmentation.scene import segment_to_file

    model = open_model(job.model)
    done, run = Done(ready=now()), forward._probability

    def counted(windows: Any, *arguments: Any) -> Any:
        done.windows += len(windows)
        done.side_px = windows.shape[2]
        return run(windows, *arguments)

    forward._probability = counted
    out = Path(job.out).with_suffix(".tif")
    segment_to_file(open_scene(job.scene), model, out)
    done.mask = lambda: _first_band(out) == 1
    return done


def ours_in_float32(job: Job) -> Done:
    """In PyTorch."""
    from scinet.models import named

    named.fastest_model = named.remembered_model = lambda name: None
    return ours_without_bfloat16(job)


def ours_without_bfloat16(job: Job) -> Done:
    """As on a processor that does not have it: in the fastest runtime that is installed."""
    from scinet.models import device, fuse
    from scinet.segmentation import torch_forward

    for module in (device, fuse, torch_forward):
        module.has_bfloat16 = lambda device: False
    return ours(job)


def forward_passes_alone(job: Job) -> Done:
    """As many windows of the same size as ours runs, all available from the start."""
    from scinet.models.checkpoint import load_model
    from scinet.segmentation.forward import Forward

    forward = Forward(load_model(job.model), job.windows)
    window = np.random.default_rng(0).integers(0, 256, (job.side_px, job.side_px, 3), np.uint8)
    done = Done(windows=job.windows, ready=now())
    running = [forward.begin([window]) for _ in range(job.windows)]
    while running:
        running.pop(0).result()
    return done


def geodeep(job: Job) -> Done:
    """ONNX Runtime with default settings: windows overlap by 5 %, and a median filter of 5 px smooths the mask."""
    import geodeep
    import onnxruntime as runtime

    done, run = Done(ready=now()), runtime.InferenceSession.run

    def counted(*arguments: Any) -> Any:
        done.windows += 1
        return run(*arguments)

    runtime.InferenceSession.run = counted
    mask = geodeep.detect(job.scene, job.onnx, output_type="raw") > 0
    done.mask = lambda: mask
    return done


def geoai(job: Job) -> Done:
    """predict_geotiff with default settings: windows of 256 px that overlap by 64, four at a time."""
    return _geoai(job)


def geoai_large(job: Job) -> Done:
    """predict_geotiff with windows as large as ours and as little overlap."""
    return _geoai(job, tile_size=544, overlap=32, batch_size=1)


def _geoai(job: Job, **settings: int) -> Done:
    from geoai.inference import predict_geotiff

    network, done = _torch_network(job)
    out = str(Path(job.out).with_suffix(".tif"))
    predict_geotiff(network, job.scene, out, input_bands=[1, 2, 3], device="cpu", verbose=False, **settings)
    done.mask = lambda: _first_band(out) > 0.5
    return done


def _first_band(path: str | Path) -> Any:
    import rasterio

    with rasterio.open(path) as dataset:
        return dataset.read(1)


def torchgeo(job: Job) -> Done:
    """GridGeoSampler with windows of 544 px every 512, stitched by hand: later windows overwrite earlier ones."""
    import rasterio
    import torch
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GridGeoSampler

    network, done = _torch_network(job)
    with rasterio.open(job.scene) as dataset:
        shape, transform = dataset.shape, dataset.transform
    whole = np.zeros(shape, bool)
    done.mask = lambda: whole
    data = RasterDataset(job.scene)
    sampler = GridGeoSampler(data, size=544, stride=512)
    with torch.inference_mode():
        for sample in DataLoader(data, sampler=sampler, collate_fn=stack_samples):
            mask = network(sample["image"][:, :3] / 255)[0, 0].numpy() > 0.5
            left, top = _corner(sample, transform)
            into = whole[max(top, 0) : top + 544, max(left, 0) : left + 544]
            above, before = max(-top, 0), max(-left, 0)
            into[...] = mask[above : above + into.shape[0], before : before + into.shape[1]]
    return done


def _corner(sample: dict[str, Any], transform: Any) -> tuple[int, int]:
    """(column, row) of a sample's upper left pixel."""
    x, y, _ = sample["bounds"][0]
    column, row = ~transform * (x.start, y.stop)
    return round(column), round(row)


def _torch_network(job: Job) -> tuple[Any, Done]:
    """The model as a plain module, from images in [0, 1] to probabilities."""
    import torch

    from scinet.models.checkpoint import load_trained

    network, card = load_trained(job.model)
    done = Done(ready=now())

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            done.windows += len(image)
            return self.network((image - card.mean) / card.std).sigmoid()

    return Plain().eval(), done


CONTENDERS: dict[str, Callable[[Job], Done]] = {
    contender.__name__: contender
    for contender in (
        ours_in_float32,
        ours,
        ours_without_bfloat16,
        forward_passes_alone,
        geodeep,
        geoai,
        geoai_large,
        torchgeo,
    )
}
OURS = ("ours_in_float32", "ours", "ours_without_bfloat16", "forward_passes_alone")


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def peak_mb() -> float:
    """Peak memory of this process; getrusage would include the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    name, path = sys.argv[1:]
    job, began = Job(**json.loads(Path(path).read_text())), now()
    done = CONTENDERS[name](job)
    ended, peak = now(), peak_mb()
    if done.mask is not None:
        np.save(job.out, done.mask())
    print(
        json.dumps(
            {
                "windows": done.windows,
                "side_px": done.side_px,
                "start_s": done.ready[0] - began[0],
                "wall_s": ended[0] - done.ready[0],
                "cpu_s": ended[1] - done.ready[1],
                "peak_mb": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
