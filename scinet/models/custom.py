"""Custom models: weights as safetensors for a known architecture, or an ONNX file.

``open_custom_model`` gives the same ``Model`` as ``load_model``, so everything that segments can use it. Weights are
untrusted: nothing is unpickled, memory and time are bounded, and the network runs once before it is accepted.
ONNX files need no PyTorch.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from scinet import json_values
from scinet.errors import CheckpointError
from scinet.models.architectures import Output
from scinet.models.card import Card
from scinet.models.model import MIN_SIDE_PX, Model, Processor
from scinet.models.onnx_network import open_onnx
from scinet.models.packages import need_pytorch
from scinet.models.trial import TRIAL_CM_PER_PX, try_out

if TYPE_CHECKING:
    import torch

Form = Literal["logits", "probability"]
Colour = tuple[float, float, float]

MAX_FILE_BYTES = 1_000_000_000
MAX_WINDOW_PX = 2048
SUFFIXES = (".safetensors", ".onnx")
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
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
        outputs: Of an ONNX file with other channels: what they are, building the first; see
            `scinet.models.architectures.Architecture`.
    """

    architecture: str
    gsd_range_cm_per_px: tuple[float, float]
    window_px: int = 512
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    output: Form = "logits"
    outputs: tuple[Output, ...] = ("building",)

    def __post_init__(self) -> None:
        low, high = self.gsd_range_cm_per_px
        if not 0 < low <= high < 100_000:
            raise CheckpointError(f"The GSD range {low:g} to {high:g} cm/px is not possible: give the finest first.")
        if not MIN_SIDE_PX <= self.window_px <= MAX_WINDOW_PX:
            raise CheckpointError(f"A window has {MIN_SIDE_PX} to {MAX_WINDOW_PX} px per side, not {self.window_px}.")
        if not all(map(isfinite, (*self.mean, *self.std))) or min(self.std) <= 0:
            raise CheckpointError("Mean and std are three numbers each, and no std is 0 or less.")
        if self.output not in get_args(Form):
            raise CheckpointError(f"An ONNX file gives logits or probability, not {self.output!r}.")
        if self.outputs not in (("building",), get_args(Output)):
            raise CheckpointError(
                f"The outputs of a model are building, or {', '.join(get_args(Output))} in this order."
            )

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
                output=cast(Form, json_values.text(values.get("output", cls.output), "output")),
                outputs=cast(
                    tuple[Output, ...], tuple(json_values.sequence(values.get("outputs", ["building"]), "outputs"))
                ),
            )
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{source} does not describe a model ({error}): {FIX_SPEC}.") from error


def open_custom_file(path: Path, device: "torch.device | None" = None) -> Model:
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


def open_custom_model(file_name: str, content: bytes, spec: ModelSpec, device: "torch.device | None" = None) -> Model:
    """Open a model from the bytes of a file.

    Args:
        file_name: Name of the file, without its folder; its suffix, .safetensors or .onnx, tells what it is.
        content: The file.
        spec: What the file does not say.
        device: Where to run weights; by default CUDA, else MPS, else the CPU. ONNX files run on the CPU.

    Raises:
        CheckpointError: The name cannot be a model's; the file is too large, is not safetensors or ONNX, or does not
            fit its architecture; or its result does not have the shape of the image or is not finite.
    """
    if len(content) > MAX_FILE_BYTES:
        raise CheckpointError(_too_large(file_name))
    name, suffix = file_name.rpartition(".")[0], Path(file_name).suffix.lower()
    if not file_name.isprintable() or set(file_name) & set("/\\") or not name.strip(" ."):
        raise CheckpointError(f"{file_name!r} cannot be the name of a model: give it letters or digits on one line.")
    if suffix == ".onnx":
        opened = open_onnx(content, file_name, spec.output, spec.outputs, spec.mean, spec.std)
        spec = replace(spec, architecture="onnx", window_px=opened.side_px or spec.window_px)
        outputs = len(opened.outputs)
        try_out(lambda image: opened.logits(image, 1, TRIAL_CM_PER_PX), file_name, [spec.window_px], outputs)
        return Model(opened, _card(name, file_name, content, spec), Processor(), opened.side_px is not None)
    if suffix != ".safetensors":
        raise CheckpointError(
            f"{file_name} is not a .safetensors or .onnx file. Pickles (.pt, .pth, .ckpt, .bin) can run code when "
            "they are opened, so they are refused: save the state dict with safetensors.torch.save_file."
        )
    need_pytorch(f"{file_name} holds weights")
    from scinet.models.custom_weights import open_weights
    from scinet.models.device import default_device

    device = device or default_device()
    network = open_weights(content, file_name, spec, device)
    return Model(network, _card(name, file_name, content, spec), device)


def _card(name: str, file_name: str, content: bytes, spec: ModelSpec) -> Card:
    return Card(
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


def _too_large(file_name: str) -> str:
    return f"{file_name} has more than {MAX_FILE_BYTES / 1e9:g} GB: save it in half precision."


def _colour(value: Any, name: str) -> Colour:
    """Three numbers, from one per channel or one for all."""
    first, second, third = (json_values.number(v, name) for v in (value if isinstance(value, list) else [value] * 3))
    return first, second, third
