"""An image as a worse sensor would have taken it: blur, noise and JPEG, each in physical units of the working grid."""

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from scinet.errors import RasterError
from scinet.raster.raster import Raster

DegradationName = Literal["blur", "noise", "jpeg"]
DEGRADATION_NAMES: tuple[DegradationName, ...] = get_args(DegradationName)
_FWHM_PER_SIGMA = 2.3548  # of a Gaussian

AMOUNTS: dict[DegradationName, tuple[float, ...]] = {
    "blur": (0.0, 1.0, 1.5, 2.0, 3.0, 4.0),
    "noise": (0.0, 2.0, 5.0, 10.0, 20.0, 40.0),
    "jpeg": (100.0, 90.0, 75.0, 50.0, 25.0, 10.0),
}
UNITS: dict[DegradationName, str] = {
    "blur": "px, full width at half maximum of the point spread function",
    "noise": "grey levels of 255, standard deviation",
    "jpeg": "quality",
}


@dataclass(frozen=True)
class Degradation:
    """One way in which a sensor is worse, and by how much.

    Attributes:
        name: "blur", "noise" or "jpeg".
        amount: In the unit of `UNITS`.

    Example:
        >>> Degradation("blur", 0.0).is_none, Degradation("jpeg", 50.0).is_none
        (True, False)
    """

    name: DegradationName
    amount: float

    @property
    def is_none(self) -> bool:
        """Whether it leaves the image as it is."""
        return self.amount == AMOUNTS[self.name][0]

    def apply(self, raster: Raster) -> Raster:
        """The image, degraded; what is not valid stays so.

        Raises:
            RasterError: There is no such amount.
        """
        if self.is_none:
            return raster
        if not 0 < self.amount <= 100:
            raise RasterError(f"{self.name} of {self.amount:g} is not possible. Give an amount above 0 and up to 100.")
        pixels = {"blur": _blurred, "noise": _noisy, "jpeg": _compressed}[self.name](raster.pixels, self.amount)
        return replace(raster, pixels=np.where(raster.valid[..., None], pixels, np.uint8(0)))


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
