"""Images that are written, as other programs and as we read them."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from scinet.raster.geotiff import write_raster
from scinet.raster.scene import read_raster
from scinet.synthetic.town import make_town


def test_what_is_not_image_is_transparent_and_marked_as_such(tmp_path: Path) -> None:
    image = make_town(seed=3, size_m=30).render(cm_per_px=50)
    image.valid[:7] = False
    write_raster(tmp_path / "town.tif", image)
    with rasterio.open(tmp_path / "town.tif") as dataset:
        assert dataset.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, image.valid)
    again = read_raster(tmp_path / "town.tif", cm_per_px=50)
    np.testing.assert_array_equal(again.valid, image.valid)
    np.testing.assert_array_equal(again.pixels[again.valid], image.pixels[image.valid])
    assert not again.notes
