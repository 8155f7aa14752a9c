"""Two processes learn what one does."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from timm.layers.norm_act import BatchNormAct2d

from training.errors import DataError
from training.learner import Learner
from training.loop import Loading
from training.parallel import _batch_norm, rank, size
from training.recipe import Recipe

PROJECT = Path(__file__).parents[2]

WORKER = """
import sys
import torch
from tests.training.test_parallel import ten_steps
from training.parallel import process_group, rank

torch.set_num_threads(1)
with process_group(torch.device("cpu")) as device:
    torch.save(ten_steps(device), f"{sys.argv[1]}/{rank()}.pt")
"""


def small_network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=1, bias=False),
        BatchNormAct2d(16),
        torch.nn.Conv2d(16, 1, 1),
    )


@patch("training.learner.has_bfloat16", lambda device: False)  # whose rounding, to three digits, is not under test
def ten_steps(device):
    """What a process has learned from its shares of ten batches of four."""
    learner = Learner(small_network().double(), Recipe(batch=4, ema_decay=0.9), device)
    for step in range(10):
        random = torch.Generator().manual_seed(step)
        image = torch.randn((4, 3, 32, 32), generator=random)
        truth = (torch.rand((4, 1, 32, 32), generator=random) > 0.7).float()
        share = slice(rank() * 4 // size(), (rank() + 1) * 4 // size())
        loss = learner.learn(step, image[share].double(), truth[share])
    return {"loss": loss, **learner.state()}


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    script = [str(tmp_path / "worker.py"), str(tmp_path)]
    done = subprocess.run([*command, *script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in range(2))
    alone = ten_steps(torch.device("cpu"))
    assert first["loss"] == pytest.approx(alone["loss"], abs=1e-5)
    for part in ("network", "average"):
        for name, expected in alone[part].items():
            torch.testing.assert_close(first[part][name], expected, atol=1e-6, rtol=0)
            assert torch.equal(first[part][name], second[part][name]), name
    begun = small_network().double().state_dict()
    assert all((alone["network"][name] - begun[name]).abs().max() > 1e-4 for name in ("0.weight", "4.weight"))


def test_the_norms_of_one_process_are_pytorchs():
    random = torch.Generator().manual_seed(0)
    image = 3 * torch.randn((4, 5, 6, 7), generator=random) + 2
    weight, bias = torch.randn((2, 5), generator=random)
    ours, theirs = ([torch.zeros(5), torch.ones(5)] for _ in range(2))
    found = _batch_norm(image, *ours, weight, bias, True, 0.1, 1e-5)
    expected = F.batch_norm(image, *theirs, weight, bias, True, 0.1, 1e-5)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours, theirs)
    found = _batch_norm(image, *ours, weight, bias, False)
    torch.testing.assert_close(found, F.batch_norm(image, *theirs, weight, bias, False))


class Numbers(torch.utils.data.Dataset):
    """Chips that are their numbers."""

    def __getitem__(self, index):
        return index


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_any_number_of_processes_sees_the_same_chips(processes, monkeypatch):
    seen = []
    monkeypatch.setattr("training.parallel.size", lambda: processes)
    for number in range(processes):
        monkeypatch.setattr("training.loop.rank", lambda number=number: number)
        batches = Loading(8, 0, torch.device("cpu")).batches(Numbers(), range(3, 5))
        seen.append([batch.tolist() for batch in batches])
    steps = [[chip for share in shares for chip in share] for shares in zip(*seen, strict=True)]
    assert steps == [list(range(24, 32)), list(range(32, 40))]


def test_a_batch_that_cannot_be_shared_equally_is_refused(monkeypatch):
    monkeypatch.setattr("training.parallel.size", lambda: 5)
    with pytest.raises(DataError, match="cannot be shared equally by 5 processes"):
        Loading(Recipe().batch, 0, torch.device("cpu")).batches(Numbers(), range(2))
