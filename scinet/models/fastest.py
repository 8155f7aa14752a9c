"""The fastest way to run a model on a processor without bfloat16.

Float32 takes PyTorch twice the time there that it takes OpenVINO or ONNX Runtime. Those that are installed are tried
beside PyTorch once per architecture, processor and versions, and the choice is remembered in the cache, with the model
as ONNX.
"""

import copy
import json
import os
import platform
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scinet.atomic_write import write_text
from scinet.download import cache_folder
from scinet.errors import CheckpointError, WriteError
from scinet.models.architectures import ARCHITECTURES
from scinet.models.card import Card, checkpoints_folder, read_card
from scinet.models.model import Model, Processor
from scinet.models.runtimes import RUNTIMES
from scinet.models.trial import TRIAL_CM_PER_PX
from scinet.output_lock import output_lock

if TYPE_CHECKING:
    from torch import nn

PYTORCH = "pytorch"
TRIAL_PX, TRIALS = 384, 3
LARGEST_DIFFERENCE = 1e-3  # of probabilities
_ONE_SIZE = ("pspnet",)  # which as ONNX takes windows of one size alone


def remembered_model(name: str) -> Model | None:
    """A model on board with the runtime that was chosen for it; None where none was, or where PyTorch is faster.

    PyTorch is not imported for it.
    """
    try:
        card = read_card(checkpoints_folder() / f"{name}.json")
    except CheckpointError:
        return None
    chosen, exported = _choices().get(_key(card), PYTORCH), _exported(card)
    return None if chosen == PYTORCH or not exported.is_file() else _model(chosen, exported, card)


def fastest_model(name: str) -> Model | None:
    """A model on board with the runtime that is fastest on this processor; None where that is PyTorch.

    Raises:
        CheckpointError: There is no such model, or a file is damaged.
    """
    installed = [package for package in RUNTIMES if find_spec(package)]
    if not (installed and find_spec("onnx") and find_spec("onnxruntime")):  # which the export needs
        return None
    from scinet.models.checkpoint import load_trained
    from scinet.models.onnx_export import export_onnx

    network, card = load_trained(name)
    choices, key, path = _choices(), _key(card), _exported(card)
    if card.architecture in _ONE_SIZE or choices.get(key) == PYTORCH:
        return None
    with suppress(CheckpointError, WriteError, OSError):  # the model runs in PyTorch then
        path.parent.mkdir(parents=True, exist_ok=True)
        with output_lock(path):
            if not path.is_file():
                export_onnx(network, card, path)
            if key not in choices:
                choices[key] = _fastest(network, card, path, installed)
                write_text(_file(), json.dumps(choices, indent=2) + "\n")
        return None if choices[key] == PYTORCH else _model(choices[key], path, card)
    return None


def _model(runtime: str, exported: Path, card: Card) -> Model:
    return Model(RUNTIMES[runtime](exported, ARCHITECTURES[card.architecture]), card, Processor())


def _fastest(network: "nn.Module", card: Card, path: Path, installed: list[str]) -> str:
    """The name of the one that takes least processor time for a window, of those that agree with PyTorch."""
    image = np.random.default_rng(0).random((1, 3, TRIAL_PX, TRIAL_PX), np.float32)
    wanted, least_s, chosen = *_timed(_in_pytorch(network, card), image), PYTORCH
    for name in installed:
        runtime = RUNTIMES[name](path, ARCHITECTURES[card.architecture])
        found, seconds = _timed(partial(runtime.logits, threads=1, cm_per_px=TRIAL_CM_PER_PX), image)
        if seconds < least_s and np.abs(_sigmoid(found) - _sigmoid(wanted)).max() <= LARGEST_DIFFERENCE:
            least_s, chosen = seconds, name
    return chosen


def _in_pytorch(network: "nn.Module", card: Card) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    import torch

    from scinet.models.build import run as run_network
    from scinet.models.fuse import for_inference

    ready = for_inference(copy.deepcopy(network), torch.device("cpu"))

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            image = ((torch.from_numpy(images) - card.mean) / card.std).to(memory_format=torch.channels_last)
            logits = run_network(ready, image, torch.full((len(images),), TRIAL_CM_PER_PX))
            found: NDArray[np.float32] = logits.float().numpy()
        return found

    return run


def _timed(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]], image: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """The answer, and the least processor seconds of some runs after the first."""
    answer, taken = run(image), []
    for _ in range(TRIALS):
        began = time.process_time()
        run(image)
        taken.append(time.process_time() - began)
    return answer, min(taken)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return found


def _file() -> Path:
    return cache_folder() / "networks" / "fastest.json"


def _exported(card: Card) -> Path:
    return cache_folder() / "networks" / f"{card.name}-{card.sha256[:16]}.onnx"


def _choices() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text())
        return {str(key): str(value) for key, value in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _key(card: Card) -> str:
    """What the choice depends on."""
    parts = [card.architecture, _processor()]
    for package in ("torch", *RUNTIMES):
        with suppress(PackageNotFoundError):
            parts.append(f"{package} {version(package)}")
    return ", ".join(parts)


def _processor() -> str:
    """Its name and what it can do; with the limits that the environment sets."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name, flags = (next(line for line in lines if line.startswith(key)) for key in ("model name", "flags"))
        limits = [os.environ[key] for key in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA") if key in os.environ]
        return " ".join([name.partition(":")[2].strip(), f"{zlib.crc32(flags.encode()):08x}", *limits])
    return platform.processor()
