"""A line of known length gives an upload its resolution."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.app.subject import hash_of
from pages.sources.line_dialog import ends_of
from scinet.raster.choice import ImageChoice
from tests.pages.samples import house, session_of
from tests.png import png


@pytest.fixture
def dialog(app: AppTest) -> AppTest:
    """The page with an image without georeference, and the dialog open."""
    app.query_params.update({"source": "Upload", "models": "UNet"})
    app.run()
    app.file_uploader(key="image_file").set_value(("roof.png", png(house()[0]), "image/png")).run()
    assert any("Enter it in the sidebar" in info.value for info in app.info)
    return app.button(key="open-line").click().run()


def measure(app: AppTest, end: tuple[float, float], length_m: float) -> None:
    """Draw a line from (10, 10) and say how long it is."""
    (digest,) = session_of(app).digests.values()
    session_of(app).measured_line = hash_of(digest, ImageChoice()), ((10.0, 10.0), end)
    (length,) = [each for each in app.number_input if each.label.startswith("Length")]
    length.set_value(length_m).run()
    assert not app.exception


def test_a_line_of_known_length_gives_the_resolution(dialog: AppTest) -> None:
    assert dialog.button(key="use_line").disabled
    measure(dialog, (50.0, 10.0), 4.0)
    assert dialog.button(key="use_line").label == "Use 10 cm/px"
    dialog.button(key="use_line").click().run()
    subject = session_of(dialog).subject
    assert not dialog.exception and session_of(dialog).dialog is None
    assert subject is not None and subject.title == "roof.png" and subject.raster.cm_per_px == pytest.approx(10)


def test_a_line_that_is_too_short_is_refused_in_a_sentence(dialog: AppTest) -> None:
    measure(dialog, (12.0, 10.0), 4.0)
    assert any("too short to measure by" in warning.value for warning in dialog.warning)


@pytest.mark.parametrize("sent", [None, [], "ab", [[1, 2]], [["a", 1], [2, 3]], {"a": 1}, [[1, 2, 3], [1, 2]]])
def test_what_is_not_a_line_is_none(sent: Any) -> None:
    assert ends_of(sent) is None
