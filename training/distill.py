"""Teach an encoder a pretrained network's features on unlabelled chips, where it has no pretrained weights itself.

``python -m training.distill --encoder regnety_016 --teacher efficientnet-lite2 --data DIR --out FILE.safetensors``

The output is what ``training.train --encoder-weights FILE.safetensors`` takes. Read from top to bottom:
arguments, data, loop, the step.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from scinet.atomic_write import atomic_write
from scinet.models.baselines import HRNET_ENCODER
from scinet.models.checkpoint import to_half
from scinet.models.device import default_device, parse_device
from training.chips import Chips, dataset_share
from training.command import run_command
from training.errors import DataError
from training.feature_match import Match, distance
from training.loop import Loading, Progress, run_steps
from training.packed_tiles import PackedTiles
from training.recipe import Recipe
from training.resume import StopAtInterrupt, read_state, save_state, write_row
from training.teachers import load_teacher

# As scinet.models.build builds them, so that the weights' names are the same
ENCODERS: dict[str, dict[str, Any]] = {
    "regnety_016": {},
    "hrnet_w32": HRNET_ENCODER,
}
STATISTICS_STEPS = 50  # the teacher's means and deviations are estimated over these, then fixed


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m training.distill", description="Teach an encoder the features of a pretrained network."
    )
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
    parser.add_argument(
        "--resolution-range", type=float, nargs=2, default=recipe.gsd_range_cm_per_px, metavar="CM_PER_PX"
    )
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
    if not 0 < options.resolution_range[0] <= options.resolution_range[1]:
        parser.error("--resolution-range is two positive numbers, the smaller first")
    return options


def main(arguments: Sequence[str] | None = None, teacher_called: Callable[[str], nn.Module] = load_teacher) -> None:
    """Distill an encoder from a teacher; `teacher_called` loads the teacher by its name."""
    options = parse_arguments(arguments)
    recipe = Recipe(
        learning_rate=options.learning_rate,
        batch=options.batch,
        chip_px=options.chip_px,
        gsd_range_cm_per_px=tuple(options.resolution_range),
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

    # Encoder, and what learns next to it and is thrown away
    torch.manual_seed(recipe.seed)
    encoder = timm.create_model(options.encoder, pretrained=False, features_only=True, **ENCODERS[options.encoder])
    teachers = [teacher_called(name).eval().requires_grad_(False) for name in options.teacher]
    pupil = Pupil(encoder, teachers, recipe, steps, device)
    identity = {
        "encoder": options.encoder,
        "teacher": options.teacher,
        "chips": len(chips),
        "recipe": recipe.deviations(),
    }
    state: dict[str, Any] = {**identity, "step": 0, "loss": float("nan")}
    saved = read_state(run / "resume.pt", identity, device)
    if saved:
        pupil.load(saved)
        state = {key: saved[key] for key in state}

    save_steps = max(1, options.save_every // options.batch)
    progress = Progress()
    loading = Loading(options.batch, options.workers, device)
    with StopAtInterrupt() as stop:
        for step in run_steps(pupil.learn, chips, range(state["step"], steps), loading, progress, options.out.stem):
            if (step + 1) % save_steps == 0 or step + 1 == steps or stop.asked:
                state.update(step=step + 1, loss=progress.mean_loss)
                save_state({**state, **pupil.state()}, run / "resume.pt")
                report(run, (step + 1) * options.batch, pupil.learning_rate_at(step), progress)
                progress.reset()
            if stop.asked:
                raise KeyboardInterrupt

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


class Pupil:
    """An encoder that learns a teacher's features: what `training.learner.Learner` is to truth."""

    def __init__(
        self, encoder: nn.Module, teachers: Sequence[nn.Module], recipe: Recipe, steps: int, device: torch.device
    ):
        self.encoder, self.teachers, self.recipe, self.steps = encoder, teachers, recipe, steps
        self.matches = nn.ModuleList(Match(encoder, teacher) for teacher in teachers)
        self.learns = nn.ModuleDict({"encoder": encoder, "matches": self.matches})
        for network in (self.learns, *teachers):
            network.to(memory_format=torch.channels_last).to(device)
        self.optimizer = torch.optim.AdamW(self.learns.parameters(), lr=recipe.learning_rate)

    def learning_rate_at(self, step: int) -> float:
        """Half a cosine from the recipe's rate down to 0."""
        return self.recipe.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2

    def learn(self, step: int, image: Tensor, truth: Tensor) -> float:
        """One step on a batch (N, 3, S, S); the truth is not looked at."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate_at(step)
        self.matches.train(step < STATISTICS_STEPS)
        loss = distance(self.encoder, self.matches, self.teachers, image, self.recipe, step)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return float(loss.item())

    def state(self) -> dict[str, Any]:
        """For the resume file."""
        return {"learner": self.learns.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """What `state` gave."""
        self.learns.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])


def report(run: Path, chips: int, learning_rate: float, progress: Progress) -> None:
    """A row of metrics.csv."""
    write_row(
        run / "metrics.csv",
        chips=chips,
        loss=progress.mean_loss,
        learning_rate=learning_rate,
        seconds=progress.seconds,
        waiting=progress.waiting_share,
    )


def write_encoder(path: Path, encoder: nn.Module, metadata: dict[str, str]) -> None:
    """Half-precision weights under timm's ``features_only`` names; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: to_half(tensor) for name, tensor in encoder.state_dict().items()}
    try:
        with atomic_write(path) as part:
            save_file(halves, part, metadata)
    except SafetensorError as error:
        raise DataError(f"{path} cannot be written ({error}); free some disk space and start again.") from error


if __name__ == "__main__":
    run_command(main, resumes=True)
