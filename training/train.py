"""Train one of the seven systems: ``python -m training.train --model sci-net --data DIR``.

Read from top to bottom: arguments, data, model, loop. Everything a run needs to go on after a kill is in
``runs/<name>/resume.pt``, written at each epoch's end and at Ctrl-C; the best weights so far become a checkpoint.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Subset
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from scinet.evaluation.scores import Counts, iou
from scinet.models.build import build
from scinet.models.card import Card
from scinet.models.checkpoint import load_trained, save_checkpoint
from scinet.models.device import default_device, has_bfloat16, parse_device
from scinet.models.systems import NAMES
from training.chips import Chips, dataset_share, normalise
from training.command import run_command
from training.errors import DataError
from training.loss import segmentation_loss
from training.packed_tiles import PackedTiles, describe, read_index
from training.recipe import Recipe
from training.resume import (
    StopAtInterrupt,
    ignore_interrupts,
    read_state,
    save_atomically,
    write_row,
)

AUGMENTATIONS = {
    "photometric": "strength of other light, cameras and soils",
    "grayscale_probability": "share of the chips without colour",
    "degrade_probability": "share of the chips with blur, noise, sharpening, JPEG or a kernel that aliases",
    "turn_probability": "share of the chips turned by any angle",
    "mosaic_probability": "share of the chips that no scene fills which other tiles fill",
}


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__.splitlines()[0])
    paper = Recipe()
    parser.add_argument("--model", required=True, choices=NAMES)
    parser.add_argument(
        "--data", required=True, type=Path, action="append", help="a folder with index.csv; may be given again"
    )
    parser.add_argument("--name", help="of the run and its checkpoint (default: the model's)")
    parser.add_argument(
        "--encoder-weights", default="imagenet", help='"imagenet" (from timm), "none" or a safetensors file'
    )
    parser.add_argument("--start-from", metavar="CHECKPOINT", help="go on from a checkpoint's weights, by name or path")
    parser.add_argument("--epochs", type=int, default=paper.epochs)
    parser.add_argument("--chips-per-epoch", type=int, default=paper.chips_per_epoch)
    parser.add_argument("--batch", type=int, default=paper.batch)
    parser.add_argument("--chip-px", type=int, default=paper.chip_px)
    parser.add_argument("--learning-rate", type=float, default=paper.learning_rate)
    gsd = parser.add_mutually_exclusive_group()
    gsd.add_argument("--gsd-range", type=float, nargs=2, default=paper.gsd_range_cm_per_px, metavar="CM_PER_PX")
    gsd.add_argument("--native-gsd", action="store_true", help="leave each chip at its tile's own resolution")
    parser.add_argument(
        "--weight", type=dataset_share, action="append", default=[], metavar="DATASET=SHARE", help="share of the chips"
    )
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="DATASET", help="never seen; may be given again"
    )
    add_augmentation(parser)
    parser.add_argument(
        "--ema-decay", type=float, default=paper.ema_decay, help="keep the weights' moving average: 0 (no) to 1"
    )
    parser.add_argument("--window-px", type=int, default=576, help="longest side of the windows of segment()")
    parser.add_argument("--window-m", type=float, default=32.0, help="and on the ground, where that is less")
    parser.add_argument("--seed", type=int, default=paper.seed)
    parser.add_argument("--workers", type=int, default=1, help="processes that cut chips")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where logs and the resume file go")
    parser.add_argument("--checkpoints", type=Path, help="where the checkpoint goes (default: the run's folder)")
    parser.add_argument("--device", type=parse_device, default=None)
    options = parser.parse_args(arguments)
    if options.epochs < 1 or not 1 <= options.batch <= options.chips_per_epoch:
        parser.error("--epochs and --batch are at least 1, and --chips-per-epoch at least --batch")
    if options.chip_px < 32:
        parser.error("--chip-px is at least 32")
    if not 0 < options.gsd_range[0] <= options.gsd_range[1]:
        parser.error("--gsd-range is two positive numbers, the smaller first")
    if options.window_px < 32 or options.window_m <= 0:
        parser.error("--window-px is at least 32, and --window-m above 0")
    if not 0 <= options.ema_decay < 1:
        parser.error("--ema-decay is from 0 to below 1")
    if not all(0 <= getattr(options, name) <= 1 for name in AUGMENTATIONS):
        parser.error("--photometric and the probabilities are from 0 to 1")
    return options


def add_augmentation(parser: argparse.ArgumentParser) -> None:
    for name, title in AUGMENTATIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, metavar="0..1", help=title)
    parser.add_argument("--standardise", action="store_true", help="each image to mean 0 and deviation 1 per channel")


def recipe_of(options: argparse.Namespace) -> Recipe:
    return Recipe(
        learning_rate=options.learning_rate,
        batch=options.batch,
        chip_px=options.chip_px,
        epochs=options.epochs,
        chips_per_epoch=options.chips_per_epoch,
        gsd_range_cm_per_px=None if options.native_gsd else tuple(options.gsd_range),
        dataset_weights={name: share for name, share in options.weight if name not in options.leave_out},
        leave_out=tuple(options.leave_out),
        standardise=options.standardise,
        **{name: getattr(options, name) for name in AUGMENTATIONS},
        ema_decay=options.ema_decay,
        seed=options.seed,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    recipe = recipe_of(options)
    name = options.name or options.model
    run = options.runs / name
    run.mkdir(parents=True, exist_ok=True)
    device = options.device or default_device()

    # Data: decoded once, shared by all runs
    cache = options.runs / "cache"
    check_names(options.leave_out, options.data)
    train = [PackedTiles(folder, "train", cache, recipe.leave_out) for folder in options.data]
    validation = PackedTiles(options.data[0], "val", cache, recipe.leave_out)
    chips = Chips(train, recipe, recipe.epochs * recipe.chips_per_epoch)

    # Model: the same initial weights for the same seed
    torch.manual_seed(recipe.seed)
    weights = None if options.encoder_weights == "none" else options.encoder_weights
    network = build(options.model, encoder_weights=weights).to(memory_format=torch.channels_last).to(device)
    started_from = None
    if options.start_from:
        start, card = load_trained(options.start_from)
        if card.architecture != options.model:
            raise DataError(f"{options.start_from} is a {card.title}, no {options.model}; start from one of those.")
        network.load_state_dict(start.state_dict())
        started_from = {"sha256": card.sha256, **card.settings}
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    average = moving_average(network, recipe.ema_decay)
    state = resume(run / "resume.pt", network, optimizer, average, options.model, recipe, device)

    steps_per_epoch = recipe.chips_per_epoch // recipe.batch
    log = SummaryWriter(str(run), purge_step=state["epoch"] * steps_per_epoch + state["running"]["batches"])
    with StopAtInterrupt() as stop:
        for epoch in range(state["epoch"], recipe.epochs):
            running = state["running"]
            train_epoch(network, average, optimizer, chips, epoch, recipe, device, options.workers, log, running, stop)
            if running["batches"] < steps_per_epoch:
                save(state, network, optimizer, average, run)
                break
            loss, seconds = running["loss"] / steps_per_epoch, running["seconds"]
            candidate = average.module if average else network
            score = validate(candidate, validation, recipe, device)
            log.add_scalar("validation/micro_iou", score, (epoch + 1) * steps_per_epoch)
            write_row(
                run / "metrics.csv",
                epoch=epoch + 1,
                loss=loss,
                micro_iou=score,
                seconds=seconds,
                waiting=running["waited"] / seconds,
            )
            print(
                f"{name} epoch {epoch + 1}/{recipe.epochs}: loss {loss:.4f}, "
                f"validation micro-IoU {score:.4f}, {seconds:.0f} s"
            )
            if score > state["best"]:
                state["best"] = score
                card = Card(
                    name=name,
                    architecture=options.model,
                    gsd_range_cm_per_px=recipe.gsd_range_cm_per_px or native_range(train),
                    window_px=options.window_px,
                    window_m=options.window_m,
                    mean=recipe.mean,
                    std=recipe.std,
                    settings={
                        "recipe": asdict(recipe),
                        "deviations_from_the_paper": sorted(recipe.deviations()),
                        "started_from": started_from,
                        "encoder_weights": describe_weights(options.encoder_weights),
                        "epoch": epoch + 1,
                        "chips_seen": (epoch + 1) * steps_per_epoch * recipe.batch,
                    },
                    data=describe(train),
                    scores={"validation micro-IoU, native GSD": round(score, 4)},
                    revision=git_revision(),
                )
                try:
                    save_checkpoint(options.checkpoints or run, candidate, card)
                except (OSError, SafetensorError) as error:
                    raise DataError(f"The checkpoint cannot be written ({error}); free some disk space.") from error
            state["epoch"], state["running"] = epoch + 1, fresh_epoch()
            save(state, network, optimizer, average, run)
            if stop.asked:
                break
    log.close()
    if stop.asked:
        raise KeyboardInterrupt
    print(f"{name}: best validation micro-IoU {state['best']:.4f}")


def check_names(names: Sequence[str], folders: Sequence[Path]) -> None:
    known = {name for folder in folders for name in read_index(folder)["dataset"].unique()}
    unknown = set(names) - known
    if unknown:
        raise DataError(f"No data set is named {', '.join(sorted(unknown))}. There are {', '.join(sorted(known))}.")


def fresh_epoch() -> dict:
    """What an epoch sums up; kept in the resume file, so that Ctrl-C can stop within one."""
    return {"batches": 0, "loss": 0.0, "seconds": 0.0, "waited": 0.0}


def moving_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """The weights' exponential moving average, shorter over the first steps; None for a decay of 0."""
    if not decay:
        return None

    def step(average: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        share = 1 - min(decay, (1 + int(steps)) / (10 + int(steps)))
        return average.lerp(now, share) if average.is_floating_point() else now

    return AveragedModel(network, avg_fn=step, use_buffers=True)


def train_epoch(
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    chips: Chips,
    epoch: int,
    recipe: Recipe,
    device: torch.device,
    workers: int,
    log: SummaryWriter,
    running: dict,
    stop: StopAtInterrupt,
) -> None:
    """One pass over the epoch's own chips, or the rest of it; ``running`` sums up loss and times.

    Stops after a batch where ``stop`` says so.
    """
    steps_per_epoch = recipe.chips_per_epoch // recipe.batch
    first = epoch * recipe.chips_per_epoch
    done = running["batches"]
    part = Subset(chips, range(first + done * recipe.batch, first + steps_per_epoch * recipe.batch))
    loader = DataLoader(
        part,
        recipe.batch,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=ignore_interrupts,
    )
    network.train()
    asked = time.perf_counter()
    title = f"epoch {epoch + 1}/{recipe.epochs}"
    bar = tqdm(loader, title, initial=done, total=steps_per_epoch, unit="batch", mininterval=10, file=sys.stderr)
    for number, batch in enumerate(bar, done):
        began = time.perf_counter()
        running["waited"] += began - asked
        running["seconds"] += began - asked
        step = epoch * steps_per_epoch + number
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout, so that a resumed run equals an uninterrupted one
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(step, recipe.epochs * steps_per_epoch)
        image, truth = (tensor.to(device, non_blocking=True) for tensor in batch)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            logits = network(image.contiguous(memory_format=torch.channels_last))
        loss = segmentation_loss(logits, truth, bce_weight=recipe.bce_weight, dice_weight=recipe.dice_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if average:
            average.update_parameters(network)
        running["loss"] += loss.item()
        running["batches"] = number + 1
        if number % 20 == 0:
            log.add_scalar("train/loss", loss.item(), step)
            log.add_scalar("train/learning_rate", group["lr"], step)
            bar.set_postfix(loss=f"{running['loss'] / (number + 1):.4f}", lr=f"{group['lr']:.1e}", refresh=False)
        asked = time.perf_counter()
        running["seconds"] += asked - began
        if stop.asked:
            break


@torch.inference_mode()
def validate(network: nn.Module, tiles: PackedTiles, recipe: Recipe, device: torch.device) -> float:
    """Micro-IoU over whole validation tiles at their native GSD, one forward pass a tile."""
    network.eval()
    counts = Counts(0, 0, 0)
    for tile in tiles.tiles:
        pixels, truth = tiles.tile(tile)
        image = normalise(torch.from_numpy(pixels.copy()).permute(2, 0, 1), recipe)[None]
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            logits = network(image.to(device, memory_format=torch.channels_last))
        counts += Counts.of(truth, (logits[0, 0] > 0).cpu().numpy())
    return iou(counts)


def resume(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel | None,
    model: str,
    recipe: Recipe,
    device: torch.device,
) -> dict:
    """Where the last run stopped, loaded into network, optimizer and average; a fresh start where there is no file."""
    identity = {"model": model, "recipe": asdict(recipe)}
    fresh = {"epoch": 0, "running": fresh_epoch(), "best": -1.0, **identity}
    saved = read_state(path, identity, device)
    if saved is None:
        return fresh
    network.load_state_dict(saved.pop("network"))
    optimizer.load_state_dict(saved.pop("optimizer"))
    if average:
        average.load_state_dict(saved.pop("average"))
    return {**fresh, **saved}


def save(
    state: dict, network: nn.Module, optimizer: torch.optim.Optimizer, average: AveragedModel | None, run: Path
) -> None:
    learned = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    if average:
        learned["average"] = average.state_dict()
    save_atomically({**state, **learned}, run / "resume.pt")


def native_range(packs: Sequence[PackedTiles]) -> tuple[float, float]:
    """The finest and the coarsest GSD of the tiles, in cm/px."""
    all_cm_per_px = [tile.cm_per_px for pack in packs for tile in pack.tiles]
    return min(all_cm_per_px), max(all_cm_per_px)


def describe_weights(weights: str) -> str | dict[str, str]:
    """For the card: "imagenet", "none", or what a file says of itself."""
    if weights in ("imagenet", "none"):
        return weights
    with safe_open(weights, "pt") as file:
        return {"file": Path(weights).name, **(file.metadata() or {})}


def git_revision() -> str:
    """The code's revision, with a + where the tree has changes; blank outside of git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


if __name__ == "__main__":
    run_command(main, resumes=True)
