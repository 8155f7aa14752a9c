"""An image as a worse sensor or another program would give it: blur, noise, JPEG, and kernels of resampling."""

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from scinet.errors import RasterError
from scinet.raster.kernels import KERNELS, KernelName, resample_with
from scinet.raster.raster import Raster
from scinet.raster.resample import resample

DegradationName = Literal["blur", "noise", "jpeg", "kernel"]
Amount = float | KernelName
DEGRADATION_NAMES: tuple[DegradationName, ...] = get_args(DegradationName)
_FWHM_PER_SIGMA = 2.3548  # of a Gaussian

AMOUNTS: dict[DegradationName, tuple[Amount, ...]] = {
    "blur": (0.0, 1.0, 1.5, 2.0, 3.0, 4.0),
    "noise": (0.0, 2.0, 5.0, 10.0, 20.0, 40.0),
    "jpeg": (100.0, 90.0, 75.0, 50.0, 25.0, 10.0),
    "kernel": KERNELS,
}
UNITS: dict[DegradationName, str] = {
    "blur": "px, full width at half maximum of the point spread function",
    "noise": "grey levels of 255, standard deviation",
    "jpeg": "quality",
    "kernel": "by which the image was made coarser",
}


@dataclass(frozen=True)
class Degradation:
    """One way in which a sensor is worse, and by how much.

    Attributes:
        name: "blur", "noise", "jpeg" or "kernel".
        amount: In the unit of `UNITS`; the name of a kernel.

    Example:
        >>> Degradation("blur", 0.0).is_none, Degradation("jpeg", 50.0).is_none
        (True, False)
    """

    name: DegradationName
    amount: Amount

    def __str__(self) -> str:
        """Such as "blur 2" and "kernel nearest"."""
        return f"{self.name} {self.amount}" if isinstance(self.amount, str) else f"{self.name} {self.amount:g}"

    @property
    def is_none(self) -> bool:
        """Whether it leaves the image as it is."""
        return self.amount == AMOUNTS[self.name][0]

    def at(self, raster: Raster, cm_per_px: float) -> Raster:
        """The image at a working resolution, degraded; what is not valid stays so.

        Raises:
            RasterError: There is no such amount, or a kernel would have nothing to do at the image's own resolution.
            ResolutionError: The image does not fit in memory at this resolution.
        """
        clean = resample(raster, cm_per_px)
        if self.name == "kernel":
            if clean.shape == raster.shape:
                raise RasterError(
                    "A kernel matters where the image is resampled: choose a coarser resolution than its own."
                )
            return clean if self.is_none else resample_with(raster, cm_per_px, _kernel(self.amount))
        if self.is_none:
            return clean
        if isinstance(self.amount, str) or not 0 < self.amount <= 100:
            raise RasterError(f"{self.name} of {self.amount} is not possible. Give an amount above 0 and up to 100.")
        pixels = {"blur": _blurred, "noise": _noisy, "jpeg": _compressed}[self.name](clean.pixels, self.amount)
        return replace(clean, pixels=np.where(clean.valid[..., None], pixels, np.uint8(0)))


def _kernel(amount: Amount) -> KernelName:
    for kernel in KERNELS:
        if kernel == amount:
            return kernel
    raise RasterError(f"{amount} is not a kernel. Choose one of {', '.join(KERNELS)}.")


def _blurred(pixels: NDArray[np.uint8], fwhm_px: float) -> NDArray[np.uint8]:
    sigma = fwhm_px / _FWHM_PER_SIGMA
    return _rounded(gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0), mode="nearest"))


def _noisy(pixels: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    """With the same noise at every amount, so that amounts can be compared."""
    noise = np.random.default_rng(0).standard_normal(pixels.shape, np.float32)
    return _rounded(pixels + np.float32(deviation) * noise)


def _compressed(pixels: NDArray[np.uint8], quality: float) -> NDArray[np.uint8]:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(quality))
    return np.asarray(Image.open(file).convert("RGB"))


def _rounded(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values).clip(0, 255).astype(np.uint8)
