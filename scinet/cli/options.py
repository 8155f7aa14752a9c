"""Options that several commands have, and what they lead to."""

import argparse
from pathlib import Path

from tqdm import tqdm

from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import SciNetError
from scinet.models.checkpoint import Model, load_model
from scinet.models.custom import SUFFIXES, open_custom_file
from scinet.models.device import parse_device
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.scene import Scene, open_scene
from scinet.segmentation.strategies import STRATEGIES
from scinet.web import is_url

IMAGE_HELP = "GeoTIFF, COG, PNG, JPEG, WebP or JPEG 2000; a path, or the URL of a COG"


def add_model(command: argparse.ArgumentParser, several: bool = False) -> None:
    more = "; may be given again" if several else ""
    command.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        action="append" if several else "store",
        help="a checkpoint (python -m scinet models lists them), or the path of a .safetensors or .onnx file with its "
        f".json beside it{more}",
    )
    command.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (default: the best there is)")


def add_seeing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="direct",
        help="what the model sees. direct: the image at the working GSD; canonical: resampled to the middle of the "
        "model's training range; multi-scale: at half, once and twice the working GSD (default: direct)",
    )
    command.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="building where the probability is above it (0.5)"
    )


def add_native(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--native-cm-per-px", metavar="N", help="the image's own GSD, where the file carries no georeference"
    )


def models_of(names: list[str], device_name: str | None) -> list[Model]:
    """Checkpoints by name, or models of one's own by path. Raises CheckpointError."""
    device = parse_device(device_name) if device_name else None
    own = [Path(name).suffix.lower() in SUFFIXES for name in names]
    return [open_custom_file(Path(n), device) if o else load_model(n, device) for n, o in zip(names, own, strict=True)]


class Bar(tqdm):
    """A progress bar over work whose share done is known, with the time left."""

    n: float

    def __init__(self, text: str) -> None:
        layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
        super().__init__(total=1.0, desc=text, bar_format=layout)

    def show(self, done: float) -> None:
        """For a `Progress`."""
        if not self.n and done > 0.01:  # gone on with: what was done before says nothing about the speed
            self.initial = self.n = done
        self.update(done - self.n)


def check_threshold(threshold: float) -> None:
    if not 0 < threshold < 1:
        raise SciNetError(f"The threshold {threshold:g} is not between 0 and 1; 0.5 is usual.")


def gsd(text: str | None) -> float | None:
    """A GSD in cm/px from an option, None where it is not given. Raises ResolutionError."""
    return None if text is None else parse_cm_per_px(text)


def images_of(source: str, native_cm_per_px: float | None) -> list[Tile] | Scene:
    """The tiles of a folder, or the one scene of a path or URL."""
    if not is_url(source) and Path(source).is_dir():
        return tiles_in(Path(source))
    return open_scene(source, cm_per_px=native_cm_per_px)
