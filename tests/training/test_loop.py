import pytest
import torch
from torch.utils.data import Dataset

from training.loop import Loading, Progress, run_steps


class Numbered(Dataset):
    """Chips that are their own number."""

    def __len__(self):
        return 100

    def __getitem__(self, index):
        return torch.full((3, 2, 2), float(index)), torch.zeros(1, 2, 2)


def chips_of(image):
    return image[:, 0, 0, 0].int().tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_has_the_chips_of_its_number_wherever_a_run_resumes(workers):
    seen = {}

    def learn(step, image, truth):
        seen[step] = chips_of(image)
        return 1.0

    loading = Loading(4, workers, torch.device("cpu"))
    assert list(run_steps(learn, Numbered(), range(0, 2), loading, Progress(), "first")) == [0, 1]
    assert list(run_steps(learn, Numbered(), range(2, 4), loading, Progress(), "resumed")) == [2, 3]
    assert seen == {step: list(range(4 * step, 4 * step + 4)) for step in range(4)}


def test_progress_adds_up_and_begins_again():
    progress = Progress()
    loading = Loading(1, 0, torch.device("cpu"))
    for step in run_steps(lambda step, image, truth: float(step), Numbered(), range(1, 4), loading, progress, "sum"):
        assert progress.steps == step
    assert progress.mean_loss == 2.0
    assert progress.seconds >= progress.waited > 0
    assert 0 < progress.waiting_share <= 1
    progress.reset()
    assert progress == Progress()


def test_a_loop_that_is_left_learns_no_further():
    learned = []
    loading = Loading(1, 0, torch.device("cpu"))
    for step in run_steps(lambda step, *_: learned.append(step) or 0.0, Numbered(), range(9), loading, Progress(), "x"):
        if step == 2:
            break
    assert learned == [0, 1, 2]
