"""Writes models as ONNX files, which run without PyTorch."""

import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scinet.atomic_write import atomic_write
from scinet.errors import CheckpointError
from scinet.models.architectures import ARCHITECTURES, outputs_of
from scinet.models.card import Card

OPSET = 17
TRIAL_SIDES_PX = ((96, 64), (45, 130))
TRIAL_CM_PER_PX = 20.0
LARGEST_DIFFERENCE = 1e-3  # of probabilities
# A PSPNet pools to 1, 2, 3 and 6 cells per side, which ONNX supports for fixed sizes in multiples of stride 32 only.
_FIXED_SIZE = ("pspnet",)
_FIXED_STEP_PX = 6 * 32


def export_onnx(network: nn.Module, card: Card, path: str | Path) -> float:
    """Write a model as an ONNX file, and next to it the JSON that `open_custom_file` needs.

    The input "image" is RGB in [0, 1], float32 (N, 3, H, W), of any size; the output "logits" float32 (N, 1, H, W),
    before the sigmoid. A PSPNet takes windows of its card's size only.

    An InstanceNet has a second input "cm_per_px", float32 (N,), and logits (N, 3, H, W): building, boundary and
    distance, as `scinet.segmentation.instances` uses them. The watershed is not in the file.

    Args:
        network: As `load_trained` gives it.
        card: Its card.
        path: The file to write; it ends in .onnx.

    Returns:
        The largest difference of its probabilities from the network's on random images.

    Raises:
        CheckpointError: A package is missing, or the difference exceeds 1e-3.
        WriteError: A file cannot be written.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        raise CheckpointError("ONNX needs two more packages: pip install onnx onnxruntime.") from None
    path = Path(path)
    if path.suffix != ".onnx":
        raise CheckpointError(f"{path} cannot be written: give a path that ends in .onnx.")
    fixed = card.architecture in _FIXED_SIZE
    if fixed and card.window_px % _FIXED_STEP_PX:
        raise CheckpointError(
            f"{card.title} can be exported for windows of a multiple of {_FIXED_STEP_PX} px, not {card.window_px}: "
            "change window_px on its card."
        )
    sides = ((card.window_px, card.window_px),) if fixed else TRIAL_SIDES_PX
    exported = _Exported(network, card).eval()
    takes_cm_per_px = ARCHITECTURES[card.architecture].takes_cm_per_px
    names = ["image", "cm_per_px"] if takes_cm_per_px else ["image"]
    resolution = (torch.tensor([TRIAL_CM_PER_PX]),) if takes_cm_per_px else ()
    dynamic = None if fixed else {name: {0: "n", 2: "height", 3: "width"} for name in ("image", "logits")}
    if dynamic is not None and takes_cm_per_px:
        dynamic["cm_per_px"] = {0: "n"}
    with (
        atomic_write(path) as partial,
        atomic_write(path.with_suffix(".json")) as described,
        warnings.catch_warnings(),
        torch.no_grad(),
    ):
        warnings.simplefilter("ignore")  # the exporter warns about every size that it reads
        torch.onnx.export(
            exported,
            (torch.rand(1, 3, *sides[0]), *resolution),
            str(partial),
            input_names=names,
            output_names=["logits"],
            dynamic_axes=dynamic,
            opset_version=OPSET,
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
        difference = 0.0
        for height, width in sides:
            image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
            given = dict(zip(names, (image, *resolution), strict=True))
            found = torch.from_numpy(session.run(None, {name: value.numpy() for name, value in given.items()})[0])
            difference = max(difference, float((exported(*given.values()).sigmoid() - found.sigmoid()).abs().max()))
        if not difference <= LARGEST_DIFFERENCE:
            raise CheckpointError(f"{card.name} as ONNX differs by {difference:.2g}, so it is not written.")
        described.write_text(_description(card))
    return difference


class _Exported(nn.Module):
    """A network with its normalisation, for images of any size: without branches, which ONNX would fix."""

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network = getattr(network, "network", network)  # without AnySize
        self.mean, self.std = card.mean, card.std
        self.pads = card.architecture not in _FIXED_SIZE

    def forward(self, image: Tensor, *cm_per_px: Tensor) -> Tensor:
        """RGB in [0, 1] (N, 3, H, W), and the resolution (N,) for a network that takes it, to logits (N, C, H, W)."""
        image = (image - self.mean) / self.std
        height, width = image.shape[-2:]
        if self.pads:
            image = F.pad(image, (0, -width % 32, 0, -height % 32), mode="replicate")
        logits: Tensor = self.network(image, *cm_per_px)
        return logits[..., :height, :width] if self.pads else logits


def _description(card: Card) -> str:
    """What the file does not say by itself: see `scinet.models.custom.ModelSpec`."""
    facts = {
        "architecture": "onnx",
        "gsd_range_cm_per_px": card.gsd_range_cm_per_px,
        "window_px": card.window_px,
        "mean": 0.0,
        "std": 1.0,
        "output": "logits",
        "outputs": outputs_of(card.architecture),
        "exported_from": {"name": card.name, "architecture": card.architecture, "sha256": card.sha256},
        "data": card.data,
    }
    return json.dumps(facts, indent=2) + "\n"
