"""Generated scenes in the published format of the Open Cities AI Challenge, with known answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import Affine

from scinet.synthetic.town import make_town
from scinet.vector.footprints import LONLAT, reproject

PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)  # in UTM 30N, in Accra
UTM = rasterio.CRS.from_epsg(32630)


def publish(
    folder: Path,
    city_code: str,
    name: str,
    rgba: NDArray[np.uint8],
    polygons: Sequence[Any],
    place: Affine = PLACE,
    crs: rasterio.CRS = UTM,
    crs_member: str = "urn:ogc:def:crs:OGC:1.3:CRS84",
) -> Path:
    """Write a scene and its labels.

    Args:
        folder: Root of the published layout.
        city_code: The city's folder.
        name: The scene's id.
        rgba: uint8 (H, W, 4), written as a JPEG-compressed COG with lossy alpha, 512 px blocks and overviews.
        polygons: Buildings in pixel coordinates, written in longitude and latitude.
        place: The transform from pixels to `crs`.
        crs: The image's CRS.
        crs_member: What the labels claim their CRS to be.

    Returns:
        The path of the GeoTIFF.
    """
    path = folder / "train_tier_1" / city_code / name / f"{name}.tif"
    path.parent.mkdir(parents=True)
    height, width, _ = rgba.shape
    profile = {"width": width, "height": height, "count": 4, "dtype": "uint8", "crs": crs, "transform": place}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", tiled=True, **profile) as dataset:
            colours = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha
            dataset.colorinterp = colours
            dataset.write(np.moveaxis(rgba, -1, 0))
            dataset.build_overviews([2, 4, 8], Resampling.average)
        # The COG driver would turn the alpha band into a mask
        copy(
            memory.name,
            path,
            driver="GTiff",
            copy_src_overviews=True,
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="jpeg",
            jpeg_quality=90,
        )
    in_crs = shapely.transform(np.array(polygons, dtype=object), lambda xy: np.array([place @ point for point in xy]))
    write_labels(path, reproject(in_crs, crs, LONLAT), crs_member)
    return path


def write_labels(image: Path, geometries: Sequence[Any], crs_member: str = "urn:ogc:def:crs:OGC:1.3:CRS84") -> Path:
    """Write the GeoJSON of a scene's image; None becomes a feature without geometry."""
    path = image.parent.with_name(f"{image.stem}-labels") / f"{image.stem}.geojson"
    path.parent.mkdir(exist_ok=True)
    features = [
        {
            "type": "Feature",
            "properties": {"building": "yes", "scene_id": image.stem},
            "geometry": None if geometry is None else shapely.geometry.mapping(geometry),
        }
        for geometry in geometries
    ]
    crs = {"type": "name", "properties": {"name": crs_member}}
    path.write_text(json.dumps({"type": "FeatureCollection", "name": image.stem, "crs": crs, "features": features}))
    return path


def town_scene(seed: int, size_m: float = 102.4, cm_per_px: float = 10.0) -> tuple[NDArray[np.uint8], list[Any]]:
    """A generated town as RGBA (H, W, 4) without nodata, and its footprints in pixel coordinates."""
    town = make_town(seed, size_m)
    raster = town.render(cm_per_px)
    rgba = np.dstack([raster.pixels, np.full(raster.shape, 255, np.uint8)])
    to_px = ~raster.transform
    polygons = shapely.transform(
        np.array(town.footprints.polygons, dtype=object), lambda xy: np.array([to_px @ point for point in xy])
    )
    return rgba, list(polygons)
