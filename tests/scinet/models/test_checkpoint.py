import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from scinet import download
from scinet.errors import CheckpointError, DownloadError
from scinet.models.build import build
from scinet.models.card import Card, list_models
from scinet.models.checkpoint import load_model, load_trained, save_checkpoint
from tests.range_server import FOREVER, serve_files


@pytest.fixture
def folder(random_checkpoints, tmp_path, monkeypatch):
    """A copy of the random checkpoints that a test may damage; the one that names are looked up in."""
    copy = tmp_path / "checkpoints"
    shutil.copytree(random_checkpoints, copy)
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(copy))
    return copy


@torch.inference_mode()
def test_round_trip_in_half_precision(folder):
    torch.manual_seed(0)
    original = build("unet").eval()
    network, card = load_trained("unet")
    image = torch.randn(1, 3, 64, 64)
    assert load_file(folder / "unet.safetensors")["network.head.weight"].dtype == torch.float16
    torch.testing.assert_close(network(image), original(image), atol=5e-3, rtol=5e-2)
    assert card.architecture == "unet"


def test_what_half_precision_cannot_hold_is_kept_in_full(tmp_path):
    network = build("unet")
    network.network.encoder.stem.bn.running_var.fill_(70_000.0)  # over float16's largest, 65,504
    save_checkpoint(tmp_path, network, Card("mine", "unet", (2.5, 40.0), 512))
    loaded, _ = load_trained(tmp_path / "mine.safetensors")
    assert (loaded.network.encoder.stem.bn.running_var == 70_000.0).all()
    assert load_file(tmp_path / "mine.safetensors")["network.head.weight"].dtype == torch.float16


def test_the_list_is_in_the_papers_order_and_skips_the_damaged(folder):
    assert [card.name for card in list_models()] == ["sci-net", "unet"]
    (folder / "broken.json").write_text("{")
    (folder / "broken.safetensors").write_bytes(b"")
    (folder / "alone.json").write_text((folder / "unet.json").read_text())  # no weights next to it
    assert [card.name for card in list_models()] == ["sci-net", "unet"]


def test_card_survives_json():
    card = Card("a", "unet", (2.5, 40.0), 512, settings={"seed": 1}, data=[{"dataset": "accra"}], scores={"IoU": 0.5})
    assert Card.from_json(card.to_json(), "a.json") == card
    assert card.title == "UNet (a)"
    assert replace(card, name="unet-seed1").title == "UNet (seed1)"
    assert replace(card, name="mine", architecture="unet/resnet34").title == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: (f / "unet.safetensors").unlink(),
            "unet.safetensors is missing, and its card has no address",
        ),
        (
            lambda f: [(f / f"unet.{suffix}").unlink() for suffix in ("json", "safetensors")],
            "no card unet.json; the models that are here: sci-net",
        ),
        (
            lambda f: shutil.copy(f / "sci-net.safetensors", f / "unet.safetensors"),
            "not the file its card describes",
        ),
        (lambda f: (f / "unet.json").write_text("not json"), "not a model.s card"),
        (lambda f: (f / "unet.json").write_bytes(b"\xff\xfe{"), "not a model.s card"),
        (lambda f: (f / "unet.json").write_text("[1]"), "not a model.s card"),
        (lambda f: (f / "unet.safetensors").write_bytes(b"\x00" * 64), "damaged"),
        (lambda f: edit_card(f, architecture="vgg"), "not one of sci-net"),
        (lambda f: edit_card(f, window_px=0), "impossible"),
        (lambda f: edit_card(f, window_m=-1), "window_m is not above 0"),
        (lambda f: edit_card(f, gsd_range_cm_per_px=["a", 2]), "not a model.s card"),
        (lambda f: edit_card(f, surprise=1), "not a model.s card"),
        (lambda f: edit_card(f, url="https://host/a", sha256="../a"), "add its sha256"),
        (lambda f: edit_card(f, architecture="manet"), "does not hold its card's architecture"),
    ],
)
def test_what_is_wrong_is_said(folder, change, message):
    change(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model("unet")
    assert "\n" not in str(caught.value)


def edit_card(folder, **values):
    path = folder / "unet.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_tensor_of_another_shape_is_named(folder):
    network = build("unet")
    network.network.head = torch.nn.Conv2d(16, 2, 3)
    card = Card("unet", "unet", (2.5, 40.0), 128)
    save_checkpoint(folder, network, card)
    with pytest.raises(CheckpointError, match=r"network.head.* has the shape"):
        load_model("unet")


def test_a_file_that_is_not_safetensors_is_refused_whatever_its_hash(folder):
    torch.save({"x": 1}, folder / "unet.safetensors")  # a pickle under the right name, with the right hash
    import hashlib

    edit_card(folder, sha256=hashlib.sha256((folder / "unet.safetensors").read_bytes()).hexdigest())
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_model("unet")


def test_loading_by_path(random_checkpoints):
    assert load_model(random_checkpoints / "sci-net.safetensors").card.name == "sci-net"


def test_saving_fills_in_the_hash(tmp_path):
    network = torch.nn.Conv2d(1, 1, 1)
    card = save_checkpoint(tmp_path, network, Card("x", "unet", (1, 2), 64))
    assert len(card.sha256) == 64
    assert Card.from_json((tmp_path / "x.json").read_text(), "x.json") == card
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("window_m", "cm_per_px", "window_px"), [(None, 5, 576), (32, 5, 576), (32, 10, 320), (32, 20, 160), (32, 60, 128)]
)
def test_windows_are_limited_on_the_ground_too(window_m, cm_per_px, window_px):
    card = Card(name="a", architecture="unet", gsd_range_cm_per_px=(5, 20), window_px=576, window_m=window_m)
    assert card.window_px_at(cm_per_px) == window_px


@pytest.fixture
def published(folder, tmp_path, monkeypatch):
    """The weights of "unet" at an address instead of in the folder, and an empty cache."""
    monkeypatch.setenv("SCINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    weights = folder / "unet.safetensors"
    with serve_files({"/weights/unet": weights.read_bytes()}) as server:
        edit_card(folder, url=f"{server.address}/weights/unet")
        weights.unlink()
        yield server


def test_weights_are_downloaded_once_from_the_address_on_the_card(folder, published):
    assert [card.name for card in list_models()] == ["sci-net", "unet"]
    assert load_model("unet").card.title == "UNet"
    asked = len(published.asked)
    (cached,) = (Path(os.environ["SCINET_CACHE"]) / "models").iterdir()
    load_model("unet")
    assert len(published.asked) == asked
    cached.write_bytes(b"damaged since")
    load_model("unet")
    assert len(published.asked) > asked


@pytest.mark.parametrize(
    ("fault", "message"),
    [("404", "unet cannot be fetched: there is no such file"), ("truncate", "the connection keeps breaking off")],
)
def test_weights_that_cannot_be_downloaded(folder, published, fault, message):
    published.fail("/weights/unet", fault, FOREVER)
    with pytest.raises(DownloadError, match=message):
        load_model("unet")


def test_weights_with_another_hash_than_the_cards_are_refused(folder, published):
    published.files["/weights/unet"] = published.files["/weights/unet"][::-1]
    with pytest.raises(DownloadError, match="checksum is wrong"):
        load_model("unet")
    assert not list((Path(os.environ["SCINET_CACHE"]) / "models").iterdir())


def test_without_a_network_the_message_says_so(folder, published):
    edit_card(folder, url="http://127.0.0.1:9/unet.safetensors")
    with pytest.raises(DownloadError, match=r"cannot be reached\. Check the address and the internet connection"):
        load_model("unet")


@pytest.mark.parametrize("is_first", [True, False])
def test_a_checkpoint_whose_writing_ends_between_its_files_is_the_new_one(folder, monkeypatch, is_first):
    """After the weights have their name and before the JSON has its own."""
    described = folder / "unet.json"
    if is_first:
        described.unlink()
    real = Path.replace

    def replace_weights_alone(path, target):
        if Path(target).suffix == ".json":
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace_weights_alone)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(folder, build("unet"), Card("unet", "unet", (2.5, 40.0), 128, scores={"IoU": 0.75}))
    monkeypatch.undo()
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    _, card = load_trained("unet")
    assert card.scores == {"IoU": 0.75} and len(card.sha256) == 64


def test_a_card_that_was_edited_counts_where_it_has_the_hash_of_the_weights(folder):
    edit_card(folder, scores={"IoU": 0.5})
    assert load_trained("unet")[1].scores == {"IoU": 0.5}
