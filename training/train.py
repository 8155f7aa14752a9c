"""Train a model: ``python -m training.train --model sci-net --data DIR``.

`torchrun --nproc-per-node 4 -m training.train ...` does the same on four GPUs: see `training.parallel`.

Read from top to bottom: data, model, loop. Everything a run needs to resume after a kill is in
``runs/<name>/resume.pt``, written at each epoch's end, every few thousand chips and at Ctrl-C; the best weights so far
become a checkpoint.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from scinet.models.architectures import Output, outputs_of
from scinet.models.build import build
from scinet.models.card import Card
from scinet.models.checkpoint import load_trained, save_checkpoint
from scinet.models.device import default_device
from scinet.models.instance_net import ScaleFeatures
from training.building_chips import BuildingChips
from training.chips import Chips
from training.command import run_command
from training.errors import DataError
from training.learner import Learner, validate
from training.loop import Loading, Progress, run_steps
from training.packed_tiles import PackedTiles, describe, listed_tiles, resolution_range
from training.parallel import anywhere, first_alone, is_first, process_group
from training.provenance import describe_weights, git_revision
from training.recipe import Recipe
from training.resume import StopAtInterrupt, read_state, save_state, write_row
from training.train_options import parse_arguments, recipe_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Train a model, or resume its training."""
    options = parse_arguments(arguments)
    recipe = recipe_of(options)
    run = options.runs / (options.name or options.model)
    run.mkdir(parents=True, exist_ok=True)
    with process_group(options.device or default_device()) as device:
        learn(options, recipe, run, device)


def learn(options: argparse.Namespace, recipe: Recipe, run: Path, device: torch.device) -> None:
    """The whole run in one of its processes; the first one writes and speaks for all."""
    # Data: decoded once, shared by all runs
    with first_alone():
        train, validation = load_tiles(options, recipe)
    outputs = outputs_of(options.model)
    chips = chips_of(train, recipe, outputs)

    # Model: the same initial weights for the same seed
    network, started_from = first_network(options, recipe)
    learner = Learner(network, recipe, device, outputs)
    state = restore(learner, run / "resume.pt", {"model": options.model, "recipe": asdict(recipe)}, device)
    progress = Progress(**state["progress"])

    def save() -> None:
        save_state({**state, "progress": asdict(progress), **learner.state()}, run / "resume.pt")

    loading = Loading(recipe.batch, options.workers, device)
    save_steps = max(1, options.save_every // recipe.batch)
    first_step = state["epoch"] * recipe.steps_per_epoch + progress.steps
    with StopAtInterrupt() as stop, log_of(run, first_step) as log:
        for epoch in range(state["epoch"], recipe.epochs):
            start, end = epoch * recipe.steps_per_epoch, (epoch + 1) * recipe.steps_per_epoch
            title = f"epoch {epoch + 1}/{recipe.epochs}"
            for step in run_steps(learner.learn, chips, range(start + progress.steps, end), loading, progress, title):
                if step % 20 == 0:
                    log("train/mean_loss", progress.mean_loss, step)
                stop.asked = anywhere(stop.asked, device)  # all processes stop after the same step
                if stop.asked or (step + 1) % save_steps == 0:
                    save()
                if stop.asked:
                    break
            if progress.steps < recipe.steps_per_epoch:
                break
            score = validate(learner.kept, validation, recipe, device)
            log("validation/micro_iou", score, end)
            report_epoch(run, epoch, recipe, progress, score)
            if score > state["best"]:
                state["best"] = score
                card = card_of(options, recipe, epoch, score, train, started_from)
                keep_checkpoint(options.checkpoints or run, learner, card)
            state["epoch"], progress = epoch + 1, Progress()
            save()
            stop.asked = anywhere(stop.asked, device)
            if stop.asked:
                break
    stop.raise_if_asked()
    say(f"{run.name}: best validation micro-IoU {state['best']:.4f}")


@contextmanager
def log_of(run: Path, first_step: int) -> Iterator[Callable[[str, float, int], None]]:
    """Curves for TensorBoard: a function of their name, a value and its step."""
    if not is_first():
        yield lambda name, value, step: None
        return
    from torch.utils.tensorboard import SummaryWriter  # which takes a second to import

    with SummaryWriter(str(run), purge_step=first_step) as writer:
        yield writer.add_scalar


def load_tiles(options: argparse.Namespace, recipe: Recipe) -> tuple[list[PackedTiles], PackedTiles]:
    """The training tiles of all data folders and the validation tiles of the first, without places left out.

    Training tiles without a mask are there for consistency, and refused without it.
    """
    cache = options.runs / "cache"
    check_names(recipe.leave_out, options.data)
    unlabelled = recipe.consistency > 0
    train = [PackedTiles(folder, "train", cache, recipe.leave_out, unlabelled=unlabelled) for folder in options.data]
    return train, PackedTiles(options.data[0], "val", cache, recipe.leave_out)


def chips_of(train: list[PackedTiles], recipe: Recipe, outputs: tuple[Output, ...]) -> Chips:
    """The chips of a run, with what a model of these outputs learns from."""
    count = recipe.epochs * recipe.chips_per_epoch
    if outputs == ("building",) and not recipe.consistency:
        return Chips(train, recipe, count)
    return BuildingChips(train, recipe, count, outputs)


def restore(learner: Learner, path: Path, identity: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Where a run stopped, with the learner as it was then; the beginning if there is no resume file."""
    state: dict[str, Any] = {"epoch": 0, "progress": asdict(Progress()), "best": -1.0, **identity}
    saved = read_state(path, identity, device)
    if not saved:
        return state
    learner.load(saved)
    return {key: saved[key] for key in state}


def check_names(names: Sequence[str], folders: Sequence[Path]) -> None:
    """Raises DataError where no folder has a data set of one of the names."""
    known = {name for folder in folders for name in {tile.dataset for tile in listed_tiles(folder)}}
    unknown = set(names) - known
    if unknown:
        raise DataError(f"No data set is named {', '.join(sorted(unknown))}. There are {', '.join(sorted(known))}.")


def first_network(options: argparse.Namespace, recipe: Recipe) -> tuple[torch.nn.Module, dict[str, Any] | None]:
    """The network before the first step, and what the card says of the checkpoint it begins with."""
    torch.manual_seed(recipe.seed)
    weights = None if options.encoder_weights == "none" or options.start_from else options.encoder_weights
    network = build(options.model, encoder_weights=weights)
    if not recipe.scale_input:
        for module in network.modules():
            if isinstance(module, ScaleFeatures):
                module.freeze()
    if not options.start_from:
        return network, None
    start, card = load_trained(options.start_from)
    if card.architecture != options.model:
        raise DataError(f"{options.start_from} is a {card.title}, not a {options.model}; start from one of those.")
    network.load_state_dict(start.state_dict())
    return network, {"sha256": card.sha256, **card.settings}


def report_epoch(run: Path, epoch: int, recipe: Recipe, progress: Progress, score: float) -> None:
    """A row of metrics.csv, and a line for people, from the first process."""
    if not is_first():
        return
    write_row(
        run / "metrics.csv",
        epoch=epoch + 1,
        loss=progress.mean_loss,
        micro_iou=score,
        seconds=progress.seconds,
        waiting=progress.waiting_share,
    )
    say(
        f"{run.name} epoch {epoch + 1}/{recipe.epochs}: loss {progress.mean_loss:.4f}, "
        f"validation micro-IoU {score:.4f}, {progress.seconds:.0f} s"
    )


def say(line: str) -> None:
    """A line for people, from the first process."""
    if is_first():
        print(line, flush=True)


def card_of(
    options: argparse.Namespace,
    recipe: Recipe,
    epoch: int,
    score: float,
    train: Sequence[PackedTiles],
    started_from: dict[str, Any] | None,
) -> Card:
    """The card of the weights after an epoch."""
    return Card(
        name=options.name or options.model,
        architecture=options.model,
        gsd_range_cm_per_px=recipe.gsd_range_cm_per_px or resolution_range(train),
        window_px=options.window_px,
        window_m=options.window_m,
        mean=recipe.mean,
        std=recipe.std,
        settings={
            "recipe": asdict(recipe),
            "deviations_from_the_paper": sorted(recipe.deviations()),
            "started_from": started_from,
            "encoder_weights": describe_weights("none" if options.start_from else options.encoder_weights),
            "epoch": epoch + 1,
            "chips_seen": (epoch + 1) * recipe.steps_per_epoch * recipe.batch,
        },
        data=describe(train),
        scores={"validation micro-IoU, native GSD": round(score, 4)},
        revision=git_revision(),
    )


def keep_checkpoint(folder: Path, learner: Learner, card: Card) -> None:
    """Write the checkpoint, in the first process. Raises DataError where the disk refuses."""
    if not is_first():
        return
    try:
        save_checkpoint(folder, learner.kept, card)
    except (OSError, SafetensorError) as error:
        raise DataError(f"The checkpoint cannot be written ({error}); free some disk space.") from error


if __name__ == "__main__":
    run_command(main, resumes=True)
