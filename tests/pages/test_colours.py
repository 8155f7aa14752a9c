"""Colours in use: enough contrast in the light and in the dark theme, and apart for those who see fewer hues."""

import re
import tomllib
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from pages.app import drawing
from pages.app.charts import GREY, MARKERS
from tests.pages.samples import PROJECT

THEMES = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())["theme"]
PANELS = (PROJECT / "pages" / "app" / "style.css").read_text()
MAP = (PROJECT / "pages" / "map" / "static" / "map.css").read_text()
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2 AA
FADED = 0.6  # the share of the text colour in Streamlit's captions
APART = 10.0  # CIEDE2000; 1 is just noticeable side by side, 10 is another colour at a glance

LINES_APART = 8.0  # of charts, which have markers too

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
VISION = {
    "common": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def rgb(colour: str) -> NDArray[np.float64]:
    return np.array(list(bytes.fromhex(colour[1:7]))) / 255


def linear(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def contrast(one: str | NDArray[np.float64], other: str) -> float:
    low, high = sorted(
        float(linear(rgb(c) if isinstance(c, str) else c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


def difference(one: str, other: str, vision: str) -> float:
    """CIEDE2000 between two colours as somebody sees them."""
    seen = (rgb2lab(encoded(np.array(VISION[vision]) @ linear(rgb(c)))) for c in (one, other))
    return float(deltaE_ciede2000(*seen))


def panel_colours(theme: str) -> dict[str, str]:
    """The custom properties of style.css in a theme."""
    pairs = re.findall(r"--sn-(\w+): light-dark\((\S+), (\S+)\)", PANELS)
    return {name: light if theme == "light" else dark for name, light, dark in pairs}


def test_the_measures_know_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert difference("#000000", "#ffffff", "deuteranopia") == pytest.approx(100, abs=0.1)
    assert difference("#ff0000", "#ff0000", "protanopia") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(theme: str) -> None:
    theme_colours, colours = THEMES[theme], panel_colours(theme)
    assert len(colours) >= 9
    for ground in (
        theme_colours["backgroundColor"],
        theme_colours["sidebar"]["backgroundColor"],
        theme_colours["secondaryBackgroundColor"],
    ):
        assert contrast(theme_colours["textColor"], ground) >= TEXT
        assert contrast(theme_colours["linkColor"], ground) >= TEXT
        assert contrast(theme_colours["primaryColor"], ground) >= TEXT  # the slider's value
        caption = FADED * rgb(theme_colours["textColor"]) + (1 - FADED) * rgb(ground)
        assert contrast(caption, ground) >= TEXT
    for name in ("text", "label", "quiet", "better", "worse"):
        assert contrast(colours[name], colours["card"]) >= TEXT, name
    for name in ("text", "quiet"):
        assert contrast(colours[name], theme_colours["backgroundColor"]) >= TEXT, name
    light, dark = re.findall(r"stBaseButton-primary\] \{ color: light-dark\((\S+), (\S+)\)", PANELS)[0]
    assert contrast({"light": light, "dark": dark}[theme], theme_colours["primaryColor"]) >= TEXT


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dots_bars_and_lines_stand_out(theme: str) -> None:
    theme_colours, colours = THEMES[theme], panel_colours(theme)
    for name, colour in {**drawing.KIND_COLOURS, **drawing.SHARE_COLOURS}.items():
        if colours["edge"] == "transparent":
            assert contrast(colour, colours["card"]) >= GRAPHIC, name
        else:
            assert contrast(colours["edge"], colours["card"]) >= GRAPHIC
    for name, colour in {**drawing.MODEL_COLOURS, "native": GREY}.items():
        assert contrast(colour, theme_colours["backgroundColor"]) >= GRAPHIC, name


def test_the_map_is_dark_in_both_themes() -> None:
    ground = re.findall(r"\.legend \{[^}]*background: (#\w+); color: (#\w+)", MAP)
    assert ground and contrast(ground[0][1], ground[0][0]) >= TEXT
    for kind, colour in drawing.KIND_COLOURS.items():
        assert contrast(colour, ground[0][0]) >= GRAPHIC, kind


@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_errors_stay_apart(vision: str) -> None:
    for one, other in combinations(drawing.KIND_COLOURS, 2):
        assert difference(drawing.KIND_COLOURS[one], drawing.KIND_COLOURS[other], vision) >= APART, (one, other)


@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_models_stay_apart(vision: str) -> None:
    for one, other in combinations(drawing.MODEL_COLOURS, 2):
        assert difference(drawing.MODEL_COLOURS[one], drawing.MODEL_COLOURS[other], vision) >= LINES_APART, (one, other)


def test_each_model_has_a_marker_of_its_own() -> None:
    assert len(set(MARKERS)) == len(MARKERS) >= len(drawing.MODEL_COLOURS)
