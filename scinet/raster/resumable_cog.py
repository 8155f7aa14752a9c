"""A raster of any size, written piece by piece and joined into a Cloud Optimized GeoTIFF (COG) at the end.

A piece is a stripe of rows as a small GeoTIFF of its own, there as a whole or not at all. So work that was
stopped, killed or struck by a power cut goes on after the last piece.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import rasterio
import rasterio.shutil
from numpy.typing import NDArray

from scinet.atomic_write import writing
from scinet.errors import WriteError
from scinet.raster.grid import Grid

COG_BLOCK_PX = 512
_SETTINGS = "settings.json"
_GDAL = {"GDAL_PAM_ENABLED": False}
# Once the scene has been read: before that, its reader says how many bytes of blocks are kept.
_SMALL_CACHE = {**_GDAL, "GDAL_CACHEMAX": 32_000_000}
_TYPES = {"uint8": "Byte", "float32": "Float32"}


class ResumableCog:
    """The pieces of one result, in a folder beside it that `discard` takes away.

    grid      of the whole result
    settings  what the pieces depend on: pieces of other settings are not gone on with
    """

    def __init__(self, result: Path, grid: Grid, settings: dict[str, Any], resume: bool) -> None:
        """Begin anew, or with `resume` after the last piece that is there.

        Raises WriteError where the pieces that are there are of other settings, or nothing can be written.
        """
        self.result, self.grid = result, grid
        self.folder = result.with_name(f"{result.name}.part")
        if not result.parent.is_dir():
            raise WriteError(f"{result} cannot be written: its folder does not exist.")
        if result.is_dir():
            raise WriteError(f"{result} cannot be written: there is a folder of that name.")
        found = self._found()
        if found is not None and resume:
            other = [name for name in settings if found.get(name) != settings[name]]
            if other:
                raise WriteError(
                    f"{result} was begun with another {other[0]} ({found.get(other[0])}, now {settings[other[0]]}). "
                    "Give that one, or leave out --resume to begin anew."
                )
            return
        with writing(result):
            self.discard()
            self.folder.mkdir()
            (self.folder / _SETTINGS).write_text(json.dumps(settings, indent=1))

    @property
    def rows_done(self) -> int:
        """Rows that need not be computed again."""
        return max((bottom for _, bottom in self._spans()), default=0)

    def add(self, top: int, layers: dict[str, NDArray[Any]]) -> None:
        """Write the rows from `top` on, of each layer (H, W), uint8 or float32; "mask" makes the piece count."""
        with writing(self.result):
            for name in sorted(layers, key=lambda name: name == "mask"):  # the mask last
                self._write(self._path(name, top), layers[name])

    def read(self, layer: str) -> Iterator[tuple[int, NDArray[Any]]]:
        """All pieces of a layer: the top row, and the values (H, W)."""
        with writing(self.result):
            for top, _ in self._spans():
                with rasterio.Env(**_SMALL_CACHE), rasterio.open(self._path(layer, top)) as dataset:
                    yield top, dataset.read(1)

    def join(self, layer: str, nodata: float, *, scale: float = 1.0, description: str = "") -> None:
        """Make the pieces of a layer the result: a COG with overviews, which appears when it is complete."""
        joined = self.folder / "joined.tif"
        whole = self.folder / "whole.vrt"
        first = self._path(layer, 0)
        averaged = layer != "mask"
        with writing(self.result), rasterio.Env(**_SMALL_CACHE):
            with rasterio.open(first) as dataset:
                dtype = dataset.dtypes[0]
            whole.write_text(self._vrt(layer, _TYPES[dtype], nodata, scale, description))
            predictor = {"uint8": "STANDARD", "float32": "FLOATING_POINT"}[dtype] if averaged else "NO"
            rasterio.shutil.copy(
                whole,
                joined,
                driver="COG",
                blocksize=COG_BLOCK_PX,
                compress="DEFLATE",
                predictor=predictor,
                overview_resampling="AVERAGE" if averaged else "MODE",
                bigtiff="IF_SAFER",
                num_threads=2,
            )
            joined.replace(self.result)

    def discard(self) -> None:
        """Take the pieces away, but no folder that holds anything else."""
        if self.folder.exists() and self._found() is None:
            raise WriteError(f"{self.folder} is in the way, and not of this program. Move it elsewhere.")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.folder / _SETTINGS).read_text()))
        except (OSError, ValueError):
            return None

    def _spans(self) -> Iterator[tuple[int, int]]:
        """The first row and the one after the last of each piece, without a gap from the first piece on."""
        top = 0
        while (path := self._path("mask", top)).exists():
            with rasterio.Env(**_GDAL), rasterio.open(path) as dataset:
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
        part = path.with_suffix(".part")
        with rasterio.Env(**_GDAL), rasterio.open(part, "w", **profile) as dataset:
            dataset.write(values, 1)
        part.replace(path)

    def _vrt(self, layer: str, dtype: str, nodata: float, scale: float, description: str) -> str:
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
        text = f'<MDI key="TIFFTAG_IMAGEDESCRIPTION">{escape(description)}</MDI>' if description else ""
        scaled = f"<Scale>{scale!r}</Scale>" if scale != 1.0 else ""
        return (
            f'<VRTDataset rasterXSize="{self.grid.width}" rasterYSize="{self.grid.height}">{srs}'
            f"<GeoTransform>{place}</GeoTransform><Metadata>{text}</Metadata>"
            f'<VRTRasterBand dataType="{dtype}" band="1"><NoDataValue>{nodata}</NoDataValue>{scaled}'
            f"<ColorInterp>Gray</ColorInterp>{''.join(sources)}</VRTRasterBand></VRTDataset>"
        )
