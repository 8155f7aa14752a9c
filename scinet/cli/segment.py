"""``python -m scinet segment``: masks, probabilities and footprints of images of any size."""

import argparse
import sys
from pathlib import Path

from scinet.cli.options import (
    IMAGE_HELP,
    Bar,
    add_model,
    add_native,
    add_seeing,
    check_threshold,
    gsd,
    images_of,
    models_of,
)
from scinet.errors import SciNetError, WriteError
from scinet.models.checkpoint import Model
from scinet.raster.scene import Scene
from scinet.segmentation.scene import segment_to_file
from scinet.vector.footprint_file import FootprintFile
from scinet.vector.write import check_suffix
from scinet.web import is_url

DESCRIPTION = """Write the building mask of an image of any size, in bounded memory, as a Cloud Optimized GeoTIFF
at the working GSD: uint8, 1 = building, 0 = not, 255 = nodata."""
EXAMPLES = """examples:
  python -m scinet segment tile.tif mask.tif --model sci-net
  python -m scinet segment https://host/scene.tif mask.tif --model sci-net --cm-per-px 10 --footprints buildings.gpkg
  python -m scinet segment scene.tif mask.tif --model sci-net --resume     after Ctrl-C or a power cut
  python -m scinet segment tiles/ masks/ --model unet                      every image of a folder
"""


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "segment",
        help="write the building mask of an image or a folder of images",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("image", metavar="IN", help=f"{IMAGE_HELP}; or a folder of images")
    command.add_argument("out", metavar="OUT.tif", type=Path, help="the result, or a folder where IN is one")
    add_model(command)
    command.add_argument("--cm-per-px", metavar="N", help="working GSD, which the result has too (the image's own)")
    add_native(command)
    add_seeing(command)
    command.add_argument(
        "--probability",
        nargs="?",
        choices=("uint8", "float32"),
        const="uint8",
        help="write the probability in place of the mask: uint8 in steps of 0.004 (the default), or float32",
    )
    command.add_argument(
        "--footprints",
        type=Path,
        metavar="FILE",
        help="the mask's polygons too, with their area_m2: .gpkg, .geojson or .fgb; a folder where IN is one",
    )
    command.add_argument("--min-area-m2", type=float, default=0.0, metavar="A", help="no smaller polygons (0)")
    command.add_argument("--min-hole-m2", type=float, default=0.0, metavar="A", help="no smaller holes in them (0)")
    command.add_argument(
        "--simplify-m",
        type=float,
        default=0.0,
        metavar="D",
        help="outlines may leave the pixels' edges by D m (0)",
    )
    command.add_argument("--square", action="store_true", help="straight walls and square corners")
    command.add_argument("--resume", action="store_true", help="go on where the same command was stopped")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    check_threshold(options.threshold)
    if options.footprints is None and (
        options.square or options.min_area_m2 or options.min_hole_m2 or options.simplify_m
    ):
        raise SciNetError("--min-area-m2, --min-hole-m2, --simplify-m and --square shape the polygons of --footprints.")
    gsd(options.cm_per_px)
    found = images_of(options.image, gsd(options.native_cm_per_px))
    if isinstance(found, Scene):
        if options.footprints is not None:
            check_suffix(options.footprints)
        (model,) = models_of([options.model], options.device)
        _one(options, found, model, options.out, options.footprints)
        return
    for place in filter(None, (options.out, options.footprints)):
        if place.suffix:
            raise WriteError(f"{options.image} is a folder, so {place} has to be one too.")
    (model,) = models_of([options.model], options.device)
    failed = 0
    for tile in found:
        out = options.out / f"{tile.name}.tif"
        polygons = options.footprints / f"{tile.name}.gpkg" if options.footprints else None
        if options.resume and out.exists():
            continue
        try:
            for path in filter(None, (out, polygons)):
                _make_folder(path.parent)
            _one(options, tile.open(gsd(options.native_cm_per_px)), model, out, polygons)
        except SciNetError as error:
            failed += 1
            print(f"scinet: {tile.name}: {error}", file=sys.stderr)
    if failed:
        raise SciNetError(f"{failed} of {len(found)} images could not be segmented.")


def _one(options: argparse.Namespace, scene: Scene, model: Model, out: Path, footprints: Path | None) -> None:
    if not is_url(scene.source) and out.exists() and out.samefile(str(scene.source)):
        raise WriteError(f"{out} is the image itself. Give the result another name.")
    for note in scene.all_notes:
        print(note, file=sys.stderr)
    file = footprints and FootprintFile(
        footprints, options.min_area_m2, options.min_hole_m2, options.simplify_m, options.square
    )
    with Bar(scene.name) as bar:
        found = segment_to_file(
            scene,
            model,
            out,
            cm_per_px=gsd(options.cm_per_px),
            strategy=options.strategy,
            threshold=options.threshold,
            output=options.probability or "mask",
            footprints=file or None,
            resume=options.resume,
            progress=bar.show,
        )
    print(
        f"{out}: {found.grid.width} x {found.grid.height} px at {found.grid.cm_per_px:.3g} cm/px, "
        f"{found.building_px / found.valid_px:.1%} building"
    )
    if footprints is not None:
        print(f"{footprints}: {found.footprints} footprints")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder} cannot be made: {error.strerror}.") from None
