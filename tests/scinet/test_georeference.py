"""Unusual georeferences: the map, footprints and windows agree with the pixels."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.evaluation.truth import read_truth, read_window_truth, truth_labels
from scinet.raster.scene import open_scene
from scinet.raster.web_mercator import near_map, to_web_mercator
from scinet.vector.footprint_file import write_footprints

SIDE_PX = 200
UTM = "EPSG:32630"
BOUND = "+proj=utm +zone=30 +ellps=intl +towgs84=-87,-98,-121,0,0,0,0 +units=m +no_defs"
PLACES = {
    "south up": (Affine(0.1, 0, 810_000, 0, 0.1, 620_000), UTM, 9.99),
    "mirrored": (Affine(-0.1, 0, 810_000, 0, -0.1, 620_000), UTM, 9.99),
    "rotated": (Affine.translation(810_000, 620_000) @ Affine.rotation(33) @ Affine.scale(0.1, -0.1), UTM, 9.99),
    "sheared": (Affine.translation(810_000, 620_000) @ Affine.shear(15, 0) @ Affine.scale(0.1, -0.1), UTM, 10.17),
    "not square": (Affine(0.1, 0, 810_000, 0, -0.2, 620_000), UTM, 14.13),
    "feet": (Affine(0.5, 0, 981_000, 0, -0.5, 199_000), "EPSG:2263", 15.24),
    "degrees": (Affine(1e-6, 0, -0.2, 0, -1e-6, 5.6), "EPSG:4326", 11.07),
    "compound CRS": (Affine(0.1, 0, 430_000, 0, -0.1, 5_500_000), "EPSG:25832+7837", 10.0),
    "bound CRS": (Affine(0.1, 0, 810_000, 0, -0.1, 620_000), BOUND, 9.99),
    "at a pole": (Affine(0.1, 0, 1000, 0, -0.1, 1000), "EPSG:3413", 10.31),
    "beyond 86 degrees": (Affine(0.1, 0, 300_000, 0, -0.1, -300_000), "EPSG:3413", 10.3),
    "across 180, UTM": (Affine(0.1, 0, 819_778, 0, -0.1, 8_140_000), "EPSG:32760", 9.99),
    "across 180, degrees": (Affine(1e-6, 0, 179.9999, 0, -1e-6, -17), "EPSG:4326", 10.86),
    "across -180, degrees": (Affine(1e-6, 0, -180.0001, 0, -1e-6, -17), "EPSG:4326", 10.86),
    "degrees up to 360": (Affine(1e-6, 0, 180.5, 0, -1e-6, -17), "EPSG:4326", 10.86),
    "across 180, Pacific Mercator": (Affine(0.1, 0, 3_339_574.7, 0, -0.1, -1_900_000), "EPSG:3832", 9.57),
    "across 180, web Mercator": (Affine(0.1, 0, 20_037_498.34, 0, -0.1, -1_900_000), "EPSG:3857", 9.55),
}


@pytest.mark.parametrize("name", PLACES)
def test_map_footprints_and_windows_agree(name: str, tmp_path: Path) -> None:
    transform, crs, cm_per_px = PLACES[name]
    mask = np.zeros((SIDE_PX, SIDE_PX), bool)
    mask[20:60, 20:140] = mask[100:180, 110:150] = True
    pixels = np.where(mask, 200, 90).astype(np.uint8)
    wkt = CRS.from_wkt(pyproj.CRS(crs).to_wkt())
    form = {"width": SIDE_PX, "height": SIDE_PX, "count": 1, "dtype": "uint8", "transform": transform, "crs": wkt}
    with rasterio.open(tmp_path / "image.tif", "w", driver="GTiff", **form) as file:
        file.write(pixels, 1)
    scene = open_scene(tmp_path / "image.tif")
    raster = scene.read()
    assert scene.cm_per_px == pytest.approx(cm_per_px, rel=2e-3)

    drawn, ((south, west), (north, east)) = to_web_mercator(mask, raster, nearest=True)
    assert 0 < east - west < 2 and 0 < north - south < 0.01
    whole, _ = to_web_mercator(np.ones_like(mask), raster, nearest=True)
    assert drawn.sum() / whole.sum() == pytest.approx(mask.mean(), rel=0.03)
    lonlat = near_map(np.array([west, east]), raster)
    assert lonlat == pytest.approx([west, east])

    for suffix in (".gpkg", ".geojson"):
        path = tmp_path / f"houses{suffix}"
        write_footprints(path, mask, raster)
        assert ((truth_labels(read_truth(path, raster, "houses"), raster) > 0) == mask).mean() > 0.999
        window = scene.window(60, 10, 120, 130)
        labels = truth_labels(read_window_truth(path, window, scene, "houses"), window)
        assert ((labels > 0) == mask[10:140, 60:180]).mean() > 0.999
