"""The ground resolution of an image from something of known length that it shows."""

import math

from scinet.errors import CameraError

Point = tuple[float, float]  # column and row in px
_LEAST_PX = 10.0  # a shorter line is known to worse than a tenth


def cm_per_px_from_line(start: Point, end: Point, length_m: float) -> float:
    """The ground resolution that makes a line on the image as long as it is on the ground.

    Args:
        start: Column and row of one end, in px of the image.
        end: Column and row of the other end.
        length_m: How long it is on the ground.

    Returns:
        Ground centimetres per pixel.

    Raises:
        CameraError: The line is shorter than 10 px, or the length is not a positive number.

    Example:
        >>> cm_per_px_from_line((100, 50), (145, 50), length_m=4.5)
        10.0
    """
    if not (math.isfinite(length_m) and length_m > 0):
        raise CameraError("Give the length of the line in metres, as a number above 0.")
    pixels = math.dist(start, end)
    if not pixels >= _LEAST_PX:
        raise CameraError(
            f"The line is {pixels:.3g} px long, too short to measure by. Draw it over something of at least "
            f"{_LEAST_PX:g} px."
        )
    return 100 * length_m / pixels
