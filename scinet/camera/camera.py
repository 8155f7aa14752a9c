"""A camera that looks straight down: ground resolution <-> height above the ground."""

import csv
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scinet.errors import CameraError

FULL_FRAME_DIAGONAL_MM = math.hypot(36, 24)  # what equivalent focal lengths refer to (CIPA DCG-001)
MAX_HEIGHT_M = 20_000.0
_FIELDS_OF_VIEW_DEGREES = (2.0, 150.0)  # of the wider side; no lens for maps has another
_TABLE = Path(__file__).parent / "cameras.csv"


@dataclass(frozen=True)
class Camera:
    """A camera that looks straight down.

    Attributes:
        name: What to call it.
        focal_length_px: Its focal length in pixels of its pictures.
        width_px: Columns of its pictures.
        height_px: Rows of its pictures.
        source: Where the figures come from.

    Raises:
        CameraError: There is no such lens, or the picture has no size.

    Example:
        >>> camera = Camera.of_sensor("Phantom 4 RTK", 8.8, 13.2, 5472, 3648)
        >>> round(camera.height_m(20)), round(camera.cm_per_px(120), 1)
        (730, 3.3)
    """

    name: str
    focal_length_px: float
    width_px: int
    height_px: int
    source: str = ""

    def __post_init__(self) -> None:
        if min(self.width_px, self.height_px) < 1:
            raise CameraError(f"{self.name} needs pictures of at least 1 x 1 px. Give their size.")
        narrow, wide = (2 * math.tan(math.radians(angle / 2)) for angle in _FIELDS_OF_VIEW_DEGREES)
        longer = max(self.width_px, self.height_px)
        if not (self.focal_length_px > 0 and narrow <= longer / self.focal_length_px <= wide):
            raise CameraError(
                f"{self.name} would have a focal length of {self.focal_length_px:.4g} px for pictures of "
                f"{self.width_px} x {self.height_px} px, which no lens has. "
                "Give focal length and sensor width in mm, as on the maker's sheet."
            )

    @classmethod
    def of_sensor(
        cls, name: str, focal_length_mm: float, sensor_width_mm: float, width_px: int, height_px: int, source: str = ""
    ) -> "Camera":
        """A camera by its true focal length and the width of its sensor. Raises CameraError as the class does."""
        if not sensor_width_mm > 0:
            raise CameraError(f"A sensor of {sensor_width_mm:g} mm has no width. Give it as on the maker's sheet.")
        return cls(name, focal_length_mm * width_px / sensor_width_mm, width_px, height_px, source)

    @classmethod
    def of_equivalent(
        cls, name: str, equivalent_mm: float, width_px: int, height_px: int, source: str = ""
    ) -> "Camera":
        """A camera by the focal length of the same view on 35 mm film. Raises CameraError as the class does."""
        focal_length_px = equivalent_mm * math.hypot(width_px, height_px) / FULL_FRAME_DIAGONAL_MM
        return cls(name, focal_length_px, width_px, height_px, source)

    def cm_per_px(self, height_m: float) -> float:
        """The ground resolution from a height above the ground."""
        return 100 * height_m / self.focal_length_px

    def height_m(self, cm_per_px: float) -> float:
        """The height above the ground that gives a ground resolution."""
        return cm_per_px * self.focal_length_px / 100


@lru_cache(maxsize=1)
def known_cameras() -> dict[str, Camera]:
    """Cameras of common drones by the model's name in their photos' EXIF, each with its maker's page as `source`."""
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return {
            row["exif_model"]: Camera.of_equivalent(
                row["name"], float(row["equivalent_mm"]), int(row["width_px"]), int(row["height_px"]), row["source"]
            )
            for row in csv.DictReader(file)
        }


def parse_camera(text: str) -> Camera:
    """A camera on board by its name or its name in EXIF, or by hand: focal length, sensor width in mm, size in px.

    Args:
        text: Such as "DJI Mavic 3", "FC6310R" or "8.8,13.2,5472,3648".

    Raises:
        CameraError: It is neither.

    Example:
        >>> parse_camera("fc6310r").name, round(parse_camera("8.8,13.2,5472,3648").height_m(20))
        ('DJI Phantom 4 RTK', 730)
    """
    asked = text.strip().casefold()
    for model, camera in known_cameras().items():
        if asked in (model.casefold(), camera.name.casefold()):
            return camera
    try:
        focal_length_mm, sensor_width_mm, width_px, height_px = (float(part) for part in text.split(","))
        return Camera.of_sensor("this camera", focal_length_mm, sensor_width_mm, round(width_px), round(height_px))
    except (ValueError, OverflowError):
        names = ", ".join(camera.name for camera in known_cameras().values())
        raise CameraError(
            f'There is no camera "{text[:40]}" on board. Give one of {names}; or focal length and sensor width in mm '
            "and the picture's width and height in px, such as 8.8,13.2,5472,3648."
        ) from None


def parse_height_m(value: str | float) -> float:
    """A flying height in metres above the ground. Raises CameraError if it is not a number from 1 to 20,000.

    >>> parse_height_m("120")
    120.0
    """
    try:
        height_m = float(value)
    except ValueError:
        height_m = math.nan
    if not 1 <= height_m <= MAX_HEIGHT_M:
        raise CameraError(f"Give the flying height as a number from 1 to {MAX_HEIGHT_M:,.0f} m above the ground.")
    return height_m


def round_height_m(height_m: float) -> float:
    """A height to two digits, as precise as a flight is planned, and to a metre below 100 m.

    >>> round_height_m(729.6), round_height_m(36.5)
    (730.0, 36.0)
    """
    return float(f"{height_m:.2g}")
