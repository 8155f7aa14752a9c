"""Coarser images as other programs make them: by nearest pixels, or by bilinear, cubic and Lanczos kernels."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scinet.raster.raster import Raster
from scinet.raster.resample import MIN_VALID_FRACTION, resample

KernelName = Literal["area", "bilinear", "cubic", "lanczos", "nearest"]
KERNELS: tuple[KernelName, ...] = get_args(KernelName)
_FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "cubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


def resample_with(raster: Raster, cm_per_px: float, kernel: KernelName) -> Raster:
    """As `resample`, with another kernel, which is as wide as the coarser pixels ask for, as in GDAL and Pillow.

    Args:
        raster: The image.
        cm_per_px: The resolution.
        kernel: "area" is that of `resample`: the exact mean over each pixel.

    Raises:
        ResolutionError: As `resample`.
    """
    by_area = resample(raster, cm_per_px)
    if kernel == "area" or by_area.shape == raster.shape:
        return by_area
    size = by_area.width, by_area.height
    known = raster.valid.astype(np.float32)
    share = _resized(known, size, kernel)
    valid = by_area.valid & (share >= MIN_VALID_FRACTION)
    weight = np.where(valid, share, np.float32(1))
    channels = [_resized(known * raster.pixels[..., i], size, kernel) / weight for i in range(3)]
    pixels = np.rint(np.dstack(channels)).clip(0, 255).astype(np.uint8)
    return Raster(np.where(valid[..., None], pixels, np.uint8(0)), valid, by_area.transform, raster.crs, raster.notes)


def _resized(values: NDArray[np.float32], size: tuple[int, int], kernel: KernelName) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(values).resize(size, _FILTERS[kernel]))
