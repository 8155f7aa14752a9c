"""A grid of masks as one picture."""

from io import BytesIO

import numpy as np
from PIL import Image

from pages.views.benchmark.mask_figure import CELL_PX, FigureCell, MaskFigure
from tests.png import png

RED, BLUE = (200, 30, 30), (30, 30, 200)


def cell(colour: tuple[int, int, int], height: int, width: int) -> FigureCell:
    return FigureCell(png(np.full((height, width, 3), colour, np.uint8)), "IoU 0.50")


def drawn(figure: MaskFigure) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(figure.png())).convert("RGB"))


def area_px(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((pixels == colour).all(axis=-1).sum())


def test_every_picture_is_as_wide_as_a_cell_and_keeps_its_shape() -> None:
    figure = MaskFigure(["Image", "UNet"], {}, rows=[[cell(RED, 100, 100), cell(BLUE, 40, 80)]])
    pixels = drawn(figure)
    assert area_px(pixels, RED) == CELL_PX**2
    assert area_px(pixels, BLUE) == CELL_PX * CELL_PX // 2


def test_what_has_not_run_is_grey_and_long_titles_stay_in_their_column() -> None:
    headings = ["A title that is far too long for its column" * 2, "UNet"]
    figure = MaskFigure(headings, {}, rows=[[cell(RED, 64, 64), FigureCell()]])
    pixels = drawn(figure)
    assert area_px(pixels, (0xE6, 0xE8, 0xEB)) == CELL_PX**2
    gap = pixels[:30, 12 + CELL_PX : 12 + CELL_PX + 10]
    assert (gap == 255).all()


def test_the_legend_has_each_colour_once() -> None:
    one = drawn(MaskFigure(["Image"], {"#C81E1E": "Missed"}, rows=[[FigureCell()]]))
    none = drawn(MaskFigure(["Image"], {}, rows=[[FigureCell()]]))
    assert area_px(none, RED) == 0 and 0 < area_px(one, RED) < 400


def test_each_credit_has_a_line() -> None:
    without = drawn(MaskFigure(["Image"], {}, rows=[[FigureCell()]]))
    with_two = drawn(MaskFigure(["Image"], {}, ["CC-BY", "ODbL"], rows=[[FigureCell()]]))
    assert with_two.shape[0] - without.shape[0] == 60
    assert (with_two[-60:, :200] < 128).any()
