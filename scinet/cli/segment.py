"""``scinet segment``: masks, probabilities and footprints of images of any size."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from scinet.cli.bar import Bar, print_notes
from scinet.cli.models import load_models
from scinet.cli.options import (
    IMAGE_HELP,
    PATH,
    SIZE,
    area_option,
    examples,
    image_options,
    mask_options,
    model_option,
    working_option,
)
from scinet.datasets.tiles import Tile, common_stretch, tiles_in
from scinet.errors import SciNetError, WriteError
from scinet.models.checkpoint import Model
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.folder import is_tile_folder
from scinet.raster.scene import Scene, open_scene
from scinet.segmentation.cost import pixels_run
from scinet.segmentation.scene import Output, segment_to_file
from scinet.segmentation.strategies import Strategy
from scinet.vector.area import read_area
from scinet.vector.footprint_file import FootprintFile
from scinet.vector.write import check_suffix
from scinet.web import is_url

HELP = f"""Write the building mask of an image of any size, in bounded memory.

IN is {IMAGE_HELP}; or a folder of images. OUT.tif is a Cloud Optimized GeoTIFF at the working resolution: uint8,
1 = building, 0 = not building, 255 = nodata; OUT.png is white on buildings, with a world file. If IN is a
folder, OUT.tif and the file of --footprints are folders too.
"""
EXAMPLES = examples(
    "scinet segment tile.tif mask.tif --model sci-net",
    "scinet segment https://host/scene.tif mask.tif --model sci-net --cm-per-px 10 --footprints buildings.gpkg",
    "scinet segment scene.tif mask.tif --model sci-net --resume     after Ctrl-C or a power cut",
    "scinet segment tiles/ masks/ --model unet                      every image of a folder",
)


@dataclass(frozen=True)
class Writer:
    """Writes masks and footprints of scenes, all with the same settings."""

    model: Model
    cm_per_px: float | None
    strategy: Strategy
    threshold: float
    output: Output
    min_area_m2: float
    min_hole_m2: float
    simplify_m: float
    square: bool
    resume: bool
    area: Path | None = None

    def write(self, scene: Scene, out: Path, footprints: Path | None) -> None:
        """Write one scene's files and say what they hold. Raises SciNetError."""
        if not is_url(scene.source) and out.exists() and out.samefile(str(scene.source)):
            raise WriteError(f"{out} is the image itself. Give the result another name.")
        print_notes(scene.all_notes)
        file = footprints and FootprintFile(
            footprints, self.min_area_m2, self.min_hole_m2, self.simplify_m, self.square
        )
        begin = time.monotonic()
        with Bar(scene.name) as bar:
            found = segment_to_file(
                scene,
                self.model,
                out,
                cm_per_px=self.cm_per_px,
                strategy=self.strategy,
                threshold=self.threshold,
                output=self.output,
                footprints=file or None,
                area=None if self.area is None else read_area(self.area, scene.grid, self.area.name),
                resume=self.resume,
                progress=bar.show,
            )
        print(
            f"{out}: {found.grid.width} x {found.grid.height} px at {found.grid.cm_per_px:.3g} cm/px, "
            f"{found.building_px / found.valid_px:.1%} building"
        )
        run = pixels_run(found.grid, self.model.card, self.strategy, one_size=self.model.one_size)
        print(
            f"{time.monotonic() - begin:.1f} s, {run / (found.grid.width * found.grid.height):.2f} pixels through the "
            f"network per pixel of the mask ({self.strategy})"
        )
        if footprints is not None:
            print(f"{footprints}: {found.footprints} footprints")


@click.command(help=HELP, epilog=EXAMPLES)
@click.argument("image", metavar="IN")
@click.argument("out", metavar="OUT.tif", type=PATH)
@model_option()
@working_option
@image_options
@mask_options
@click.option(
    "--probability",
    type=click.Choice(["uint8", "float32"]),
    is_flag=False,
    flag_value="uint8",
    help="Write the probability instead of the mask: uint8 in steps of 0.004 (the default), or float32.",
)
@click.option(
    "--footprints",
    type=PATH,
    metavar="FILE",
    help="Write the mask's polygons too, with area_m2 and confidence (mean probability): "
    ".gpkg, .geojson, .fgb, .parquet, .shp, .zip (Shapefile), .pmtiles or .dxf (outlines alone).",
)
@area_option
@click.option("--min-area-m2", type=SIZE, default=0.0, metavar="A", help="Leave out smaller polygons.")
@click.option("--min-hole-m2", type=SIZE, default=0.0, metavar="A", help="Fill smaller holes in polygons.")
@click.option(
    "--simplify-m", type=SIZE, default=0.0, metavar="D", help="Let outlines deviate from pixel edges by up to D m."
)
@click.option("--square", is_flag=True, help="Give polygons straight walls and square corners.")
@click.option("--resume", is_flag=True, help="Continue where the same command was stopped.")
def segment(
    image: str,
    out: Path,
    model: str,
    device: str | None,
    cm_per_px: float | None,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    strategy: Strategy,
    threshold: float,
    probability: Output | None,
    footprints: Path | None,
    area: Path | None,
    min_area_m2: float,
    min_hole_m2: float,
    simplify_m: float,
    square: bool,
    resume: bool,
) -> None:
    """Write the building mask of an image of any size."""
    if footprints is None and (square or min_area_m2 or min_hole_m2 or simplify_m):
        raise SciNetError("--min-area-m2, --min-hole-m2, --simplify-m and --square shape the polygons of --footprints.")
    found = _images(image, native_cm_per_px, image_choice)
    if isinstance(found, Scene):
        if footprints is not None:
            check_suffix(footprints)
    else:
        _check_folders(image, out, footprints)
    (loaded,) = load_models([model], device)
    writer = Writer(
        loaded,
        cm_per_px,
        strategy,
        threshold,
        probability or "mask",
        min_area_m2,
        min_hole_m2,
        simplify_m,
        square,
        resume,
        area,
    )
    try:
        if isinstance(found, Scene):
            writer.write(found, out, footprints)
        else:
            _write_folder(
                writer, found, out, footprints, partial(Tile.open, cm_per_px=native_cm_per_px, choice=image_choice)
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("The same command with --resume continues from here.") from None


def _images(image: str, native_cm_per_px: float | None, choice: ImageChoice) -> list[Tile] | Scene:
    """The tiles of a folder, or the one scene of a path or URL. Raises SciNetError."""
    if not is_url(image) and Path(image).is_dir() and not is_tile_folder(Path(image)):
        return tiles_in(Path(image))
    return open_scene(image, cm_per_px=native_cm_per_px, choice=choice)


def _write_folder(
    writer: Writer, tiles: Sequence[Tile], out: Path, footprints: Path | None, open_tile: Callable[[Tile], Scene]
) -> None:
    """Write each tile's files; one that cannot be segmented does not stop the others."""
    failed = 0
    stretch = _stretch_of(tiles, open_tile)
    for tile in tiles:
        mask = out / f"{tile.name}.tif"
        polygons = footprints / f"{tile.name}.gpkg" if footprints else None
        if writer.resume and mask.exists():
            continue
        try:
            for path in filter(None, (mask, polygons)):
                _make_folder(path.parent)
            writer.write(open_tile(tile).stretched_by(stretch), mask, polygons)
        except SciNetError as error:
            failed += 1
            print(f"scinet: {tile.name}: {error}", file=sys.stderr)
    if failed:
        raise SciNetError(f"{failed} of {len(tiles)} images could not be segmented.")


def _stretch_of(tiles: Sequence[Tile], open_tile: Callable[[Tile], Scene]) -> tuple[float, float] | None:
    """The stretch that all tiles of more than 8 bits share; None where there is none or the user has chosen one."""
    scenes = []
    for tile in tiles:
        with suppress(SciNetError):  # writing it will say what is wrong
            scenes.append(open_tile(tile))
    if not scenes or scenes[0].choice.stretch is not None:
        return None
    with suppress(SciNetError):
        if (stretch := common_stretch(scenes)) is not None:
            print_notes(
                [
                    f"Values of more than 8 bits are stretched from {stretch[0]:.4g}..{stretch[1]:.4g} in all images, "
                    "their 2nd and 98th percentiles. Choose others with --stretch LOW HIGH."
                ]
            )
            return stretch
    return None


def _check_folders(image: str, *places: Path | None) -> None:
    for place in filter(None, places):
        if place.suffix:
            raise WriteError(f"{image} is a folder, so {place} has to be one too.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder} cannot be created: {error.strerror}.") from None
