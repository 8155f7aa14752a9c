"""Our segmentation compared with other tools: ``python -m tests.benchmarks.segment``.

All run one after the other on the same GeoTIFF with the weights of the UNet on board: geodeep (ONNX Runtime),
geoai-py's predict_geotiff, and torchgeo's sampler with windows stitched by hand; see `tests.benchmarks.contenders`.
They are installed into a separate environment, runs/peers, which takes some minutes and 6 GB the first time and can be
deleted afterwards.

Scenes: the one in the ocaic folder of SCINET_DATA, if it is there, and a generated one of --side-px. Printed for each:
windows, seconds from the loaded model to the written mask, CPU seconds, peak memory of the process, the share of pixels
that differ from our mask in float32, and the IoU with the reference. docs/benchmarks.md has the results.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.transform import Affine
from shapely.affinity import translate

from scinet.evaluation.scores import Counts, iou
from scinet.evaluation.truth import read_truth, truth_labels
from scinet.models.checkpoint import load_trained
from scinet.models.device import default_device
from scinet.raster.scene import read_raster
from tests.benchmarks.contenders import CONTENDERS, OURS, Job
from tests.published import PLACE, publish, town_scene
from training.costs import processor

PROJECT = Path(__file__).parents[2]
PEERS = ("geodeep==0.9.13", "geoai-py==0.40.1", "torchgeo==0.8.1")
STAMP_PX, ONNX_PX = 2048, 512
ACCRA = Path("ocaic/train_tier_1/acc/d41d81/d41d81.tif")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="unet")
    parser.add_argument("--side-px", type=int, default=12_288, help="side of the generated scene; 0 for none")
    parser.add_argument("--peers", type=Path, default=PROJECT / "runs" / "peers", help="environment of the other tools")
    parser.add_argument("--ours-alone", action="store_true", help="without the other tools")
    options = parser.parse_args()
    python = dict.fromkeys(OURS, Path(sys.executable))
    if not options.ours_alone:
        python["peers"] = peers_python(options.peers)
    names = list(OURS) if options.ours_alone else list(CONTENDERS)
    device = default_device()
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"no GPU, {processor()}"
    print(f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}, {options.model}; others on the CPU")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = Job("", options.model, str(write_onnx(options.model, folder / "network.onnx")), "")
        for scene in scenes(folder, options.side_px):
            compare(replace(job, scene=str(scene)), python, folder, names)


def compare(job: Job, python: dict[str, Path], folder: Path, names: list[str]) -> None:
    """Print one line for each of `names`, in order: those that others are compared with come first."""
    scene = Path(job.scene)
    labels = scene.parent.with_name(f"{scene.stem}-labels") / f"{scene.stem}.geojson"
    raster = read_raster(scene, max_pixels=10**9)
    truth = truth_labels(read_truth(labels, raster, labels.name), raster) > 0
    height, width = raster.shape
    print(f"\n{scene.name}: {width} x {height} px at {raster.cm_per_px:.3g} cm/px")
    print(f"{'':22} windows   start    wall     cpu  cpu to ours  peak MB  pixels %     IoU", flush=True)
    valid, found = raster.valid, {}
    del raster
    for name in names:
        out = folder / f"{name}.npy"
        facts = found[name] = measured(name, replace(job, out=str(out)), python.get(name) or python["peers"], folder)
        if name == "ours":
            job = replace(job, windows=facts["windows"], side_px=facts["side_px"])
        to_ours = f"{facts['cpu_s'] / found['ours']['cpu_s']:12.2f}" if "ours" in found else 12 * " "
        line = f"{name.replace('_', ' '):22} {facts['windows']:7} {facts['start_s']:7.1f} {facts['wall_s']:7.1f} "
        line += f"{facts['cpu_s']:7.1f} {to_ours} {facts['peak_mb']:8.0f}"
        if out.exists():
            mask = np.load(out) & valid
            different = 100 * (mask != (np.load(folder / f"{names[0]}.npy") & valid))[valid].mean()
            line += f" {different:9.3f} {100 * iou(Counts.of(truth, mask, valid)):7.2f}"
        print(line, flush=True)


def measured(name: str, job: Job, python: Path, folder: Path) -> dict[str, Any]:
    path = folder / "job.json"
    path.write_text(json.dumps(asdict(job)))
    command = [str(python), "-W", "ignore", "-m", "tests.benchmarks.contenders", name, str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def peers_python(environment: Path) -> Path:
    """The interpreter of the environment with the other tools, which is created if it does not exist."""
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"installing {', '.join(PEERS)} into {environment}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        torch_version = torch.__version__.partition("+")[0]
        subprocess.run([str(python), "-m", "pip", "install", "-q", f"torch=={torch_version}", *PEERS], check=True)
    return python


def write_onnx(model: str, path: Path) -> Path:
    """The network as geodeep expects it: a fixed window size, probabilities of two classes, settings as metadata."""
    import onnx

    network, card = load_trained(model)

    class TwoClasses(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = getattr(network, "network")  # noqa: B009  (without AnySize)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            building = self.network((image - card.mean) / card.std).sigmoid()
            return torch.cat([1 - building, building], dim=1)

    image = torch.rand(1, 3, ONNX_PX, ONNX_PX)
    torch.onnx.export(TwoClasses().eval(), (image,), str(path), input_names=["image"], opset_version=17, dynamo=False)
    written = onnx.load(path)
    settings = {"model_type": '"Segmentor"', "class_names": '{"0": "none", "1": "building"}', "seg_small_segment": "0"}
    for key, value in {**settings, "resolution": "1"}.items():  # 1 cm/px: never downsampled
        written.metadata_props.add(key=key, value=value)
    onnx.save(written, path)
    return path


def scenes(folder: Path, side_px: int) -> list[Path]:
    data = Path(os.environ.get("SCINET_DATA") or PROJECT.parent / "shared" / "data")
    found = [data / ACCRA] if (data / ACCRA).exists() else []
    return [*found, town(folder, side_px)] if side_px else found


def town(folder: Path, side_px: int) -> Path:
    """A generated town at 5 cm/px, repeated to fill the scene."""
    rgba, polygons = town_scene(3, size_m=STAMP_PX * 0.05, cm_per_px=5.0)
    times = -(-side_px // STAMP_PX)
    repeated = [
        translate(polygon, column * STAMP_PX, row * STAMP_PX)
        for row in range(times)
        for column in range(times)
        for polygon in polygons
    ]
    whole = np.tile(rgba, (times, times, 1))[:side_px, :side_px]
    return publish(folder, "tow", "town", whole, repeated, PLACE * Affine.scale(0.5))


if __name__ == "__main__":
    main()
