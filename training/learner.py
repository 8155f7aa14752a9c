"""A network in training: its optimizer, the moving average of its weights, one step, and validation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from scinet.evaluation.scores import Counts, iou
from scinet.models.architectures import Output
from scinet.models.build import run
from scinet.models.device import has_bfloat16
from training.building_chips import FINER
from training.chips import normalise
from training.loss import cross_entropy, output_losses, weighted
from training.packed_tiles import PackedTiles
from training.parallel import batch_norms_in_step, counted, rank, size, with_gradients_in_step
from training.recipe import Recipe

WARM_UP = 5  # the loss of consistency has its whole weight after this fraction of the steps: 1 / 5


class Learner:
    """What learns from chips as the recipe says."""

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        device: torch.device,
        outputs: tuple[Output, ...] = ("building",),
    ):
        self.network = network.to(memory_format=torch.channels_last).to(device)
        self._in_step = with_gradients_in_step(self.network)
        self.recipe = recipe
        self.device = device
        self.outputs = outputs
        self.optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        self.average = moving_average(network, recipe.ema_decay)
        self.steps = recipe.epochs * recipe.steps_per_epoch

    @property
    def kept(self) -> nn.Module:
        """The network whose weights are validated and kept: the moving average where there is one."""
        return self.average.module if self.average else self.network

    def learn(self, step: int, image: Tensor, truth: Tensor, cm_per_px: Tensor | None = None) -> float:
        """One step on this process's share of a batch; returns the loss.

        Args:
            step: Its number.
            image: (N, 3, S, S), normalised; where the recipe asks for consistency, (N, 3, 2 S, 2 S).
            truth: What the outputs should be, (N, C, S, S).
            cm_per_px: (N,), the resolution of the truth; None where the model does not take it.
        """
        recipe = self.recipe
        self.network.train()
        # For dropout: by the step and the process alone, so that a resumed run equals an uninterrupted one
        torch.manual_seed(recipe.seed * 1_000_003 + step + 2**40 * rank())
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(step, self.steps)
        seen = F.avg_pool2d(image, FINER) if recipe.consistency else image
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)), batch_norms_in_step():
            logits = run(self._in_step, seen, cm_per_px)
        losses = output_losses(
            logits, truth, self.outputs, bce_weight=recipe.bce_weight, dice_weight=recipe.dice_weight
        )
        loss = weighted(losses, recipe.output_weights)
        if recipe.consistency:
            share = min(1.0, WARM_UP * (step + 1) / self.steps)  # the moving average has to learn something first
            loss = loss + share * recipe.consistency * cross_entropy(logits[:, :1], self._seen_finer(image, cm_per_px))
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        return float(loss.item())

    @torch.no_grad()
    def _seen_finer(self, image: Tensor, cm_per_px: Tensor | None) -> Tensor:
        """What the moving average takes for building (N, 1, S, S) on the finer image (N, 3, 2 S, 2 S)."""
        teacher = self.kept.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            logits = run(teacher, image, None if cm_per_px is None else cm_per_px / FINER)
        return F.avg_pool2d(logits[:, :1].float().sigmoid(), FINER)

    def state(self) -> dict[str, Any]:
        """For the resume file."""
        learned = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**learned, "average": self.average.state_dict()} if self.average else learned

    def load(self, state: dict[str, Any]) -> None:
        """What `state` gave, of a run with the same model and recipe."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])


def moving_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """The weights' exponential moving average, shorter over the first steps; None for a decay of 0."""
    if not decay:
        return None

    def step(average: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        share = 1 - min(decay, (1 + int(steps)) / (10 + int(steps)))
        return average.lerp(now, share) if average.is_floating_point() else now

    return AveragedModel(network, avg_fn=step, use_buffers=True)


@torch.inference_mode()
def validate(network: nn.Module, tiles: PackedTiles, recipe: Recipe, device: torch.device) -> float:
    """Micro-IoU over whole validation tiles at their native resolution, one forward pass per tile.

    Each process takes its share of the tiles, and all of them get the score.
    """
    network.eval()
    counts = Counts(0, 0, 0)
    for tile in tiles.tiles[rank() :: size()]:
        pixels, truth = tiles.tile(tile)
        image = normalise(torch.from_numpy(pixels.copy()).permute(2, 0, 1), recipe)[None]
        image = image.to(device, memory_format=torch.channels_last)
        cm_per_px = torch.tensor([tile.cm_per_px], dtype=torch.float32, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            logits = run(network, image, cm_per_px)
        counts += Counts.of(truth, (logits[0, 0] > 0).cpu().numpy())
    return float(iou(Counts(*counted((counts.tp, counts.fp, counts.fn), device))))
