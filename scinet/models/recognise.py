"""Which network a file of weights belongs to, told from the names and shapes of its tensors."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import segmentation_models_pytorch as smp
import torch

from scinet.models.architectures import DECODER_TITLES, NAMES, TITLES
from scinet.models.build import build

Shapes = Mapping[str, tuple[int, ...]]

MAX_HEADER_BYTES = 5_000_000
PREFIXES = ("module.", "model.")  # as PyTorch's data parallel and Lightning save them
# Encoders by a tensor that each of a family has; the smallest come first
FAMILIES = {
    "layer1.0.conv1.weight": ("resnet", "resnext", "timm-skresn"),
    "layer0.conv1.weight": ("se_", "senet"),
    "features.0.weight": ("vgg",),
    "features.0.0.weight": ("mobilenet_v2",),
    "features.conv0.weight": ("densenet",),
    "_conv_stem.weight": ("efficientnet",),
    "conv_stem.weight": ("timm-",),
    "patch_embed1.proj.weight": ("mit_b",),
}
TIMM_ENCODERS = (
    *("tu-resnet18", "tu-resnet34", "tu-resnet50", "tu-regnety_016", "tu-efficientnet_b0", "tu-efficientnet_b3"),
    *("tu-mobilenetv3_small_050", "tu-mobilenetv3_large_100", "tu-convnext_tiny", "tu-hrnet_w18", "tu-hrnet_w32"),
)


class Recognised(NamedTuple):
    """A network: its architecture as `ModelSpec` names it, and its name in words."""

    architecture: str
    title: str


def recognise(content: bytes) -> Recognised | None:
    """Tell the network of a .safetensors file.

    Only the file's header is read. Known are the project's architectures, and those of segmentation-models-pytorch with
    its own encoders or with the most usual ones of timm.

    Args:
        content: The file, or its beginning with all of the header.

    Returns:
        The network whose tensors have exactly these names and shapes; None if there is none.

    Example:
        >>> from safetensors.torch import save
        >>> recognise(save(build("unet").state_dict()))
        Recognised(architecture='unet', title='UNet')
        >>> recognise(b"no weights") is None
        True
    """
    found = _shapes_of_file(content)
    if not found:
        return None
    for name in NAMES:
        if _shapes_of(name) == found:
            return Recognised(name, TITLES[name])
    encoder = _encoder(found)
    if encoder is None:
        return None
    classes = next((shape[0] for name, shape in found.items() if name == "segmentation_head.0.weight"), 1)
    for kind in _decoders(found):
        if _shapes_of_smp(kind, encoder, classes) == found:
            return Recognised(f"{kind}/{encoder}", f"{DECODER_TITLES[kind]} with {encoder}")
    return None


def _shapes_of_file(content: bytes) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors by their names without prefix; none if it is not a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    if not 2 <= size <= min(MAX_HEADER_BYTES, len(content) - 8):
        return {}
    try:
        header = json.loads(content[8 : 8 + size])
        header.pop("__metadata__", None)
        shapes = {str(name): tuple(int(side) for side in tensor["shape"]) for name, tensor in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    for prefix in PREFIXES:
        if shapes and all(name.startswith(prefix) for name in shapes):
            shapes = {name.removeprefix(prefix): shape for name, shape in shapes.items()}
    return shapes


def _encoder(found: Shapes) -> str | None:
    """The encoder that has all tensors of the file's encoder, in these shapes."""
    mine = {name.removeprefix("encoder."): shape for name, shape in found.items() if name.startswith("encoder.")}
    if not mine:
        return None
    for name in _candidates(mine):
        if mine.items() <= _shapes_of_encoder(name).items():
            return name
    return None


def _candidates(mine: Shapes) -> Iterable[str]:
    if all(name.startswith("model.") for name in mine):
        return TIMM_ENCODERS
    families = [prefixes for marker, prefixes in FAMILIES.items() if marker in mine]
    return [name for name in smp.encoders.encoders if any(name.startswith(prefixes) for prefixes in families)]


def _decoders(found: Shapes) -> Iterable[str]:
    """The decoders to try: most have a name of a tensor for themselves."""
    names = [name for name in found if name.startswith("decoder.")]
    marks = {
        "fpn": "decoder.p5.",
        "deeplabv3plus": "decoder.aspp.",
        "unetplusplus": "decoder.blocks.x_",
        "linknet": "decoder.blocks.0.block.",
        "segformer": "decoder.mlp_stage.",
    }
    known = [kind for kind, mark in marks.items() if any(name.startswith(mark) for name in names)]
    return known or [kind for kind in DECODER_TITLES if kind not in marks]


@lru_cache(maxsize=128)
def _shapes_of(architecture: str) -> dict[str, tuple[int, ...]]:
    return _shapes(lambda: build(architecture))


@lru_cache(maxsize=128)
def _shapes_of_encoder(name: str) -> dict[str, tuple[int, ...]]:
    return _shapes(lambda: smp.encoders.get_encoder(name, weights=None))


@lru_cache(maxsize=128)
def _shapes_of_smp(kind: str, encoder: str, classes: int) -> dict[str, tuple[int, ...]]:
    return _shapes(lambda: smp.create_model(kind, encoder, encoder_weights=None, classes=classes))


def _shapes(make: Callable[[], torch.nn.Module]) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's tensors, without memory for them where that is possible; none if it cannot be built."""
    try:
        try:
            with torch.device("meta"):
                network = make()
        except RuntimeError:  # some encoders compute numbers when they are built
            network = make()
    except Exception:  # smp and timm raise errors of many types for a decoder that an encoder does not fit
        return {}
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
