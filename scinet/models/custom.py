"""Custom models: weights as safetensors for a known architecture, or an ONNX file.

``open_custom_model`` gives the same ``Model`` as ``load_model``, so everything that segments can use it. Weights are
untrusted: nothing is unpickled, memory and time are bounded, and the network runs once before it is accepted.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, Literal, cast, get_args

import segmentation_models_pytorch as smp
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from scinet import json_values
from scinet.errors import CheckpointError
from scinet.models.architectures import NAMES
from scinet.models.build import MIN_SIDE_PX, AnySize, build
from scinet.models.card import Card
from scinet.models.checkpoint import Model
from scinet.models.device import default_device
from scinet.models.fuse import fold_batch_norms
from scinet.models.onnx_network import open_onnx

Output = Literal["logits", "probability"]
Colour = tuple[float, float, float]

MAX_FILE_BYTES = 1_000_000_000
MAX_HEADER_BYTES = 5_000_000  # a hundred times what the largest network needs
MAX_WINDOW_PX = 2048
SUFFIXES = (".safetensors", ".onnx")
SMP_ARCHITECTURES: tuple[str, ...] = tuple(smp.MODEL_ARCHITECTURES_MAPPING)
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
# Tried in addition to a whole window: the smallest size, and one that is not a power of 2
TRIAL_SIDES_PX = (MIN_SIDE_PX, 2 * MIN_SIDE_PX + 1)
# timm would take "tu-local-dir:/folder" and "tu-hf-hub:owner/name" for places to read
ENCODER = re.compile(r"[A-Za-z0-9_.-]{1,80}")
FIX_SPEC = "give gsd_range_cm_per_px, window_px, mean and std as docs/python.md shows"


@dataclass(frozen=True)
class ModelSpec:
    """What a file of weights does not say.

    Attributes:
        architecture: One of `scinet.models.architectures.NAMES`, or "<architecture>/<encoder>" as
            segmentation-models-pytorch names them ("unet/resnet34", "fpn/tu-regnety_016" for one of timm's); "onnx"
            for an ONNX file.
        gsd_range_cm_per_px: Finest and coarsest resolution that its training saw.
        window_px: Longest side of the windows that it sees.
        mean: Per channel, of images in [0, 1]: the network gets (image - mean) / std.
        std: Per channel.
        output: Of an ONNX file: "logits" or "probability", (N, 1, H, W), or (N, 2, H, W) with building last.
    """

    architecture: str
    gsd_range_cm_per_px: tuple[float, float]
    window_px: int = 512
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    output: Output = "logits"

    def __post_init__(self) -> None:
        low, high = self.gsd_range_cm_per_px
        if not 0 < low <= high < 100_000:
            raise CheckpointError(f"The GSD range {low:g} to {high:g} cm/px is not possible: give the finest first.")
        if not MIN_SIDE_PX <= self.window_px <= MAX_WINDOW_PX:
            raise CheckpointError(f"A window has {MIN_SIDE_PX} to {MAX_WINDOW_PX} px per side, not {self.window_px}.")
        if not all(map(isfinite, (*self.mean, *self.std))) or min(self.std) <= 0:
            raise CheckpointError("Mean and std are three numbers each, and no std is 0 or less.")
        if self.output not in get_args(Output):
            raise CheckpointError(f"An ONNX file gives logits or probability, not {self.output!r}.")

    @classmethod
    def from_json(cls, text: str, source: str) -> "ModelSpec":
        """Read the attributes from JSON; a model's card has them too. Raises CheckpointError."""
        try:
            values = json_values.mapping(json_values.parse(text), "the document")
            low, high = json_values.sequence(values["gsd_range_cm_per_px"], "gsd_range_cm_per_px")
            return cls(
                architecture=json_values.text(values.get("architecture", "onnx"), "architecture"),
                gsd_range_cm_per_px=(json_values.number(low, "a resolution"), json_values.number(high, "a resolution")),
                window_px=json_values.whole(values.get("window_px", cls.window_px), "window_px"),
                mean=_colour(values.get("mean", list(IMAGENET_MEAN)), "mean"),
                std=_colour(values.get("std", list(IMAGENET_STD)), "std"),
                output=cast(Output, json_values.text(values.get("output", cls.output), "output")),
            )
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{source} does not describe a model ({error}): {FIX_SPEC}.") from error


def open_custom_file(path: Path, device: torch.device | None = None) -> Model:
    """Open a .safetensors or .onnx file that is described by a JSON of the same name next to it.

    Args:
        path: The file; its JSON has the attributes of `ModelSpec`.
        device: Where to run it; by default CUDA, else MPS, else the CPU.

    Raises:
        CheckpointError: A file is missing, too large or does not fit.
    """
    described = path.with_suffix(".json")
    for needed in (path, described):
        if not needed.is_file():
            raise CheckpointError(f"{needed} is missing: a custom model is a file of weights and a JSON next to it.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CheckpointError(_too_large(path.name))
    spec = ModelSpec.from_json(described.read_text(errors="replace"), described.name)
    return open_custom_model(path.name, path.read_bytes(), spec, device)


def open_custom_model(file_name: str, content: bytes, spec: ModelSpec, device: torch.device | None = None) -> Model:
    """Open a model from the bytes of a file.

    Args:
        file_name: Name of the file, without its folder; its suffix, .safetensors or .onnx, tells what it is.
        content: The file.
        spec: What the file does not say.
        device: Where to run it; by default CUDA, else MPS, else the CPU.

    Raises:
        CheckpointError: The name cannot be a model's; the file is too large, is not safetensors or ONNX, or does not
            fit its architecture; or its result does not have the shape of the image or is not finite.
    """
    if len(content) > MAX_FILE_BYTES:
        raise CheckpointError(_too_large(file_name))
    name, suffix = file_name.rpartition(".")[0], Path(file_name).suffix.lower()
    if not file_name.isprintable() or set(file_name) & set("/\\") or not name.strip(" ."):
        raise CheckpointError(f"{file_name!r} cannot be the name of a model: give it letters or digits on one line.")
    one_size = False
    device = device or default_device()
    if suffix == ".onnx":
        spec = replace(spec, architecture="onnx")
        opened = open_onnx(content, file_name, spec.output)
        one_size = opened.side_px is not None
        spec = replace(spec, window_px=opened.side_px or spec.window_px)
        network: nn.Module = opened
        device = torch.device("cpu")  # where onnxruntime runs it
    elif suffix == ".safetensors":
        network = _from_safetensors(file_name, content, spec.architecture)
    else:
        raise CheckpointError(
            f"{file_name} is not a .safetensors or .onnx file. Pickles (.pt, .pth, .ckpt, .bin) can run code when "
            "they are opened, so they are refused: save the state dict with safetensors.torch.save_file."
        )
    card = Card(
        name=name,
        architecture=spec.architecture,
        gsd_range_cm_per_px=spec.gsd_range_cm_per_px,
        window_px=spec.window_px,
        mean=0.0,  # the network normalises, per channel
        std=1.0,
        settings={"file": file_name, "mean": spec.mean, "std": spec.std},
        is_custom=True,
        sha256=sha256(content + repr(spec).encode()).hexdigest(),
    )
    whole = Normalised(network, spec.mean, spec.std).requires_grad_(False).eval()
    _try_out(whole, file_name, [spec.window_px] if suffix == ".onnx" else [*TRIAL_SIDES_PX, spec.window_px])
    fold_batch_norms(whole)
    return Model(whole.to(memory_format=torch.channels_last).to(device), card, device, one_size)


class Normalised(nn.Module):
    """A network for images in [0, 1]: subtracts each channel's mean and divides by its standard deviation first."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Colour, std: Colour):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W) in [0, 1] to logits (N, 1, H, W)."""
        logits: Tensor = self.network((image - self.mean) / self.std)
        if not torch.isfinite(logits).all():
            raise CheckpointError("The model gives numbers that are not finite: its weights, mean or std are wrong.")
        return logits


class BuildingOfTwo(nn.Module):
    """The logit of building, from a network with two classes, background and building."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W) to logits (N, 1, H, W): softmax of two logits is the sigmoid of their difference."""
        logits: Tensor = self.network(image)
        return logits[:, 1:] - logits[:, :1]


def _from_safetensors(file_name: str, content: bytes, architecture: str) -> nn.Module:
    if len(content) > int.from_bytes(content[:8], "little") > MAX_HEADER_BYTES:
        raise CheckpointError(f"{file_name} describes more tensors than a network has: save its state dict alone.")
    try:
        state = load(content)
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{file_name} is not a safetensors file ({error}).") from error
    if not state:
        raise CheckpointError(f"{file_name} holds no weights.")
    for prefix in ("module.", "model."):  # as PyTorch's data parallel and Lightning save them
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    if architecture in NAMES:
        return _filled(lambda: build(architecture), state, file_name, architecture)
    kind, _, encoder = architecture.partition("/")
    if kind.lower() not in SMP_ARCHITECTURES or not ENCODER.fullmatch(encoder):
        raise CheckpointError(
            f"The architecture {architecture!r} is unknown: choose one of {', '.join(NAMES)}, or "
            f"<architecture>/<encoder> of segmentation-models-pytorch with one of {', '.join(SMP_ARCHITECTURES)}."
        )
    classes = 2 if any(key.startswith("segmentation_head") and len(t) == 2 for key, t in state.items() if t.ndim) else 1

    def make() -> nn.Module:
        network: nn.Module = smp.create_model(kind, encoder, encoder_weights=None, in_channels=3, classes=classes)
        return network

    network = _filled(make, state, file_name, architecture)
    return AnySize(network if classes == 1 else BuildingOfTwo(network))


def _filled(make: Callable[[], nn.Module], state: dict[str, Tensor], file_name: str, architecture: str) -> nn.Module:
    """Build a network and load the weights; it takes no memory until they are known to fit."""
    try:
        try:
            with torch.device("meta"):
                network = make()
        except RuntimeError:  # some encoders compute numbers when they are built; those of smp are small enough
            network = make()
    except Exception as error:  # smp and timm raise errors of many types for an unknown encoder
        raise CheckpointError(
            f"segmentation-models-pytorch cannot build {architecture} ({_first_line(error)}). "
            "Encoders of timm begin with tu-, as in unet/tu-resnet34."
        ) from error
    wanted = network.state_dict()
    _check_state(wanted, state, file_name, architecture)
    if any(buffer.is_meta for name, buffer in network.named_buffers() if name not in wanted):
        network = make()  # tables that are not weights, such as positions in Swin's windows
    full = {key: tensor.to(wanted[key].dtype) for key, tensor in state.items()}
    network.load_state_dict(full, assign=True)
    return network


def _check_state(wanted: dict[str, Tensor], state: dict[str, Tensor], file_name: str, architecture: str) -> None:
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or extra:
        example = f"{missing[0]} is missing" if missing else f"{extra[0]} is unknown"
        raise CheckpointError(
            f"{file_name} does not fit {architecture}: of {len(wanted)} tensors {len(missing)} are missing and "
            f"{len(extra)} are unknown; {example}. Check architecture and encoder, and save network.state_dict()."
        )
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape or tensor.is_floating_point() != wanted[key].is_floating_point():
            raise CheckpointError(
                f"{file_name} does not fit {architecture}: {key} is {tuple(tensor.shape)} of {tensor.dtype}, not "
                f"{tuple(wanted[key].shape)} of {wanted[key].dtype}. Check architecture, encoder and channels (3)."
            )


@torch.inference_mode()
def _try_out(network: nn.Module, file_name: str, sides_px: list[int]) -> None:
    """Run the network once per size: it must give one finite number per pixel."""
    for side_px in sorted(set(sides_px)):
        image = torch.rand((1, 3, side_px, side_px))
        try:
            logits = network(image)
        except CheckpointError:
            raise
        except Exception as error:  # an unknown architecture can raise anything
            raise CheckpointError(
                f"{file_name} fails on an image of {side_px} x {side_px} px ({_first_line(error)}). "
                "It must take any size from 32 px: export it as ONNX with a fixed size otherwise."
            ) from error
        if logits.shape != (1, 1, side_px, side_px):
            raise CheckpointError(
                f"{file_name} gives {tuple(logits.shape)} for an image of {side_px} x {side_px} px, not one number "
                "per pixel."
            )


def _first_line(error: Exception) -> str:
    text = str(error.args[0] if error.args else error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:160]}" if text else type(error).__name__


def _too_large(file_name: str) -> str:
    return f"{file_name} has more than {MAX_FILE_BYTES / 1e9:g} GB: save it in half precision."


def _colour(value: Any, name: str) -> Colour:
    """Three numbers, from one per channel or one for all."""
    first, second, third = (json_values.number(v, name) for v in (value if isinstance(value, list) else [value] * 3))
    return first, second, third
