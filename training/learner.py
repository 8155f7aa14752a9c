"""A network in training: its optimizer, the moving average of its weights, one step, and validation."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from scinet.evaluation.scores import Counts, iou
from scinet.models.device import has_bfloat16
from training.chips import normalise
from training.loss import segmentation_loss
from training.packed_tiles import PackedTiles
from training.parallel import batch_norms_in_step, counted, rank, size, with_gradients_in_step
from training.recipe import Recipe


class Learner:
    """What learns from chips as the recipe says."""

    def __init__(self, network: nn.Module, recipe: Recipe, device: torch.device):
        self.network = network.to(memory_format=torch.channels_last).to(device)
        self._in_step = with_gradients_in_step(self.network)
        self.recipe = recipe
        self.device = device
        self.optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        self.average = moving_average(network, recipe.ema_decay)
        self.steps = recipe.epochs * recipe.steps_per_epoch

    @property
    def kept(self) -> nn.Module:
        """The network whose weights are validated and kept: the moving average where there is one."""
        return self.average.module if self.average else self.network

    def learn(self, step: int, image: Tensor, truth: Tensor) -> float:
        """One step on this process's share of a batch, (N, 3, S, S), and its truth (N, 1, S, S); returns the loss."""
        recipe = self.recipe
        self.network.train()
        # For dropout: by the step and the process alone, so that a resumed run equals an uninterrupted one
        torch.manual_seed(recipe.seed * 1_000_003 + step + 2**40 * rank())
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(step, self.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)), batch_norms_in_step():
            logits = self._in_step(image)
        loss = segmentation_loss(logits, truth, bce_weight=recipe.bce_weight, dice_weight=recipe.dice_weight)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        return float(loss.item())

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
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            logits = network(image.to(device, memory_format=torch.channels_last))
        counts += Counts.of(truth, (logits[0, 0] > 0).cpu().numpy())
    return float(iou(Counts(*counted((counts.tp, counts.fp, counts.fn), device))))
