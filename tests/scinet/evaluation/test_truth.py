import io
import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from shapely import box

from scinet.errors import TruthError
from scinet.evaluation.truth import read_truth, truth_labels
from scinet.raster.components import label
from scinet.raster.geotiff import write_mask
from scinet.raster.raster import Raster
from scinet.raster.resample import resample, resample_mask
from scinet.vector.footprints import Footprints
from tests.png import png

UTM = CRS.from_epsg(32630)
SHAPE = 60, 80


@pytest.fixture
def image() -> Raster:
    pixels = np.full((*SHAPE, 3), 100, np.uint8)
    return Raster(pixels, np.ones(SHAPE, bool), Affine(0.1, 0, 810_000, 0, -0.1, 620_000), UTM)


@pytest.fixture
def mask() -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 10:40] = mask[40:50, 50:70] = True
    return mask


@pytest.fixture
def geojson() -> bytes:
    """The mask's two buildings, the first one in two halves that touch."""
    metres = [(1, 1, 2, 3), (2, 1, 4, 3), (5, 4, 7, 5)]
    houses = [box(810_000 + x0, 620_000 - y1, 810_000 + x1, 620_000 - y0) for x0, y0, x1, y1 in metres]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32630"}}
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(h)} for h in houses]
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}).encode()


@pytest.mark.parametrize("kind", ["bytes", "path", "text path", "open file"])
@pytest.mark.parametrize("vector", [False, True])
def test_the_content_tells_a_mask_from_footprints(
    kind: str, vector: bool, tmp_path: Path, image: Raster, mask: NDArray[np.bool_], geojson: bytes
) -> None:
    content = geojson if vector else png(mask)
    path = tmp_path / "truth.dat"
    path.write_bytes(content)
    source = {"bytes": content, "path": path, "text path": str(path), "open file": io.BytesIO(content)}[kind]
    truth = read_truth(source, image, "truth.dat")
    assert isinstance(truth.buildings, Footprints) == vector
    labels = truth_labels(truth, image)
    assert labels.dtype == np.int32
    assert ((labels > 0) == mask).all()
    assert labels.max() == (3 if vector else 2)  # only footprints part buildings that touch


@pytest.mark.parametrize("cm_per_px", [5, 10, 20, 33])
def test_labels_on_any_grid_of_the_same_extent(
    cm_per_px: float, image: Raster, mask: NDArray[np.bool_], geojson: bytes
) -> None:
    working = resample(image, cm_per_px)
    for content, buildings in ((geojson, 3), (png(mask), 2)):
        labels = truth_labels(read_truth(content, image, "truth"), working)
        assert labels.shape == working.shape
        assert labels.max() == buildings
        assert (labels > 0).mean() == pytest.approx(mask.mean(), abs=0.03)


def test_the_mask_that_we_write_is_a_truth(tmp_path: Path, image: Raster, mask: NDArray[np.bool_]) -> None:
    written = mask.astype(np.uint8)
    written[:5] = 255
    write_mask(tmp_path / "out.tif", written, image)
    truth = read_truth(tmp_path / "out.tif", image, "out.tif")
    assert isinstance(truth.buildings, np.ndarray) and truth.judged is not None
    assert (truth.buildings == mask).all()
    assert not truth.judged[:5].any() and truth.judged[5:].all()
    assert truth.notes == ("The reference covers 92 % of the image; the rest is not scored.",)


def test_diagonal_neighbours_are_two_buildings(image: Raster) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:20, 10:20] = mask[20:30, 20:30] = True
    assert truth_labels(mask, image).max() == 2


def test_what_does_not_belong_is_named(tmp_path: Path, image: Raster, mask: NDArray[np.bool_], geojson: bytes) -> None:
    far = Raster(image.pixels, image.valid, image.transform @ Affine.translation(1e5, 0), UTM)
    plane = Raster(image.pixels, image.valid, Affine(0.1, 0, 0, 0, -0.1, 0), None)
    write_mask(tmp_path / "far.tif", mask.astype(np.uint8), far)
    for source, like, reason in (
        (png(mask[:-1]), image, "80 x 59 px"),
        (tmp_path / "far.tif", image, "elsewhere on the earth"),
        (geojson, far, "elsewhere on the earth"),
        (geojson, plane, "the image has none"),
        (b"", image, "empty"),
        (b"a text", image, "neither a mask image nor a vector file"),
        (geojson[:-9], image, "damaged, or is JSON but not GeoJSON"),
        (tmp_path / "nowhere.png", image, "cannot be opened"),
        (tmp_path, image, "cannot be opened"),
    ):
        with pytest.raises(TruthError, match=reason) as caught:
            read_truth(source, like, "my truth.png")
        assert len(str(caught.value)) < 200
        assert "The file" not in str(caught.value)


def test_buildings_stay_apart_where_a_coarse_grid_fuses_their_masks():
    pixels = np.zeros((64, 64, 3), np.uint8)
    fine = Raster(pixels, np.ones((64, 64), bool), Affine(0.1, 0, 0, 0, -0.1, 0), None)
    mask = np.zeros((64, 64), bool)
    mask[10:30, 4:31] = mask[10:30, 33:60] = True  # two houses, 20 cm apart
    coarse = resample(fine, 80)
    assert label(resample_mask(mask, coarse.shape)).max() == 1
    assert set(np.unique(truth_labels(mask, coarse))) == {0, 1, 2}
