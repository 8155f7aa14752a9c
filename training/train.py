"""Train one of the seven systems: ``python -m training.train --model sci-net --data DIR``.

Read from top to bottom: arguments, data, model, loop. Everything a run needs to go on after a kill is in
``runs/<name>/resume.pt``, written at each epoch's end; the best weights so far become a checkpoint.
"""

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from scinet.checkpoint import Card, default_device, parse_device, save_checkpoint
from scinet.errors import SciNetError
from scinet.models import NAMES, build
from scinet.scores import Counts, iou
from training.dataset import Chips, DataError, PackedTiles, describe, normalise
from training.loss import segmentation_loss
from training.recipe import Recipe


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
    parser.add_argument("--epochs", type=int, default=paper.epochs)
    parser.add_argument("--chips-an-epoch", type=int, default=paper.chips_an_epoch)
    parser.add_argument("--batch", type=int, default=paper.batch)
    parser.add_argument("--chip-px", type=int, default=paper.chip_px)
    parser.add_argument("--learning-rate", type=float, default=paper.learning_rate)
    parser.add_argument("--gsd-range", type=float, nargs=2, default=paper.gsd_range_cm_per_px, metavar="CM_PER_PX")
    parser.add_argument(
        "--weight", action="append", default=[], metavar="DATASET=SHARE", help="share of the chips from a data set"
    )
    parser.add_argument("--window-px", type=int, default=512, help="windows of segment() that the card asks for")
    parser.add_argument("--seed", type=int, default=paper.seed)
    parser.add_argument("--workers", type=int, default=1, help="processes that cut chips")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where logs and the resume file go")
    parser.add_argument("--checkpoints", type=Path, help="where the checkpoint goes (default: the run's folder)")
    parser.add_argument("--device", type=parse_device, default=None)
    return parser.parse_args(arguments)


def recipe_of(options: argparse.Namespace) -> Recipe:
    pairs = [text.partition("=") for text in options.weight]
    return Recipe(
        learning_rate=options.learning_rate,
        batch=options.batch,
        chip_px=options.chip_px,
        epochs=options.epochs,
        chips_an_epoch=options.chips_an_epoch,
        gsd_range_cm_per_px=tuple(options.gsd_range),
        dataset_weights={name: float(share) for name, _, share in pairs},
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
    train = [PackedTiles(folder, "train", cache) for folder in options.data]
    validation = PackedTiles(options.data[0], "val", cache)
    chips = Chips(train, recipe, recipe.epochs * recipe.chips_an_epoch)

    # Model: the same initial weights for the same seed
    torch.manual_seed(recipe.seed)
    weights = None if options.encoder_weights == "none" else options.encoder_weights
    network = build(options.model, encoder_weights=weights).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    state = resume(run / "resume.pt", network, optimizer, options.model, recipe, device)

    steps_an_epoch = recipe.chips_an_epoch // recipe.batch
    steps = recipe.epochs * steps_an_epoch
    log = SummaryWriter(str(run), purge_step=state["epoch"] * steps_an_epoch)
    for epoch in range(state["epoch"], recipe.epochs):
        started = time.perf_counter()
        loss, waited = train_epoch(
            network, optimizer, chips, epoch, steps_an_epoch, steps, recipe, device, options.workers, log
        )
        seconds = time.perf_counter() - started
        score = validate(network, validation, recipe, device)
        log.add_scalar("validation/micro_iou", score, (epoch + 1) * steps_an_epoch)
        append_row(
            run / "metrics.csv", epoch=epoch + 1, loss=loss, micro_iou=score, seconds=seconds, waiting=waited / seconds
        )
        print(
            f"{name} epoch {epoch + 1}/{recipe.epochs}: loss {loss:.4f}, validation micro-IoU {score:.4f}, {seconds:.0f} s"
        )
        if score > state["best"]:
            state["best"] = score
            card = Card(
                name=name,
                architecture=options.model,
                gsd_range_cm_per_px=recipe.gsd_range_cm_per_px,
                window_px=options.window_px,
                mean=recipe.mean,
                std=recipe.std,
                settings={
                    "recipe": asdict(recipe),
                    "deviations_from_the_paper": sorted(recipe.deviations()),
                    "encoder_weights": Path(options.encoder_weights).name,
                    "epoch": epoch + 1,
                    "chips_seen": (epoch + 1) * steps_an_epoch * recipe.batch,
                },
                data=describe(train),
                scores={"validation micro-IoU, native GSD": round(score, 4)},
                revision=git_revision(),
            )
            save_checkpoint(options.checkpoints or run, network, card)
        state["epoch"] = epoch + 1
        save_atomically(
            {**state, "network": network.state_dict(), "optimizer": optimizer.state_dict()}, run / "resume.pt"
        )
    log.close()
    print(f"{name}: best validation micro-IoU {state['best']:.4f}")


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    chips: Chips,
    epoch: int,
    steps_an_epoch: int,
    steps: int,
    recipe: Recipe,
    device: torch.device,
    workers: int,
    log: SummaryWriter,
) -> tuple[float, float]:
    """One pass over the epoch's own chips; returns the mean loss and the seconds spent waiting for data."""
    first = epoch * recipe.chips_an_epoch
    part = Subset(chips, range(first, first + steps_an_epoch * recipe.batch))
    loader = DataLoader(part, recipe.batch, num_workers=workers, pin_memory=device.type == "cuda")
    network.train()
    total, waited, asked = 0.0, 0.0, time.perf_counter()
    bar = tqdm(loader, desc=f"epoch {epoch + 1}/{recipe.epochs}", unit="batch", mininterval=10, file=sys.stderr)
    for number, batch in enumerate(bar):
        waited += time.perf_counter() - asked
        step = epoch * steps_an_epoch + number
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(step, steps)
        image, truth, valid = (tensor.to(device, non_blocking=True) for tensor in batch)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            logits = network(image.contiguous(memory_format=torch.channels_last))
        loss = segmentation_loss(logits, truth, valid, bce_weight=recipe.bce_weight, dice_weight=recipe.dice_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += float(loss)
        if number % 20 == 0:
            log.add_scalar("train/loss", float(loss), step)
            log.add_scalar("train/learning_rate", group["lr"], step)
            bar.set_postfix(loss=f"{total / (number + 1):.4f}", lr=f"{group['lr']:.1e}", refresh=False)
        asked = time.perf_counter()
    return total / steps_an_epoch, waited


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


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself: elsewhere it would only be slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def resume(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, model: str, recipe: Recipe, device: torch.device
) -> dict:
    """Where the last run stopped, loaded into network and optimizer; a fresh start where there is no file."""
    fresh = {"epoch": 0, "best": -1.0, "model": model, "recipe": asdict(recipe)}
    if not path.exists():
        return fresh
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a zip, pickle or runtime error, as the damage has it
        raise DataError(f"{path} is damaged ({type(error).__name__}); delete it to start afresh.") from error
    if saved["model"] != model or saved["recipe"] != fresh["recipe"]:
        raise DataError(f"{path} belongs to another model or recipe; give the run another --name or delete the file.")
    network.load_state_dict(saved.pop("network"))
    optimizer.load_state_dict(saved.pop("optimizer"))
    return saved


def save_atomically(state: dict, path: Path) -> None:
    """A kill at any moment leaves the old file or the new one."""
    part = path.with_suffix(".part")
    try:
        torch.save(state, part)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error}); free some disk space and start again: the run goes on."
        ) from error
    part.replace(path)


def append_row(path: Path, **values: float) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, values)
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.6g}" for key, value in values.items()})


def git_revision() -> str:
    """The code's revision, with a + where the tree has changes; blank outside of git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


if __name__ == "__main__":
    try:
        main()
    except SciNetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from the last finished epoch.", file=sys.stderr)
        sys.exit(130)
