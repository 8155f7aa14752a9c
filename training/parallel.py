"""Training in several processes, on several GPUs or machines: ``torchrun --nproc-per-node 4 -m training.train ...``.

Each process takes its share of every batch, and what one process would sum over the batch is summed over all of them:
the loss, the statistics of batch norms, and gradients. So any number of processes learns what one does. Without
torchrun there is one process, and nothing here does anything.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn import functional as across_processes
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from training.errors import DataError

WAIT = timedelta(hours=2)  # while the first process packs the tiles


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Whether this is the process that writes and speaks for all."""
    return rank() == 0


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun has started, if it has; gives the device of this one."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=WAIT)
    try:
        yield device
    finally:
        dist.destroy_process_group()


@contextmanager
def first_alone() -> Iterator[None]:
    """The first process runs the block, and then the others do."""
    if rank() and size() > 1:
        dist.barrier()
    yield
    if not rank() and size() > 1:
        dist.barrier()


def share_of(batch: int) -> int:
    """How many chips of a batch each process takes. Raises DataError where they are not equally many."""
    if batch % size():
        raise DataError(f"A batch of {batch} chips cannot be shared equally by {size()} processes: change --batch.")
    return batch // size()


def summed(values: Tensor) -> Tensor:
    """The sum over all processes, through which gradients flow."""
    total: Tensor = across_processes.all_reduce(values) if size() > 1 else values  # type: ignore[no-untyped-call]
    return total


def counted(values: Sequence[int], device: torch.device) -> list[int]:
    """The sums of whole numbers over all processes."""
    if size() == 1:
        return list(values)
    totals = torch.tensor(values, dtype=torch.int64, device=device)
    dist.all_reduce(totals)
    return [int(total) for total in totals]


def anywhere(value: bool, device: torch.device) -> bool:
    """Whether a value is true in any process."""
    return counted([value], device)[0] > 0


def with_gradients_in_step(network: nn.Module) -> nn.Module:
    """The network with the mean of all processes' gradients; itself where there is one process."""
    return DistributedDataParallel(network, broadcast_buffers=False) if size() > 1 else network


def batch_norms_in_step() -> AbstractContextManager[Any]:
    """In the block, batch norms in training take the statistics of the whole batch.

    PyTorch's SyncBatchNorm does so on GPUs alone, and not for the norms of timm.
    """
    return _SharedStatistics() if size() > 1 else nullcontext()


class _SharedStatistics(TorchFunctionMode):
    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        if function is F.batch_norm:
            return _batch_norm(*arguments, **(keywords or {}))
        return function(*arguments, **(keywords or {}))


def _batch_norm(
    image: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `F.batch_norm` for (N, C, H, W), with the mean and variance over all processes, in float32."""
    if not training:
        return F.batch_norm(image, running_mean, running_var, weight, bias, False, momentum, eps)
    values = image.float() if image.dtype in (torch.float16, torch.bfloat16) else image
    count = values.numel() // values.shape[1] * size()
    mean = summed(values.sum((0, 2, 3))) / count
    centred = values - mean[:, None, None]
    variance = summed(centred.square().sum((0, 2, 3))) / count
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * count / max(1, count - 1)).to(running_var.dtype), momentum)
    result = centred * torch.rsqrt(variance + eps)[:, None, None]
    if weight is not None and bias is not None:
        result = result * weight[:, None, None] + bias[:, None, None]
    return result.to(image.dtype)
