"""What values, colours and gaps of a mask image come to."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.errors import TruthError
from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.mask import read_mask
from scinet.evaluation.mask_values import MaskChoice
from scinet.raster.raster import Raster
from tests.png import png

UTM = CRS.from_epsg(32630)
SHAPE = 60, 80
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)


@pytest.fixture
def image() -> Raster:
    return Raster(np.full((*SHAPE, 3), 100, np.uint8), np.ones(SHAPE, bool), PLACE, UTM)


@pytest.fixture
def building() -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 10:30] = mask[40:50, 50:70] = True
    return mask


def tif(path: Path, values: NDArray[Any], transform: Affine = PLACE, **profile: Any) -> Path:
    height, width = values.shape
    form = {"height": height, "width": width, "count": 1, "dtype": values.dtype, "transform": transform, "crs": UTM}
    with rasterio.open(path, "w", driver="GTiff", **form, **profile) as file:
        file.write(values, 1)
    return path


@pytest.mark.parametrize("has_place", [False, True])
def test_a_mask_that_claims_gigabytes_is_refused_before_it_is_decoded(
    tmp_path: Path, has_place: bool, image: Raster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decodes(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("scinet.evaluation.mask.read_mask_values", decodes)
    bands = 3 if has_place else 2
    profile = {"height": 9900, "width": 9900, "count": bands, "dtype": "float64", "tiled": True, "sparse_ok": True}
    place = {"crs": UTM, "transform": PLACE} if has_place else {}
    with rasterio.open(tmp_path / "mask.tif", "w", driver="GTiff", **profile, **place):
        pass
    with pytest.raises(TruthError, match="2,352 MB" if has_place else "9900 x 9900 px, the image 80 x 60 px"):
        read_mask(tmp_path / "mask.tif", image)
    assert (tmp_path / "mask.tif").stat().st_size < 1e6


@pytest.mark.parametrize(
    ("dtype", "ignore"), [("uint8", 255), ("uint8", 254), ("int16", -1), ("uint16", 65535), ("uint16", 255)]
)
def test_an_extreme_value_among_class_ids_is_not_judged(
    tmp_path: Path, dtype: str, ignore: int, image: Raster, building: NDArray[np.bool_]
) -> None:
    ids = building.astype(dtype)
    ids[:, 60:] = ignore
    truth = read_mask(tif(tmp_path / "ids.tif", ids), image)
    assert truth.judged is not None
    assert (truth.judged == (ids != ignore)).all()
    assert (truth.buildings == (ids == 1)).all()
    assert f"value {ignore} in ids.tif" in truth.notes[0] and "--ignore-value none" in truth.notes[0]


def test_ignored_pixels_change_no_score(image: Raster, building: NDArray[np.bool_]) -> None:
    ids = building.astype(np.uint8)
    ids[:, 60:] = 255
    probability = np.zeros(SHAPE, np.float32)
    probability[10:30, 12:32] = 1
    probability[:, 62:] = 1  # where nobody judged
    diagnosis = evaluate(probability, image, read_mask(png(ids), image)).diagnosis
    assert diagnosis is not None
    assert (diagnosis.counts.tp, diagnosis.counts.fp, diagnosis.counts.fn) == (360, 40, 40 + 100)


def test_the_reader_can_say_what_values_mean(image: Raster, building: NDArray[np.bool_]) -> None:
    ids = building.astype(np.uint8)
    ids[:, 60:] = 255
    ground = read_mask(png(ids), image, choice=MaskChoice(ignore="none", building=("1",)))
    assert ground.judged is None and (ground.buildings == (ids == 1)).all()
    last = read_mask(png(ids), image, choice=MaskChoice(building=("255",)))
    assert last.judged is None and (last.buildings == (ids == 255)).all()
    both = read_mask(png(ids), image, choice=MaskChoice(building=("1", "255")))
    assert (both.buildings == (ids > 0)).all()
    assert ground.notes == last.notes == both.notes == ()
    for choice, reason in (
        (MaskChoice(building=("7",)), "holds no value 7, only 0, 1. Correct --building-value"),
        (MaskChoice(ignore="9"), "holds no value 9, only 0, 1, 255. Correct --ignore-value"),
    ):
        with pytest.raises(TruthError, match=reason):
            read_mask(png(ids), image, choice=choice)
    with pytest.raises(TruthError, match="is not a value of a mask"):
        MaskChoice(building=("house",))


def test_void_in_a_palette_of_classes_is_not_judged(image: Raster, building: NDArray[np.bool_]) -> None:
    ids = building.astype(np.uint8)
    ids[9:31, 9] = 255
    colours = [0] * 768
    colours[3:6], colours[765:768] = [128, 0, 0], [224, 224, 192]
    truth = read_mask(png(ids, colours), image)
    assert (truth.buildings == building).all() and truth.judged is not None
    assert (~truth.judged).sum() == 22


def test_grey_between_black_and_white_is_not_judged(image: Raster, building: NDArray[np.bool_]) -> None:
    trimap = building.astype(np.uint8) * 255
    trimap[:, 60:] = 128
    truth = read_mask(png(trimap), image)
    assert truth.judged is not None and not truth.judged[:, 60:].any()
    assert (truth.buildings == (building & truth.judged)).all()


def test_several_classes_count_as_building_and_are_named(image: Raster, building: NDArray[np.bool_]) -> None:
    ids = building.astype(np.uint8)
    ids[:5] = 2
    ids[-5:] = 3
    fused = read_mask(png(ids), image)
    assert (fused.buildings == (ids > 0)).all()
    assert "classes 0, 1, 2, 3" in fused.notes[0] and "--building-value 1" in fused.notes[0]
    assert (read_mask(png(ids), image, choice=MaskChoice(building=("1",))).buildings == building).all()


def test_colours_are_never_guessed_from_several(image: Raster, building: NDArray[np.bool_]) -> None:
    isprs = np.full((*SHAPE, 3), 255, np.uint8)
    isprs[:5] = 0, 255, 255
    isprs[building] = 0, 0, 255
    for content in (png(isprs), png(isprs // 255 * 200)):
        with pytest.raises(TruthError, match=r"coded by colour: #\w{6} \(79%\), .*--building-value"):
            read_mask(content, image)
    for text in ("#0000ff", "0000FF"):
        assert (read_mask(png(isprs), image, choice=MaskChoice(building=(text,))).buildings == building).all()
    with pytest.raises(TruthError, match="holds no colour #123456"):
        read_mask(png(isprs), image, choice=MaskChoice(building=("#123456",)))
    two = np.full((*SHAPE, 3), (255, 0, 0), np.uint8)
    two[building] = 0, 255, 0
    with pytest.raises(TruthError, match="coded by colour"):
        read_mask(png(two), image)


@pytest.mark.parametrize(("ground", "noted"), [((255, 255, 255), True), ((0, 0, 0), False)])
def test_one_colour_on_white_or_black_is_building(
    ground: tuple[int, int, int], noted: bool, image: Raster, building: NDArray[np.bool_]
) -> None:
    colours = np.full((*SHAPE, 3), ground, np.uint8)
    colours[building] = 255, 0, 0
    truth = read_mask(png(colours), image)
    assert (truth.buildings == building).all()
    assert bool(truth.notes) == noted


def test_colours_survive_lossy_compression(image: Raster, building: NDArray[np.bool_]) -> None:
    colours = np.zeros((*SHAPE, 3), np.uint8)
    colours[building] = 255, 0, 0
    file = BytesIO()
    Image.fromarray(colours).save(file, "JPEG", quality=90, subsampling=0)
    truth = read_mask(file.getvalue(), image)
    assert (truth.buildings == building).mean() > 0.98


@pytest.mark.parametrize("gap", ["extent", "nodata"])
def test_ground_that_a_mask_does_not_cover_is_not_judged(
    tmp_path: Path, gap: str, image: Raster, building: NDArray[np.bool_]
) -> None:
    values = building.astype(np.uint8)
    if gap == "extent":
        path = tif(tmp_path / "left.tif", values[:, :40])
    else:
        values[:, 40:] = 255
        path = tif(tmp_path / "left.tif", values, nodata=255)
    truth = read_mask(path, image)
    assert truth.judged is not None
    assert truth.judged[:, :40].all() and not truth.judged[:, 40:].any()
    assert truth.notes == ("The reference covers 50 % of the image; the rest is not scored.",)


def test_nodata_is_the_ground_of_a_mask_that_holds_buildings_alone(
    tmp_path: Path, image: Raster, building: NDArray[np.bool_]
) -> None:
    truth = read_mask(tif(tmp_path / "houses.tif", building.astype(np.uint8), nodata=0), image)
    assert truth.judged is None and (truth.buildings == building).all()
    assert truth.notes == ("houses.tif marks buildings alone, so its nodata counts as ground.",)


def test_a_mask_without_a_judged_pixel_is_refused(tmp_path: Path, image: Raster) -> None:
    path = tif(tmp_path / "void.tif", np.full(SHAPE, 255, np.uint8), nodata=255)
    with pytest.raises(TruthError, match="judges none of the image"):
        read_mask(path, image)


def test_a_mask_without_a_crs_is_laid_on_the_image(tmp_path: Path, image: Raster, building: NDArray[np.bool_]) -> None:
    path = tmp_path / "left.tif"
    form = {"height": 60, "width": 40, "count": 1, "dtype": "uint8", "transform": PLACE}
    with rasterio.open(path, "w", driver="GTiff", **form) as file:
        file.write(building[:, :40].astype(np.uint8), 1)
    truth = read_mask(path, image)
    assert (truth.buildings[:, :40] == building[:, :40]).all()
    assert truth.notes[0] == "left.tif names no CRS; the image's is assumed."


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (0.5, 0.5, "lies +0.5 columns (+5 cm) and +0.5 rows (+5 cm) off the image's pixels"),
        (1, 0, "lies +1 columns (+10 cm) and +0 rows"),
        (-1, -1, "lies -1 columns (-10 cm) and -1 rows"),
        (10.5, 0, "lies +0.5 columns (+5 cm) and +0 rows"),
        (0, 0, None),
        (10, 0, None),
    ],
)
def test_a_mask_off_the_grid_is_reported(
    tmp_path: Path, image: Raster, building: NDArray[np.bool_], columns: float, rows: float, said: str | None
) -> None:
    path = tif(tmp_path / "a.tif", building.astype(np.uint8), PLACE @ Affine.translation(columns, rows))
    notes = [note for note in read_mask(path, image).notes if "off the image's pixels" in note]
    assert len(notes) == (said is not None)
    if said is not None:
        assert said in notes[0].replace("4.99 cm", "5 cm").replace("9.99 cm", "10 cm").replace("-0 rows", "+0 rows")
