"""What a photo says about its own flight: camera, height above the take-off point, and tilt."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from scinet.camera.camera import MAX_HEIGHT_M, Camera, known_cameras
from scinet.errors import CameraError

MOST_TILT_DEGREES = 10.0  # from straight down: there the resolution at the centre is 3 % off, at the edges far more
_HEIGHTS = ("RelativeAltitude", "AboveGroundAltitude")  # of DJI and Autel; of senseFly, Parrot and Pix4D
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Shot:
    """A photo's own account of its flight.

    Attributes:
        camera: The camera; None if the photo does not say enough.
        height_m: Height above the take-off point, which is that above the ground where the ground is level; None if the
            photo does not say.
        problem: Why the resolution does not follow from them, in a sentence; "" if it does.
    """

    camera: Camera | None
    height_m: float | None
    problem: str = ""

    @property
    def cm_per_px(self) -> float | None:
        """The ground resolution in cm/px; None where it does not follow."""
        if self.problem or self.camera is None or self.height_m is None:
            return None
        return self.camera.cm_per_px(self.height_m)

    @property
    def text(self) -> str:
        """What follows, or why nothing does, in a sentence."""
        if self.cm_per_px is None:
            return self.problem
        assert self.camera is not None
        return (
            f"By its EXIF it was taken with {self.camera.name}, {self.height_m:.4g} m above the take-off point, "
            f"which gives {self.cm_per_px:.3g} cm/px where the ground is level."
        )


def read_shot(exif: Mapping[str, str], xmp: str, width_px: int, height_px: int) -> Shot | None:
    """The account of a photo, or None if it holds nothing of the kind.

    The altitude of its GPS position is above the sea, so it tells nothing of the resolution.

    Args:
        exif: EXIF tags as GDAL names them, such as "EXIF_FocalLengthIn35mmFilm".
        xmp: The XMP packet as text, "" if there is none.
        width_px: Columns of the image.
        height_px: Rows of the image.

    Example:
        >>> shot = read_shot(
        ...     {"EXIF_Model": "FC6310R", "EXIF_FocalLengthIn35mmFilm": "24"},
        ...     'drone-dji:RelativeAltitude="+120.00" drone-dji:GimbalPitchDegree="-90.0"',
        ...     width_px=5472,
        ...     height_px=3648,
        ... )
        >>> shot.height_m, round(shot.cm_per_px, 1)
        (120.0, 3.3)
    """
    height_m = next((value for name in _HEIGHTS if (value := _xmp_number(xmp, name)) is not None), None)
    problem = _problem_of_height(height_m) or _problem_of_tilt(xmp)
    camera = None
    try:
        camera = _camera(exif, xmp, width_px, height_px)
    except CameraError:
        problem = problem or (
            "The photo's EXIF names a focal length that no lens has. Give its camera or its resolution."
        )
    if camera is None and height_m is None and not problem:
        return None
    if height_m is not None and camera is None:
        problem = problem or f"The photo's EXIF tells its height ({height_m:.4g} m) but not enough of its camera."
    if height_m is None and camera is not None:
        problem = problem or "The photo's EXIF tells its camera but not its height above the ground."
    return Shot(camera, height_m, problem)


def _problem_of_height(height_m: float | None) -> str:
    if height_m is None or 0 < height_m <= MAX_HEIGHT_M:
        return ""
    return f"By its EXIF the photo was taken {height_m:.4g} m above its take-off point, so its height is not known."


def _problem_of_tilt(xmp: str) -> str:
    pitch = _xmp_number(xmp, "GimbalPitchDegree")
    tilt = 0.0 if pitch is None else abs(pitch + 90)
    if tilt <= MOST_TILT_DEGREES:
        return ""
    return f"The photo looks {tilt:.0f} degrees away from straight down, so it has no single resolution."


def _camera(exif: Mapping[str, str], xmp: str, width_px: int, height_px: int) -> Camera | None:
    """The camera by what is most exact: focal length in px, equivalent one, the maker's sheet, or the sensor's size."""
    model = exif.get("EXIF_Model", "").strip()
    known = known_cameras().get(model)
    name = known.name if known else model or "its camera"
    taken_px = max(_number(exif.get(f"EXIF_Pixel{axis}Dimension", "")) or 0.0 for axis in "XY")
    shrunk = max(width_px, height_px) / taken_px if taken_px > 0 else 1.0
    focal_length_px = _xmp_number(xmp, "CalibratedFocalLength")
    equivalent_mm = _number(exif.get("EXIF_FocalLengthIn35mmFilm", ""))  # 0 stands for unknown
    if focal_length_px:
        return Camera(name, focal_length_px * shrunk, width_px, height_px, "EXIF")
    if equivalent_mm:
        return Camera.of_equivalent(name, equivalent_mm, width_px, height_px, "EXIF")
    if known:
        scale = max(width_px, height_px) / max(known.width_px, known.height_px)
        return Camera(name, known.focal_length_px * scale, width_px, height_px, known.source)
    focal_length_mm = _number(exif.get("EXIF_FocalLength", ""))
    px_per_unit = _number(exif.get("EXIF_FocalPlaneXResolution", ""))
    if focal_length_mm is None or not px_per_unit:
        return None
    unit_mm = {"2": 25.4, "3": 10.0, "4": 1.0}.get(exif.get("EXIF_FocalPlaneResolutionUnit", "2").strip(), 25.4)
    return Camera(name, focal_length_mm * px_per_unit / unit_mm * shrunk, width_px, height_px, "EXIF")


def _xmp_number(xmp: str, name: str) -> float | None:
    """The number of an XMP property, written as an attribute or as an element."""
    found = re.search(rf":{name}\s*(?:=\s*[\"']|>)\s*([^\"'<]{{1,40}})", xmp)
    return None if found is None else _number(found[1])


def _number(text: str) -> float | None:
    """The first number of a text such as "(8.8)"."""
    found = _NUMBER.search(text)
    with suppress(ValueError, OverflowError):
        return None if found is None else float(found[0])
    return None
