"""``scinet segment``: masks, probabilities and footprints of images of any size."""

import time
from pathlib import Path

import click

from scinet.batch.jobs import Settings, upload_files, write_run
from scinet.cli.bar import Bar, print_notes
from scinet.cli.many import Many, many_options, segment_many
from scinet.cli.models import load_models
from scinet.cli.options import (
    IMAGE_HELP,
    PATH,
    SIZE,
    USUAL_THRESHOLD,
    area_option,
    examples,
    image_options,
    mask_options,
    model_option,
    promise_option,
    working_option,
)
from scinet.cli.qgis import read_reference, write_run_project
from scinet.errors import SciNetError
from scinet.models.promise import Promise, tried_text
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.folder import is_tile_folder
from scinet.raster.scene import open_scene
from scinet.segmentation.scene import Output
from scinet.segmentation.strategies import Strategy
from scinet.share.qgis import check_project_path
from scinet.upload import check_store
from scinet.vector.footprint_file import FootprintFile
from scinet.vector.write import check_suffix
from scinet.web import is_url

HELP = f"""Write the building masks of images of any size, in bounded memory.

IN is {IMAGE_HELP}. OUT.tif is a Cloud Optimized GeoTIFF at the working resolution: uint8, 1 = building,
0 = not building, 255 = nodata; OUT.png is white on buildings, with a world file.

With --to DIR, SCENES are any number of images, folders of images, patterns, text files (.txt) of these, and STAC item
collections. Each result is DIR/NAME.tif, with --footprints a file of that folder too, and DIR/manifest.jsonl says what
became of each scene. The exit status is 3 where some failed.
"""
EXAMPLES = examples(
    "scinet segment tile.tif mask.tif --model sci-net",
    "scinet segment https://host/scene.tif mask.tif --model sci-net --cm-per-px 10 --footprints buildings.gpkg",
    "scinet segment scene.tif mask.tif --model sci-net --resume     after Ctrl-C or a power cut",
    "scinet segment tiles/ --to masks/ --model unet                 every image of a folder",
    "scinet segment scenes.txt --to masks/ --model unet --engine dask --workers 8",
)


@click.command(help=HELP, epilog=EXAMPLES)
@click.argument("images", nargs=-1, required=True, metavar="IN OUT.tif | SCENES... --to DIR")
@model_option()
@working_option
@image_options
@mask_options
@promise_option
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
@click.option(
    "--qgis",
    type=PATH,
    metavar="PROJECT.qgz",
    help="Write a QGIS project too, with the image, the mask and the footprints in colours; or PROJECT.qgs.",
)
@click.option(
    "--truth",
    type=PATH,
    metavar="FILE",
    help="Reference buildings for the project of --qgis to show: polygons in a vector file.",
)
@click.option(
    "--upload",
    metavar="ADDRESS",
    help="Put the files into a folder of an object store too, each when it is complete: s3://bucket/folder or "
    "gs://bucket/folder.",
)
@click.option("--resume", is_flag=True, help="Continue where the same command was stopped.")
@many_options
def segment(
    images: tuple[str, ...],
    many: Many | None,
    model: str,
    device: str | None,
    cm_per_px: float | None,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    strategy: Strategy,
    threshold: float,
    promise: Promise | None,
    probability: Output | None,
    footprints: Path | None,
    area: Path | None,
    min_area_m2: float,
    min_hole_m2: float,
    simplify_m: float,
    square: bool,
    qgis: Path | None,
    truth: Path | None,
    upload: str | None,
    resume: bool,
) -> int:
    """Write the building masks of images of any size; returns the exit status."""
    if footprints is None and (square or min_area_m2 or min_hole_m2 or simplify_m):
        raise SciNetError("--min-area-m2, --min-hole-m2, --simplify-m and --square shape the polygons of --footprints.")
    if promise is not None and threshold != USUAL_THRESHOLD:
        raise SciNetError("--promise chooses the threshold: leave out --threshold, or --promise.")
    shapes = FootprintFile(footprints, min_area_m2, min_hole_m2, simplify_m, square) if footprints else None
    settings = Settings(
        model,
        device,
        native_cm_per_px,
        image_choice,
        cm_per_px,
        strategy,
        threshold,
        probability or "mask",
        shapes=shapes,
        area=area and area.resolve(),
        promise=promise,
        upload=upload,
    )
    if many is None and len(images) != 2:
        raise SciNetError("Give an image and the file to write, or any number of scenes and the folder --to DIR.")
    if many is None and _is_folder_of_images(images[0]):
        images, many = images[:1], Many(Path(images[1]))
    _check_project(qgis, truth, is_of_many=many is not None)
    if upload is not None:
        _check_upload(upload, None if many else Path(images[1]), footprints)
    try:
        if many is not None:
            return segment_many(images, settings, many, footprints, resume)
        _segment_one(images[0], Path(images[1]), settings, qgis, truth, resume)
        return 0
    except KeyboardInterrupt:
        raise KeyboardInterrupt("The same command with --resume continues from here.") from None


def _check_project(project: Path | None, truth: Path | None, *, is_of_many: bool) -> None:
    """Raise SciNetError where a project for QGIS cannot be written, or is missing for what it is to show."""
    if project is None and truth is not None:
        raise SciNetError("--truth is for the project of --qgis: give both. To compare with it, use scinet score.")
    if project is not None and is_of_many:
        raise SciNetError("--qgis is for one image. Open the masks of --to DIR in QGIS by dragging the folder in.")
    if project is not None:
        check_project_path(project)


def _check_upload(address: str, mask: Path | None, footprints: Path | None) -> None:
    """Raise SciNetError where a result would be of several files, or the store does not answer."""
    if (mask and mask.suffix == ".png") or (footprints and footprints.suffix == ".shp"):
        raise SciNetError("--upload takes results of one file each: masks as .tif, footprints as .gpkg or .zip.")
    check_store(address)


def _is_folder_of_images(image: str) -> bool:
    return not is_url(image) and Path(image).is_dir() and not is_tile_folder(Path(image))


def _segment_one(
    image: str, out: Path, settings: Settings, qgis: Path | None, truth: Path | None, resume: bool
) -> None:
    """Write one image's files and say what they hold. Raises SciNetError."""
    scene = open_scene(image, cm_per_px=settings.native_cm_per_px, choice=settings.choice)
    footprints = settings.shapes.path if settings.shapes else None
    if footprints is not None:
        check_suffix(footprints)
    reference = None if truth is None else read_reference(truth, scene)
    (model,) = load_models([settings.model], settings.device)
    print_notes(scene.all_notes)
    run = settings.run_of(scene, model, out, footprints)
    if settings.promise is not None:
        tried = tried_text(model.card.calibration.tried if model.card.calibration else (), settings.promise)
        print_notes([f"Threshold {run.threshold:.2f} for {settings.promise.text}. {tried}"])
    with Bar(scene.name) as bar:
        written = write_run(run, time.monotonic(), resume=resume, progress=bar.show)
    if settings.upload:
        upload_files(run, settings.upload)
    for line in written.lines:
        print(line)
    if qgis is not None:
        print_notes(write_run_project(qgis, run, reference))
        print(f"{qgis}: a project for QGIS")
