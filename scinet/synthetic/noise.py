"""Value noise in metres: the same hills and stains at every resolution, averaged where pixels are large."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

_LATTICE = 512  # cells until the noise repeats


@dataclass(frozen=True)
class Window:
    """Rows `row` to `row + height` of a town drawn at `metres_per_px`, all columns."""

    metres_per_px: float
    row: int
    height: int
    width: int

    def xs(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """float32: x of the pixel centres of columns start..stop."""
        return ((np.arange(start, self.width if stop is None else stop) + 0.5) * self.metres_per_px).astype(np.float32)

    def ys(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """float32: y (negative, down) of the pixel centres of rows start..stop of the window."""
        rows = np.arange(start, self.height if stop is None else stop) + self.row
        return (-(rows + 0.5) * self.metres_per_px).astype(np.float32)


class Noise:
    """Gaussian values on a repeating lattice, read at any cell size."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.lattice = rng.standard_normal((_LATTICE, _LATTICE), dtype=np.float32)
        self.sheets = rng.integers(0, 1 << 16, 4096)  # which colour a sheet of a roof takes

    def field(self, window: Window, cell_m: float, stream: int) -> np.ndarray:
        """float32 (height, width), mean 0, standard deviation about 1 where a pixel is smaller than a cell.

        Cells far below a pixel average out; they are left at zero.
        """
        step = window.metres_per_px / cell_m  # cells a pixel
        if step > 6:
            return np.zeros((window.height, window.width), np.float32)
        left, top = 37.3 * stream, 91.7 * stream + window.row * step
        right, bottom = left + window.width * step, top + window.height * step
        pad = int(3 * max(1.0, step)) + 1
        first_column, first_row = int(left) - pad, int(top) - pad
        columns = np.arange(first_column, int(right) + pad + 1) % _LATTICE
        rows = np.arange(first_row, int(bottom) + pad + 1) % _LATTICE
        cells = Image.fromarray(np.ascontiguousarray(self.lattice[rows[:, None], columns]))
        box = (left - first_column, top - first_row, right - first_column, bottom - first_row)
        size = (window.width, window.height)
        return 1.35 * np.asarray(cells.resize(size, Image.Resampling.BICUBIC, box=box))


def smooth_step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((values - low) * (1 / (high - low)), 0, 1)
    return share * share * (3 - 2 * share)
