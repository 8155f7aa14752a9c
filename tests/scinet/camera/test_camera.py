"""Flying height and ground resolution: cameras, photos' own accounts, and lines of known length."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scinet.camera.camera import Camera, known_cameras, parse_camera, parse_height_m
from scinet.camera.scale import cm_per_px_from_line
from scinet.camera.shot import Shot, read_shot
from scinet.cli.main import main
from scinet.errors import CameraError, GsdMissingError
from scinet.raster.scene import open_scene, read_raster

WIDTH_PX, HEIGHT_PX = 5472, 3648
PHANTOM = {"EXIF_Model": "FC6310R", "EXIF_FocalLengthIn35mmFilm": "24"}


def xmp(height_m: str = "+120.00", pitch: str = "-90.0") -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" drone-dji:RelativeAltitude="{height_m}" '
        f'drone-dji:GimbalPitchDegree="{pitch}"/></rdf:RDF></x:xmpmeta>'
    )


def photo(packet: str, equivalent_mm: int = 24, orientation: int = 1) -> bytes:
    """A JPEG of 60 x 40 px, shrunk from a photo of the Phantom 4 RTK."""
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "FC6310R", orientation
    exif.get_ifd(0x8769).update({0xA405: equivalent_mm, 0xA002: WIDTH_PX, 0xA003: HEIGHT_PX})
    file = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, xmp=packet.encode())
    return file.getvalue()


@pytest.mark.parametrize("model, m_per_cm", [("FC6310R", 36.5), ("ZenmuseP1", 79.6), ("FC330", 23.1)])
def test_known_cameras_have_the_height_per_resolution_of_their_makers_sheets(model: str, m_per_cm: float) -> None:
    assert known_cameras()[model].height_m(1) == pytest.approx(m_per_cm, rel=0.01)


def test_each_known_camera_names_its_source() -> None:
    assert len(known_cameras()) >= 12
    assert all(camera.source.startswith("https://") for camera in known_cameras().values())


def test_height_and_resolution_are_inverse() -> None:
    camera = parse_camera("DJI Mavic 3")
    assert camera.cm_per_px(camera.height_m(17.0)) == pytest.approx(17.0)


@pytest.mark.parametrize("text", ["Brownie", "8.8,13.2", "8.8,13.2,nan,10", "0,13.2,5472,3648", "8.8,0,5472,3648"])
def test_a_camera_that_cannot_be_meant_is_one_sentence(text: str) -> None:
    with pytest.raises(CameraError, match="Give"):
        parse_camera(text)


@pytest.mark.parametrize("height", ["0", "-5", "nan", "high", "30000"])
def test_an_impossible_height_is_one_sentence(height: str) -> None:
    with pytest.raises(CameraError, match="from 1 to 20,000 m"):
        parse_height_m(height)


def test_a_photo_gives_its_resolution() -> None:
    shot = read_shot(PHANTOM, xmp(), WIDTH_PX, HEIGHT_PX)
    assert shot is not None and shot.cm_per_px == pytest.approx(3.29, abs=0.01)
    assert "DJI Phantom 4 RTK, 120 m above the take-off point" in shot.text


def test_the_calibrated_focal_length_comes_first() -> None:
    packet = xmp().replace("drone-dji:Gimbal", 'drone-dji:CalibratedFocalLength="4000.0" drone-dji:Gimbal')
    shot = read_shot(PHANTOM, packet, WIDTH_PX, HEIGHT_PX)
    assert shot is not None and shot.cm_per_px == pytest.approx(3.0)


def test_without_an_equivalent_focal_length_the_makers_sheet_counts() -> None:
    shot = read_shot({"EXIF_Model": "FC6310R"}, xmp(), WIDTH_PX // 2, HEIGHT_PX // 2)  # half the size
    assert shot is not None and shot.cm_per_px == pytest.approx(2 * 3.29, abs=0.02)


def test_an_unknown_camera_is_told_by_its_sensor() -> None:
    tags = {"EXIF_FocalLength": "(8.8)", "EXIF_FocalPlaneXResolution": "4145.45", "EXIF_FocalPlaneResolutionUnit": "3"}
    shot = read_shot(tags, "<Camera:AboveGroundAltitude>120</Camera:AboveGroundAltitude>", WIDTH_PX, HEIGHT_PX)
    assert shot is not None and shot.cm_per_px == pytest.approx(3.29, abs=0.01)


@pytest.mark.parametrize(
    "tags, packet, reason",
    [
        (PHANTOM, xmp("+0.00"), "0 m above"),
        (PHANTOM, xmp("-12"), "-12 m above"),
        (PHANTOM, xmp("99999"), "above its take-off"),
        (PHANTOM, xmp(pitch="-45"), "45 degrees away from straight down"),
        (PHANTOM, "", "not its height"),
        ({"EXIF_FocalLengthIn35mmFilm": "1"}, xmp(), "no lens has"),
        ({"EXIF_FocalLengthIn35mmFilm": "9999"}, xmp(), "no lens has"),
        ({}, xmp(), "not enough of its camera"),
    ],
)
def test_a_photo_that_lies_gives_no_resolution_and_says_why(tags: dict[str, str], packet: str, reason: str) -> None:
    shot = read_shot(tags, packet, WIDTH_PX, HEIGHT_PX)
    assert shot is not None and shot.cm_per_px is None
    assert reason in shot.text and len(shot.text) < 160


def test_a_picture_without_a_flight_has_no_account() -> None:
    assert read_shot({"EXIF_Orientation": "1"}, "", 60, 40) is None


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_without_georeference_is_refused_with_what_it_says(orientation: int) -> None:
    with pytest.raises(GsdMissingError, match=r"resolution in cm/px\. By its EXIF .* gives 300 cm/px") as caught:
        read_raster(photo(xmp(), orientation=orientation))
    assert caught.value.likely_cm_per_px == pytest.approx(300, rel=0.01)
    shot = open_scene(photo(xmp(), orientation=orientation), cm_per_px=5).shot
    assert isinstance(shot, Shot) and shot.height_m == 120


def test_info_tells_the_flying_height(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo(xmp()))
    assert main(["info", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "300 cm/px" in printed and "120 m above the take-off point" in printed
    assert main(["info", str(path), "--native-cm-per-px", "3.3", "--camera", "FC6310R"]) == 0
    assert "3.3 cm/px is 120 m" in (printed := capsys.readouterr().out)
    assert "20 cm/px is 730 m" in printed and "120 m gives 3.3 cm/px" in printed
    assert main(["info", str(path), "--camera", "Brownie"]) == 2
    assert 'no camera "Brownie" on board' in capsys.readouterr().err


def test_a_line_of_known_length_scales_an_image() -> None:
    assert cm_per_px_from_line((0, 0), (30, 40), length_m=5) == 10


@pytest.mark.parametrize("end, length_m", [((3, 4), 5.0), ((30, 40), 0.0), ((30, 40), float("nan")), ((30, 40), -1.0)])
def test_a_line_that_measures_nothing_is_refused(end: tuple[float, float], length_m: float) -> None:
    with pytest.raises(CameraError):
        cm_per_px_from_line((0, 0), end, length_m)


def test_a_camera_without_pictures_is_refused() -> None:
    with pytest.raises(CameraError, match="at least 1 x 1 px"):
        Camera("nothing", 1000, 0, 0)
