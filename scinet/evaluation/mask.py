"""Reference masks from image files, on the grid of the image that they belong to."""

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.warp import reproject

from scinet.errors import RasterError, TruthError
from scinet.evaluation.mask_values import BUILDING, GROUND, NODATA, MaskChoice, classify
from scinet.evaluation.reference import Truth
from scinet.raster.bands import read_mask_values
from scinet.raster.open import MAX_PIXELS, Source, open_raster, place, source_name
from scinet.raster.raster import Raster

_MIN_COVERED_FRACTION = 0.01
_NEARLY_ALL = 0.995
_PIXEL_TOLERANCE = 1e-6  # relative to the units of the CRS
_ON_THE_GRID_PX = 0.05
_NEAR_PX = 1.6  # a shift of more is another extent
_NOT_AN_IMAGE = "cannot be read as an image. Give a GeoTIFF, PNG, JPEG, WebP or JPEG 2000."
_NEITHER = (
    "is neither a mask image nor a vector file that can be read. Give a GeoTIFF or PNG mask, or polygons as GeoJSON, "
    "GeoPackage, a zipped Shapefile or another format listed in docs/files.md."
)


def read_mask(
    source: Source,
    like: Raster,
    *,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
    choice: MaskChoice | None = None,
) -> Truth:
    """Read a reference mask on the grid of an image.

    A mask with a georeference is warped to the grid (nearest neighbour); one without, or for an image without, must
    have the image's size and counts pixel for pixel. Of two values the larger is building; of more, any in an image of
    ids, and the bright half in a grey or lossily compressed one. 255 among class ids is not judged, and neither is
    nodata or what the mask does not reach. Where nothing is ground but nodata, as in masks that hold buildings alone,
    nodata is the ground.

    Args:
        source: Path, bytes or open binary file.
        like: The image.
        name: What to call the source in a message; by default the file's name.
        max_pixels: The most pixels that it may have.
        choice: Which values are building or ignored; by default the likeliest.

    Returns:
        The buildings as a mask on the grid of `like`, which part of it is judged, and notes on what was chosen.

    Raises:
        TruthError: The file cannot be read, has another size, lies elsewhere, or judges none of the image.
    """
    name = name or source_name(source)
    try:
        with open_raster(source, name, max_pixels=max_pixels) as dataset:
            transform, crs = place(dataset)
            has_place = like.crs is not None and (crs is not None or transform != Affine.identity())
            if not has_place and dataset.shape != like.shape:  # before it is decoded: a small file can claim any size
                raise TruthError(
                    f"{name} is {dataset.width} x {dataset.height} px, the image {like.width} x {like.height} px. "
                    "Give a mask of the same size, or a georeferenced one for a georeferenced image."
                )
            values, valid = read_mask_values(dataset)
            nodata = dataset.nodata
    except RasterError as error:
        raise TruthError(str(error).replace(_NOT_AN_IMAGE, _NEITHER)) from None
    kinds, notes = classify(values, valid, name, choice or MaskChoice())
    if nodata in (None, 0) and not (kinds == GROUND).any() and not valid.all():
        kinds[kinds == NODATA] = GROUND
        notes = (*notes, f"{name} marks buildings alone, so its nodata counts as ground.")
    if crs is None and like.crs is not None and kinds.shape != like.shape and transform != Affine.identity():
        crs = like.crs
        notes = (*notes, f"{name} names no CRS; the image's is assumed.")
    if crs is not None and like.crs is not None:
        notes = (*notes, *_offset(transform, crs, like, name))
        kinds = _on_grid(kinds, transform, crs, like, name)
    judged = (kinds == GROUND) | (kinds == BUILDING)
    if not (judged & like.valid).any():
        raise TruthError(f"{name} judges none of the image: all of it is nodata or ignored. Give a mask of its place.")
    return Truth(kinds == BUILDING, None if judged.all() else judged, (*notes, *_coverage(kinds, like)))


def _coverage(kinds: NDArray[np.uint8], like: Raster) -> tuple[str, ...]:
    """A note where the mask leaves a part of the image open."""
    covered = (kinds != 0) & (kinds != NODATA)
    share = float(covered[like.valid].mean())
    if share >= _NEARLY_ALL:
        return ()
    per_cent = f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
    return (f"The reference covers {per_cent} of the image; the rest is not scored.",)


def _offset(transform: Affine, crs: CRS, like: Raster, name: str) -> tuple[str, ...]:
    """A note where a mask has the image's pixels but lies off them: by half of one, as corners taken for centres do."""
    if crs != like.crs or not (transform.almost_equals(_moved_to(transform, like.transform), _PIXEL_TOLERANCE)):
        return ()
    column, row = ~like.transform @ (transform.c, transform.f)
    off = column - round(column), row - round(row)
    is_near = max(abs(column), abs(row)) < _NEAR_PX
    found = (column, row) if is_near else off
    if max(map(abs, found)) < _ON_THE_GRID_PX:
        return ()
    shift = " and ".join(
        f"{px:+.2g} {side} ({px * like.cm_per_px:+.3g} cm)" for px, side in zip(found, ("columns", "rows"), strict=True)
    )
    return (f"{name} lies {shift} off the image's pixels. If its export moved it, give it the image's georeference.",)


def _moved_to(transform: Affine, place: Affine) -> Affine:
    """The pixels of one transform at the origin of another."""
    return Affine(place.a, place.b, transform.c, place.d, place.e, transform.f)


def _on_grid(kinds: NDArray[np.uint8], transform: Affine, crs: CRS, like: Raster, name: str) -> NDArray[np.uint8]:
    """Warp a mask to `like`'s grid, 0 where it does not reach; TruthError where that is nearly everywhere."""
    warped = np.zeros(like.shape, np.uint8)
    try:
        reproject(
            kinds,
            warped,
            src_transform=transform,
            src_crs=crs,
            dst_transform=like.transform,
            dst_crs=like.crs,
            resampling=Resampling.nearest,
        )
    except (RasterioError, CPLE_BaseError):
        warped[:] = 0
    if (warped > 0).mean() < _MIN_COVERED_FRACTION:
        raise TruthError(f"{name} lies elsewhere on the earth than the image. Give the mask of its place.")
    return warped
