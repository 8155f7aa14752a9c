"""What images leave open: bands, transparency, nodata, negatives, and the reader's own choice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from scinet.errors import GsdMissingError, RasterError
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene, read_raster

UTM = CRS.from_epsg(32630)
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SHAPE = 40, 56
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(20, 230, (3, *SHAPE), np.uint8)  # red, green, blue
NIR = RNG.integers(30, 120, SHAPE, np.uint8)


def tif(
    path: Path,
    bands: NDArray[Any],
    *,
    names: tuple[str, ...] = (),
    marks: tuple[ColorInterp, ...] = (),
    crs: CRS | None = UTM,
    **profile: Any,
) -> Path:
    count, height, width = bands.shape
    form = {"count": count, "height": height, "width": width, "dtype": bands.dtype, "transform": PLACE, "crs": crs}
    with rasterio.open(path, "w", driver="GTiff", **{"photometric": "MINISBLACK", **form, **profile}) as file:
        if marks:
            file.colorinterp = marks
        file.write(bands)
        if names:
            file.descriptions = names
    return path


def shows(raster: Raster, colours: NDArray[Any]) -> bool:
    return bool((raster.pixels == np.moveaxis(colours, 0, -1)).all())


BGRN = np.stack([PHOTO[2], PHOTO[1], PHOTO[0], NIR])


@pytest.mark.parametrize(
    "names",
    [
        ("blue", "green", "red", "nir"),
        ("Blue", "GREEN", "Red", "Near infra red"),
        ("B02", "B03", "B04", "B08"),
        ("band 1 (blue)", "band 2 (green)", "band 3 (red)", "band 4 (red edge)"),
    ],
)
def test_names_of_bands_tell_their_colours(tmp_path: Path, names: tuple[str, ...]) -> None:
    raster = read_raster(tif(tmp_path / "a.tif", BGRN, names=names))
    assert shows(raster, PHOTO)
    assert "by their names: 3 as red, 2 as green, 1 as blue" in raster.notes[0] and "--bands" in raster.notes[0]


def test_names_count_more_than_marks_that_programs_write_by_default(tmp_path: Path) -> None:
    bands = tif(tmp_path / "a.tif", PHOTO[::-1], names=("blue", "green", "red"), photometric="RGB")
    assert shows(read_raster(bands), PHOTO)


def test_the_panchromatic_band_is_grey(tmp_path: Path) -> None:
    raster = read_raster(tif(tmp_path / "a.tif", np.stack([NIR, PHOTO[0]]), names=("nir", "pan")))
    assert shows(raster, PHOTO[[0, 0, 0]])


def test_eight_bands_without_names_come_in_the_order_of_a_satellite(tmp_path: Path) -> None:
    bands = RNG.integers(0, 250, (8, *SHAPE), np.uint8)
    raster = read_raster(tif(tmp_path / "a.tif", bands))
    assert shows(raster, bands[[4, 2, 1]])
    assert "5 as red, 3 as green, 2 as blue" in raster.notes[0]


def test_the_reader_chooses_bands(tmp_path: Path) -> None:
    path = tif(tmp_path / "a.tif", BGRN)
    chosen = open_scene(path, choice=ImageChoice(bands=(3, 2, 1)))
    assert shows(chosen.read(), PHOTO) and chosen.read().notes == ()
    assert shows(chosen.window(0, 0, SHAPE[1], SHAPE[0]), PHOTO)
    assert shows(read_raster(path, choice=ImageChoice(bands=(4,))), np.stack([NIR] * 3))
    with pytest.raises(RasterError, match="has 4 bands, so bands 5 2 1 cannot be shown"):
        read_raster(path, choice=ImageChoice(bands=(5, 2, 1)))
    with pytest.raises(RasterError, match="three bands"):
        ImageChoice(bands=(1, 2))


def test_transparency_that_hides_nothing_is_data(tmp_path: Path) -> None:
    bands = np.concatenate([PHOTO, NIR[np.newaxis]])
    raster = read_raster(tif(tmp_path / "a.tif", bands, photometric="RGB", alpha="YES"))
    assert raster.valid.all() and shows(raster, PHOTO)
    assert "marked as transparency but holds other values" in raster.notes[0]


def collar() -> NDArray[np.bool_]:
    empty = np.zeros(SHAPE, bool)
    empty[:5] = empty[:, :6] = True
    return empty


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", -9999.0),
        ("float32", -3.4028234663852886e38),
        ("int16", -32768),
        ("int16", -32767),
        ("uint16", 0),
        ("uint16", 65535),
        ("float32", 0.0),
    ],
)
def test_nodata_that_the_file_does_not_mark_is_found_and_said(tmp_path: Path, dtype: str, value: float) -> None:
    bands = (PHOTO.astype(dtype) / (1000 if dtype == "float32" else 1) + (0.1 if dtype == "float32" else 700)).astype(
        dtype
    )
    bands[:, collar()] = value
    unmarked = read_raster(tif(tmp_path / "a.tif", bands))
    marked = read_raster(tif(tmp_path / "b.tif", bands, nodata=value))
    assert (unmarked.valid == ~collar()).all()
    assert (unmarked.pixels == marked.pixels).all()
    assert "counts as nodata, though the file does not mark it" in unmarked.notes[0]
    assert unmarked.notes[1:] == marked.notes
    assert "2nd and 98th percentiles" in marked.notes[0]


def test_dark_pixels_within_an_image_are_not_nodata(tmp_path: Path) -> None:
    bands = PHOTO.astype(np.uint16) * 40
    bands[:, 10:20, 10:20] = 0
    assert read_raster(tif(tmp_path / "a.tif", bands)).valid.all()
    ramp = np.broadcast_to(np.arange(SHAPE[1], dtype=np.uint16), (3, *SHAPE))
    assert read_raster(tif(tmp_path / "b.tif", ramp)).valid.all()


def test_the_reader_names_nodata(tmp_path: Path) -> None:
    bands = PHOTO.copy()
    bands[:, collar()] = 77
    path = tif(tmp_path / "a.tif", bands, photometric="RGB")
    assert read_raster(path).valid.all()
    assert (read_raster(path, choice=ImageChoice(nodata=parse_nodata("77"))).valid == ~collar()).all()
    flagged = tif(tmp_path / "b.tif", bands, photometric="RGB", nodata=77)
    assert read_raster(flagged, choice=ImageChoice(nodata=parse_nodata("none"))).valid.all()
    with pytest.raises(RasterError, match='"black" is not a nodata value'):
        parse_nodata("black")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_negatives_are_shown_as_pictures(tmp_path: Path, dtype: str) -> None:
    picture = PHOTO[:1].astype(dtype)
    plain = read_raster(tif(tmp_path / "a.tif", picture))
    negative = read_raster(tif(tmp_path / "b.tif", np.iinfo(dtype).max - picture, photometric="MINISWHITE"))
    assert np.abs(plain.pixels.astype(int) - negative.pixels).max() <= 1


def test_coordinates_without_a_crs_are_placed_by_the_reader(tmp_path: Path) -> None:
    path = tif(tmp_path / "a.tif", PHOTO, photometric="RGB", crs=None)
    with pytest.raises(GsdMissingError, match=r"names no CRS for them. Give the CRS \(--crs EPSG:N\)"):
        read_raster(path)
    raster = read_raster(path, choice=ImageChoice(crs=parse_crs("EPSG:32630")))
    assert raster.transform == PLACE and raster.crs == UTM
    with pytest.raises(RasterError, match='"UTM" is not a CRS'):
        parse_crs("UTM")
