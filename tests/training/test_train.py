import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from scinet.models.build import build
from scinet.models.checkpoint import load_model, load_trained
from scinet.models.device import has_bfloat16
from training import train
from training.errors import DataError
from training.learner import moving_average
from training.recipe import Recipe
from training.resume import read_state, save_state, write_row
from training.train_options import parse_arguments

PROJECT = Path(__file__).parents[2]

# Runs the command in a process of its own, which ends itself at an exact moment: at the given step, or
# while half of the given save is on the disk.
STOPPED = """
import os, runpy, signal, sys
import torch, training.loss

moment, number, ending = sys.argv[1], int(sys.argv[2]), signal.Signals(int(sys.argv[3]))
calls, loss, save = [], training.loss.segmentation_loss, torch.save

def counted_loss(*values, **options):
    calls.append(1)
    if len(calls) == number:
        os.kill(os.getpid(), ending)
    return loss(*values, **options)

def half_save(state, path):
    save(state, path)
    calls.append(1)
    if len(calls) == number:
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), ending)

if moment == "step":
    training.loss.segmentation_loss = counted_loss
else:
    torch.save = half_save
del sys.argv[1:4]
torch.set_num_threads(1)
runpy.run_module("training.train", run_name="__main__")
"""


def arguments(folder, runs, *more):
    return [
        *("--model", "pspnet", "--data", str(folder), "--runs", str(runs), "--encoder-weights", "none"),
        *(
            "--epochs",
            "2",
            "--chips-per-epoch",
            "4",
            "--batch",
            "2",
            "--chip-px",
            "64",
            "--resolution-range",
            "20",
            "60",
        ),
        *("--photometric", "0.1", "--ema-decay", "0.9", "--workers", "0", "--device", "cpu", *more),
    ]


@pytest.fixture(scope="module")
def uninterrupted(town_folder, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    runs = tmp_path_factory.mktemp("uninterrupted")
    train.main(arguments(town_folder, runs))
    return runs / "pspnet"


def assert_same_end(run, other):
    ours, theirs = (torch.load(folder / "resume.pt", weights_only=True) for folder in (run, other))
    assert ours["epoch"] == theirs["epoch"] == 2
    assert ours["best"] == theirs["best"]
    for part in ("network", "average"):
        for name, tensor in theirs[part].items():
            assert torch.equal(ours[part][name], tensor), name
    columns = ["epoch", "loss", "micro_iou"]
    pd.testing.assert_frame_equal(
        pd.read_csv(run / "metrics.csv")[columns], pd.read_csv(other / "metrics.csv")[columns]
    )


def test_a_run_ends_in_a_checkpoint_that_loads(uninterrupted):
    model = load_model(uninterrupted / "pspnet.safetensors", torch.device("cpu"))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(model.device)):
        assert model.network(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
    torch.manual_seed(0)
    fresh = build("pspnet").state_dict()
    trained = torch.load(uninterrupted / "resume.pt", weights_only=True)["network"]
    name = next(iter(fresh))
    assert 1e-5 < float((trained[name] - fresh[name]).abs().max()) < 1e-3  # four steps of at most about 1e-4


def test_the_card_says_how(uninterrupted):
    card = load_model(uninterrupted / "pspnet.safetensors", torch.device("cpu")).card
    assert (card.architecture, card.gsd_range_cm_per_px, card.mean, card.std) == ("pspnet", (20.0, 60.0), 0.5, 0.5)
    assert card.settings["recipe"]["chip_px"] == 64
    assert set(card.settings["deviations_from_the_paper"]) == {
        *("batch", "chip_px", "chips_per_epoch", "ema_decay", "epochs", "gsd_range_cm_per_px"),
        "photometric",
    }
    assert card.settings["encoder_weights"] == "none"
    assert card.settings["chips_seen"] == 4 * card.settings["epoch"]
    assert card.data == [{"dataset": "town", "tiles": 2, "cm_per_px": [40.0], "licence": "none"}]
    (score,) = card.scores.values()
    assert score == round(pd.read_csv(uninterrupted / "metrics.csv")["micro_iou"].max(), 4)


def test_the_moving_average_follows_the_weights():
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    average = moving_average(network, 0.5)
    average.update_parameters(network)
    for value in (1.0, 2.0):
        torch.nn.init.constant_(network.weight, value)
        average.update_parameters(network)
    first = 1 - 2 / 11  # the decay after one step: (1 + 1) / (10 + 1)
    assert average.module.weight.item() == pytest.approx(first + (1 - 3 / 12) * (2 - first))
    assert moving_average(network, 0.0) is None


@pytest.mark.slow
def test_the_moving_average_is_kept_and_the_native_gsd_is_on_the_card(town_folder, tmp_path):
    command = arguments(town_folder, tmp_path, "--native-resolution", "--epochs", "1")
    where = command.index("--resolution-range")
    train.main(command[:where] + command[where + 3 :])
    network, card = load_trained(tmp_path / "pspnet" / "pspnet.safetensors")
    assert card.gsd_range_cm_per_px == (40.0, 40.0)
    state = torch.load(tmp_path / "pspnet" / "resume.pt", weights_only=True)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():  # to the last bit of half precision
            assert torch.equal(tensor.half(), state["average"][f"module.{name}"].half()), name
    assert any(not torch.equal(state["average"][f"module.{name}"], tensor) for name, tensor in state["network"].items())


def test_metrics_and_log_are_written(uninterrupted):
    table = pd.read_csv(uninterrupted / "metrics.csv")
    assert table["epoch"].tolist() == [1, 2]
    assert table["waiting"].between(0, 1).all()
    assert (table["seconds"] > 0).all()
    assert list(uninterrupted.glob("events.out.tfevents.*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number", "ending", "epoch", "batches"),
    [
        ("step", 4, signal.SIGKILL, 1, 0),  # the last step of epoch 2
        ("save", 2, signal.SIGKILL, 1, 0),  # the end of epoch 2, half of the file written
        ("step", 3, signal.SIGINT, 1, 1),  # Ctrl-C in epoch 2: its first step is kept
    ],
    ids=["killed in an epoch", "killed while saving", "Ctrl-C"],
)
def test_a_stopped_run_resumes_to_the_same_weights(
    town_folder, tmp_path, uninterrupted, moment, number, ending, epoch, batches
):
    command = [sys.executable, "-c", STOPPED, moment, str(number), str(int(ending)), *arguments(town_folder, tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    run = tmp_path / "pspnet"
    if ending == signal.SIGINT:
        assert done.returncode == 130
        assert done.stderr.endswith("Stopped; the same command resumes.\n")
    else:
        assert done.returncode == -ending, done.stderr
    state = torch.load(run / "resume.pt", weights_only=True)
    assert (state["epoch"], state["progress"]["steps"]) == (epoch, batches)
    train.main(arguments(town_folder, tmp_path))
    assert_same_end(run, uninterrupted)


def test_a_finished_run_stays_as_it_is(town_folder, uninterrupted, capsys):
    before = (uninterrupted / "resume.pt").read_bytes()
    train.main(arguments(town_folder, uninterrupted.parent))
    assert (uninterrupted / "resume.pt").read_bytes() == before
    assert "best validation micro-IoU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [(("--model", "unet", "--name", "pspnet"), "another model"), (("--learning-rate", "1e-3"), "another recipe")],
)
def test_another_runs_resume_file_is_refused(town_folder, uninterrupted, change, message):
    before = (uninterrupted / "resume.pt").stat().st_mtime_ns
    with pytest.raises(DataError, match=f"{message}; start this one under another name"):
        train.main(arguments(town_folder, uninterrupted.parent, *change))
    assert (uninterrupted / "resume.pt").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--chips-per-epoch", "1"), "--chips-per-epoch at least --batch"),
        (("--epochs", "0"), "--epochs and --batch are at least 1"),
        (("--resolution-range", "40", "2"), "the smaller first"),
        (("--weight", "accra"), "not of the form"),
    ],
)
def test_impossible_settings_are_refused(town_folder, tmp_path, options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.main(arguments(town_folder, tmp_path, *options))
    assert message in capsys.readouterr().err


def test_a_damaged_resume_file_is_named(tmp_path):
    (tmp_path / "resume.pt").write_bytes(b"half of a zip")
    with pytest.raises(DataError, match=r"resume\.pt is damaged .*; delete it to start afresh"):
        read_state(tmp_path / "resume.pt", {}, torch.device("cpu"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("failed writing file")])
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, error):
    path = tmp_path / "resume.pt"
    save_state({"epoch": 1}, path)

    def full(state, part):
        part.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match=r"cannot be written.*free some disk space"):
        save_state({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_repeated_epochs_row_is_replaced(tmp_path):
    path = tmp_path / "metrics.csv"
    for epoch, loss in ((1, 0.5), (2, 0.4), (3, 0.3), (2, 0.25)):
        write_row(path, epoch=epoch, loss=loss)
    assert path.read_text().splitlines() == ["epoch,loss", "1,0.5", "2,0.25"]


def test_the_learning_rate_falls_over_all_epochs(uninterrupted):
    (group,) = torch.load(uninterrupted / "resume.pt", weights_only=True)["optimizer"]["param_groups"]
    assert group["lr"] == pytest.approx(Recipe().learning_rate * (1 / 4) ** 0.9)  # the last of four steps


def test_a_run_that_continues_another_needs_no_encoder_weights(uninterrupted, monkeypatch):
    asked = []
    monkeypatch.setattr(train, "build", lambda name, encoder_weights: asked.append(encoder_weights) or build(name))
    start = str(uninterrupted / "pspnet.safetensors")
    options = parse_arguments(["--model", "pspnet", "--data", "unused", "--start-from", start])
    network, started_from = train.first_network(options, Recipe())
    assert asked == [None]
    first = load_model(start, torch.device("cpu")).card
    assert started_from == {"sha256": first.sha256, **first.settings}
    assert dict(network.state_dict()).keys() == build("pspnet").state_dict().keys()
