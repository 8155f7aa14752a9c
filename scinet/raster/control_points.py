"""Images that are placed by ground control points."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.transform import Affine, from_gcps
from rasterio.vrt import WarpedVRT

from scinet.raster.resolution import has_place_on_earth

_AGREES_PX = 0.5
_LEAST = 3  # points that determine a transform


def gcp_transform(dataset: DatasetReader) -> tuple[Affine | None, CRS | None]:
    """The transform that an image's ground control points agree with to half a pixel, and its CRS, or None."""
    points, crs = dataset.gcps
    if len(points) < _LEAST or not has_place_on_earth(crs) or dataset.transform != Affine.identity():
        return None, None
    transform = from_gcps(points)
    if transform.determinant == 0:
        return None, None
    back = ~transform
    found = np.array([back @ (point.x, point.y) for point in points])
    given = np.array([(point.col, point.row) for point in points])
    if not np.abs(found - given).max() <= _AGREES_PX:
        return None, None
    return transform, crs


@contextmanager
def warped_by_gcps(dataset: DatasetReader) -> Iterator[DatasetReader]:
    """The dataset, or GDAL's warp of it where its ground control points need more than a transform."""
    points, crs = dataset.gcps
    if (
        len(points) < _LEAST
        or not has_place_on_earth(crs)
        or dataset.transform != Affine.identity()
        or gcp_transform(dataset)[0] is not None
    ):
        yield dataset
        return
    with WarpedVRT(dataset, crs=crs, add_alpha=True, resampling=Resampling.bilinear) as warped:
        yield warped
