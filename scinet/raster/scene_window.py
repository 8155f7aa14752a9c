"""Where to look in a scene: the window around a point, and one in the middle of the image."""

import numpy as np
from scipy.ndimage import uniform_filter

from scinet.raster.raster import Raster
from scinet.raster.scene import Scene


def central_window(scene: Scene, overview: Raster | None, side_px: int) -> tuple[int, int]:
    """Column and row of a window of at most `side_px` per side: full of image, and as close to its middle as possible.

    `overview` tells where the scene holds an image; without it, the scene's middle is taken.
    """
    width, height = min(side_px, scene.width), min(side_px, scene.height)
    x, y = scene.width / 2, scene.height / 2
    if overview is not None:
        step_x, step_y = scene.width / overview.width, scene.height / overview.height
        size = max(1, round(height / step_y)), max(1, round(width / step_x))
        covered = uniform_filter(overview.valid.astype(np.float32), size, mode="constant")
        rows, columns = np.nonzero(overview.valid)
        good_rows, good_columns = np.nonzero(covered > 0.99 * covered.max())
        distance = (good_rows - rows.mean()) ** 2 + (good_columns - columns.mean()) ** 2
        nearest = int(distance.argmin())
        x, y = (good_columns[nearest] + 0.5) * step_x, (good_rows[nearest] + 0.5) * step_y
    return window_around(scene, x, y, side_px)


def window_around(scene: Scene, x_px: float, y_px: float, side_px: int) -> tuple[int, int]:
    """Column and row of the window of at most `side_px` per side around a point, moved to lie within the scene."""
    width, height = min(side_px, scene.width), min(side_px, scene.height)
    column = min(max(0, round(x_px - width / 2)), scene.width - width)
    row = min(max(0, round(y_px - height / 2)), scene.height - height)
    return column, row
