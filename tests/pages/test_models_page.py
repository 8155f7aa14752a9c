"""The page Models without a browser: facts, a comparison, and a custom model in Explore."""

import json
import shutil
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import streamlit as st
import torch
from safetensors.torch import save
from streamlit.testing.v1 import AppTest

from scinet.errors import CheckpointError
from scinet.evaluation.benchmark import read_benchmark
from scinet.models.card import REPOSITORY_FOLDER
from tests.pages.samples import PROJECT, session_of


@pytest.fixture
def fresh(village: Path, monkeypatch: pytest.MonkeyPatch):
    """Opens the page in another session, over a folder of checkpoints."""
    st.cache_resource.clear()
    monkeypatch.setenv("SCINET_DATA", str(village))

    def open_page(folder: Path, page: str = "pages/models.py", **query: str) -> AppTest:
        monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
        app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page(page).run()
        assert not app.exception
        return app

    return open_page


@pytest.fixture(scope="module")
def weights() -> bytes:
    torch.manual_seed(0)
    return save(smp.create_model("unet", "tu-mobilenetv3_small_050", encoder_weights=None).state_dict())


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader(key="custom_file").set_value((name, content, "application/octet-stream")).run()
    return app


def add(app: AppTest, name: str, content: bytes, encoder: str = "tu-mobilenetv3_small_050") -> AppTest:
    upload(app, name, content)
    app.selectbox(key="custom_architecture").set_value("smp").run()
    app.text_input(key="custom_encoder").set_value(encoder)
    app.number_input(key="custom_window").set_value(64)
    app.button(key="custom_add").click().run()
    assert not app.exception
    return app


def test_a_card_is_shown_whole(fresh) -> None:
    app = fresh(REPOSITORY_FOLDER)
    text = html(app)
    card = json.loads((REPOSITORY_FOLDER / "sci-net.json").read_text())
    assert card["sha256"] in text and "24,177,191" in text and "2,119 px by convolutions" in text
    for data in card["data"]:
        assert data["licence"] in text
    assert f"{card['scores']['validation micro-IoU, native GSD']:.4f}" in text
    charts = [json.loads(element.proto.spec) for element in app.get("plotly_chart")]
    assert len(charts) == 2 and all(len(chart["data"]) == 1 for chart in charts)


def test_two_are_compared_tile_by_tile(fresh) -> None:
    app = fresh(REPOSITORY_FOLDER, compare_with="UNet")
    lines = next(element.value for element in app.markdown if "minus that of" in element.value)
    scores = {
        name: json.loads((REPOSITORY_FOLDER / f"{name}.json").read_text())["scores"] for name in ("sci-net", "unet")
    }
    key = "test micro-IoU, Accra, native GSD"
    found = float(lines.split("Accra, 24 tiles: ")[1].split(",")[0])
    assert found == pytest.approx(scores["unet"][key] - scores["sci-net"][key], abs=0.0011)
    assert "sn-differs" in html(app)


def test_the_page_works_without_curve_and_benchmark(fresh, random_checkpoints, tmp_path) -> None:
    app = fresh(random_checkpoints, compare_with="UNet")
    assert any("metrics.csv" in caption.value for caption in app.caption)
    app = fresh(tmp_path)
    assert "training.train" in app.info[0].value


def test_models_that_are_scored_but_not_on_board_are_named(fresh, tmp_path) -> None:
    for name in ("unet.json", "unet.safetensors", "benchmark.json", "benchmark.parquet"):
        shutil.copy(REPOSITORY_FOLDER / name, tmp_path)
    absent = [name for name in read_benchmark(REPOSITORY_FOLDER).models if name != "unet"]
    assert "sci-net" in absent
    assert any(f"not on board: {', '.join(absent)}." in caption.value for caption in fresh(tmp_path).caption)


def test_a_custom_model_runs_in_explore_for_its_session_alone(fresh, random_checkpoints, weights) -> None:
    app = add(fresh(random_checkpoints), "mine.safetensors", weights)
    assert not app.error
    assert app.success[0].value.startswith("mine is in the lists")
    assert app.get("page_link")[0].proto.query_string == "models=mine&models=Sci-Net"
    assert [card.title for card in session_of(app).custom_cards] == ["mine"]
    app.query_params.update({"source": "Tiles", "models": "mine"})
    app.switch_page("pages/explore.py").run()
    assert not app.exception and not app.error
    assert app.multiselect(key="models").value == ["mine"]
    assert "<th>mine</th>" in html(app) and "IoU" in html(app)

    other = fresh(random_checkpoints, "pages/explore.py", source="Tiles", models="mine")
    assert "mine" not in other.multiselect(key="models").options
    assert not session_of(other).custom_cards


def test_a_file_is_recognised_and_its_network_offered(fresh, random_checkpoints, weights) -> None:
    app = fresh(random_checkpoints)
    app.file_uploader(key="custom_file").set_value([("mine.safetensors", weights, "")]).run()
    assert any("This looks like UNet with tu-mobilenetv3_small_050" in info.value for info in app.info)
    app.button(key="custom_use").click().run()
    assert app.selectbox(key="custom_decoder").value == "unet"
    assert app.text_input(key="custom_encoder").value == "tu-mobilenetv3_small_050"
    assert not any("looks like" in info.value for info in app.info)
    app.button(key="custom_add").click().run()
    assert not app.error and app.success[0].value.startswith("mine is in the lists")


def test_two_lines_say_what_a_model_is_good_for_and_made_of(fresh) -> None:
    text = html(fresh(REPOSITORY_FOLDER))
    card = json.loads((REPOSITORY_FOLDER / "sci-net.json").read_text())
    assert f"{card['scores']['test micro-IoU, Accra, native GSD']:.2f} in Accra" in text
    assert f"Trained with {sum(data['tiles'] for data in card['data']):,} tiles" in text


def test_a_name_that_is_taken_and_too_many_are_refused(fresh, random_checkpoints, weights) -> None:
    app = add(fresh(random_checkpoints), "mine.safetensors", weights)
    app.button(key="custom_add").click().run()
    assert "mine already" in app.error[0].value
    for name in ("a", "b", "c"):
        app.text_input(key="custom_name").set_value(name)
        app.number_input(key="custom_finest").set_value(3.0 + len(session_of(app).custom_cards))  # another model
        app.button(key="custom_add").click().run()
        assert not app.error
    app.text_input(key="custom_name").set_value("d")
    app.button(key="custom_add").click().run()
    assert "remove one first" in app.error[0].value
    app.button(key="custom_remove_b").click().run()
    assert [card.name for card in session_of(app).custom_cards] == ["mine", "a", "c"]


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("a.safetensors", b"no weights", "not a safetensors file"),
        ("a.onnx", b"\xff\xff", "not an ONNX file"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(fresh, random_checkpoints, name, content, says) -> None:
    app = upload(fresh(random_checkpoints), name, content)
    app.button(key="custom_add").click().run()
    assert not app.exception and says in app.error[0].value
    assert not session_of(app).custom_cards


def test_weights_of_another_encoder_are_refused(fresh, random_checkpoints, weights) -> None:
    app = add(fresh(random_checkpoints), "mine.safetensors", weights, encoder="resnet18")
    assert "does not fit unet/resnet18" in app.error[0].value


def test_the_page_says_that_a_model_was_dropped_from_memory(fresh, random_checkpoints, weights) -> None:
    app = add(fresh(random_checkpoints), "mine.safetensors", weights)
    st.cache_resource.clear()
    app.run()
    assert not app.exception and "add its file again" in app.warning[0].value


def test_a_custom_model_that_fails_in_a_run_leaves_the_lists_with_its_reason(
    fresh, random_checkpoints, weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = add(fresh(random_checkpoints), "mine.safetensors", weights)

    def fails(*_: object, **__: object) -> None:
        raise CheckpointError("mine fails on *one* window.")

    monkeypatch.setattr("scinet.segmentation.segment.segment", fails)
    app.query_params["models"] = ["mine"]
    app.switch_page("pages/explore.py").run()
    assert not app.exception
    assert [error.value for error in app.error] == [r"mine fails on \*one\* window. The model has been removed."]
    app.switch_page("pages/models.py").run()
    assert "mine" not in app.selectbox(key="checkpoint").options
    assert [warning.value for warning in app.warning] == [r"mine fails on \*one\* window. The model has been removed."]
