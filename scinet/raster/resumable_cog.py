"""A raster of any size, written piece by piece and joined into a Cloud Optimized GeoTIFF (COG) at the end.

A piece is a stripe of rows in a small GeoTIFF, which is there complete or not at all. So work that was stopped
or killed resumes after the last piece.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from scinet.atomic_write import atomic_write, sync, write_errors, write_text
from scinet.errors import WriteError
from scinet.raster.geotiff import (
    COG_BLOCK_PX,
    GDAL_WRITE_OPTIONS,
    BandFormat,
    check_complete,
    cog_options,
    gdal_errors_as_os_errors,
)
from scinet.raster.grid import Grid
from scinet.raster.png_mask import mask_to_png, world_file

_SETTINGS = "settings.json"
_OWN = re.compile(r"settings\.json|whole\.vrt|joined\.tif.*|\.?[a-z_]+-\d{8}\..*|\.settings\..*\.json")
# Once the scene has been read: until then, its reader sets the size of the cache.
_SMALL_CACHE = {**GDAL_WRITE_OPTIONS, "GDAL_CACHEMAX": 32_000_000}
_TYPES = {"uint8": "Byte", "float32": "Float32"}


def pieces_folder(result: Path) -> Path:
    """Where the pieces of a result are."""
    return result.with_name(f"{result.name}.part")


def discard_pieces(result: Path) -> None:
    """Remove the pieces of a result. Raises WriteError where their folder holds anything else."""
    folder = pieces_folder(result)
    if folder.exists() and not all(_OWN.fullmatch(path.name) for path in folder.iterdir()):
        raise WriteError(f"{folder} is in the way and was not made by this program. Move it elsewhere.")
    shutil.rmtree(folder, ignore_errors=True)


class ResumableCog:
    """The pieces of one result, in the folder `<result>.part`, which `discard` removes.

    Attributes:
        result: The file that `join` writes.
        grid: Of the whole result.
        folder: Where the pieces are.
    """

    def __init__(self, result: Path, grid: Grid, settings: dict[str, Any], resume: bool, start: int = 0) -> None:
        """Begin at row `start`, or with `resume` after the last of the pieces that are there from that row on.

        Args:
            result: The file that `join` writes.
            grid: Of the whole result.
            settings: What the pieces depend on, as JSON values; pieces of other settings are not reused.
            resume: Whether to use the pieces that are there.
            start: The first row of this process, where several processes share the rows.

        Raises:
            WriteError: The pieces that are there have other settings, or nothing can be written.
        """
        self.result, self.grid, self._start = result, grid, start
        self.folder = pieces_folder(result)
        if not result.parent.is_dir():
            raise WriteError(f"{result} cannot be written: its folder does not exist.")
        if result.is_dir():
            raise WriteError(f"{result} cannot be written: there is a folder of that name.")
        found = self._found()
        if found is not None and resume:
            other = [name for name in settings if found.get(name) != settings[name]]
            if other:
                raise WriteError(
                    f"{result} was started with another {other[0]} ({found.get(other[0])}, now {settings[other[0]]}). "
                    "Give that one, or leave out --resume to start over."
                )
            self._drop_damaged()
            return
        with write_errors(result):
            self.discard()
            self.folder.mkdir()
            write_text(self.folder / _SETTINGS, json.dumps(settings, indent=1))

    @property
    def rows_done(self) -> int:
        """The row down to which nothing need be computed again, from this process's first row on."""
        return max((bottom for _, bottom in self._spans(self._start)), default=self._start)

    def add(self, top: int, layers: dict[str, NDArray[Any]]) -> None:
        """Write the rows from `top` on, of each layer (H, W), uint8 or float32; "mask" makes the piece count."""
        for name in sorted(layers, key=lambda name: name == "mask"):  # the mask last
            self._write(self._path(name, top), layers[name])

    def read(self, layer: str) -> Iterator[tuple[int, NDArray[Any]]]:
        """All pieces of a layer: the top row, and the values (H, W)."""
        with write_errors(self.result), gdal_errors_as_os_errors():
            for top, _ in self._spans():
                with rasterio.Env(**_SMALL_CACHE), rasterio.open(self._path(layer, top)) as dataset:
                    values = dataset.read(1)
                yield top, values  # outside of the Env, so that two layers can be read side by side

    def join(self, layer: str, form: BandFormat, note: str = "") -> None:
        """Make the pieces of a layer the result: a COG as `write_mask` writes, or a PNG with a world file."""
        whole = self.folder / "whole.vrt"
        joined = self.folder / "joined.tif"  # where `discard` finds it, should the program be killed
        with write_errors(self.result), gdal_errors_as_os_errors(), rasterio.Env(**_SMALL_CACHE):
            whole.write_text(self._vrt(layer, form, f"{form.description} {note}".rstrip()))
            rasterio.shutil.copy(whole, joined, **cog_options(form))
            check_complete(joined)
            if self.result.suffix.lower() == ".png":
                mask_to_png(joined, self.folder / "joined.tif.png")
                write_text(self.result.with_suffix(".pgw"), world_file(self.grid.transform))
                joined = self.folder / "joined.tif.png"
                sync(joined)
            joined.replace(self.result)
            sync(self.result.parent)

    def discard(self) -> None:
        """Remove the pieces; see `discard_pieces`."""
        discard_pieces(self.result)

    def _drop_damaged(self) -> None:
        """Remove the first piece that cannot be read, as after a power cut: it and those below it are made again."""
        top = self._start
        while (mask := self._path("mask", top)).exists():
            try:
                with rasterio.Env(**GDAL_WRITE_OPTIONS):
                    for layer in self.folder.glob(f"*-{top:08d}.tif"):
                        check_complete(layer)
                    with rasterio.open(mask) as dataset:
                        top += dataset.height
            except (RasterioError, CPLE_BaseError, OSError):
                with write_errors(self.result):
                    mask.unlink(missing_ok=True)  # another process may have seen it too

    def _found(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.folder / _SETTINGS).read_text()))
        except (OSError, ValueError):
            return None

    def _spans(self, top: int = 0) -> Iterator[tuple[int, int]]:
        """The first row and the one after the last of each piece, without a gap from row `top` on."""
        while (path := self._path("mask", top)).exists():
            with rasterio.Env(**GDAL_WRITE_OPTIONS), rasterio.open(path) as dataset:
                bottom = top + dataset.height
            yield top, bottom
            top = bottom

    def _path(self, layer: str, top: int) -> Path:
        return self.folder / f"{layer}-{top:08d}.tif"

    def _write(self, path: Path, values: NDArray[Any]) -> None:
        height, width = values.shape
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "height": height,
            "width": width,
            "count": 1,
            "dtype": values.dtype.name,
            "compress": "deflate",
            "zlevel": 1,
            "tiled": True,
            "blockxsize": COG_BLOCK_PX,
            "blockysize": 128,
            "crs": self.grid.crs,
            "transform": self.grid.transform,
        }
        with atomic_write(path) as temporary, gdal_errors_as_os_errors(), rasterio.Env(**GDAL_WRITE_OPTIONS):
            with rasterio.open(temporary, "w", **profile) as dataset:
                dataset.write(values, 1)
            check_complete(temporary)

    def _vrt(self, layer: str, form: BandFormat, description: str) -> str:
        """GDAL's own format for a mosaic: the pieces below one another."""
        sources = []
        for top, bottom in self._spans():
            size = f'xSize="{self.grid.width}" ySize="{bottom - top}"'
            sources.append(
                f'<SimpleSource><SourceFilename relativeToVRT="1">{self._path(layer, top).name}</SourceFilename>'
                f'<SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" {size}/>'
                f'<DstRect xOff="0" yOff="{top}" {size}/></SimpleSource>'
            )
        srs = f"<SRS>{escape(self.grid.crs.to_wkt())}</SRS>" if self.grid.crs else ""
        place = ", ".join(repr(value) for value in self.grid.transform.to_gdal())
        text = f'<MDI key="TIFFTAG_IMAGEDESCRIPTION">{escape(description)}</MDI>'
        scaled = f"<Scale>{form.scale!r}</Scale>" if form.scale != 1.0 else ""
        return (
            f'<VRTDataset rasterXSize="{self.grid.width}" rasterYSize="{self.grid.height}">{srs}'
            f"<GeoTransform>{place}</GeoTransform><Metadata>{text}</Metadata>"
            f'<VRTRasterBand dataType="{_TYPES[form.dtype]}" band="1"><NoDataValue>{form.nodata}</NoDataValue>{scaled}'
            f"<ColorInterp>Gray</ColorInterp>{''.join(sources)}</VRTRasterBand></VRTDataset>"
        )
