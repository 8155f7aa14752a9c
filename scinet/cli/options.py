"""Options that several commands share."""

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from scinet.camera.camera import Camera, parse_camera
from scinet.evaluation.mask_values import MaskChoice
from scinet.models.promise import Promise, parse_promise
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata
from scinet.raster.resolution import MAX_CM_PER_PX, MIN_CM_PER_PX
from scinet.raster.world_file import read_world_file
from scinet.segmentation.strategies import FORMER_STRATEGIES, STRATEGIES, Strategy
from scinet.vector.choice import VectorChoice

Function = TypeVar("Function", bound=Callable[..., Any])

IMAGE_HELP = (
    "a GeoTIFF, COG, PNG, JPEG, WebP, JPEG 2000, GeoPackage, MBTiles, PMTiles or a folder of tiles: a path, or the URL "
    "of a COG, of tiles with {z}, {x} and {y}, of a service (WMTS, TMS, WMS) or of a STAC item; or a COG in an object "
    "store: s3://bucket/key.tif (gs://, az://), with the credentials of the environment"
)
USUAL_THRESHOLD = 0.5
PATH = click.Path(path_type=Path)


class Amount(click.FloatRange):
    """A finite number within a range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse it. Fails with a sentence if it is not finite or out of range."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


RESOLUTION = Amount(MIN_CM_PER_PX, MAX_CM_PER_PX)
SIZE = Amount(min=0)


class StrategyChoice(click.Choice[str]):
    """The name of a strategy; one that earlier versions had stands for its successor."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Look it up. Fails with a sentence that lists the names."""
        return super().convert(FORMER_STRATEGIES.get(value, value), param, ctx)


def model_option(several: bool = False) -> Callable[[Function], Function]:
    """``--model``, which may be given several times, and ``--device``."""

    def add(function: Function) -> Function:
        more = " May be given several times." if several else ""
        with_device = click.option(
            "--device", metavar="NAME", help="cpu, cuda or mps. Default: the best that is available."
        )(function)
        return click.option(
            "--model",
            "models" if several else "model",
            required=True,
            multiple=several,
            metavar="NAME",
            help="A model (scinet models lists them), or the path of a .safetensors or .onnx file with a .json file of "
            f"the same name next to it.{more}",
        )(with_device)

    return add


def mask_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--strategy``, ``--places`` and ``--flips``, given to the command as one `Strategy`, and ``--threshold``."""

    @wraps(function)
    def with_strategy(*arguments: Any, **options: Any) -> Any:
        strategy = Strategy(*(options.pop(name) for name in ("strategy", "places", "flips")))
        return function(*arguments, strategy=strategy, **options)

    with_threshold = click.option(
        "--threshold",
        type=Amount(0, 1, min_open=True, max_open=True),
        default=USUAL_THRESHOLD,
        show_default=True,
        metavar="P",
        help="Pixels with a probability above it are building.",
    )(with_strategy)
    with_flips = click.option(
        "--flips", is_flag=True, help="Average over all eight turns and reflections, at eight times the cost."
    )(with_threshold)
    with_places = click.option(
        "--places",
        type=click.Choice(["unknown", "known"]),
        default="unknown",
        show_default=True,
        help="Whose best scales count: those for places that the model does not know, or for those of its training.",
    )(with_flips)
    return click.option(
        "--strategy",
        type=StrategyChoice(STRATEGIES),
        default=Strategy().name,
        show_default=True,
        help="What the model sees. direct: the image at the working resolution; best-scale: the image enlarged or "
        "reduced by the factor that suits the model there; multi-scale: the mean of its two best scales.",
    )(with_places)


def _promise(context: click.Context, option: click.Parameter, text: str | None) -> Promise | None:
    return None if text is None else parse_promise(text)


promise_option = click.option(
    "--promise",
    callback=_promise,
    metavar="WHAT=LEAST",
    help="Instead of --threshold: the one that kept a recall (how much of the buildings a mask has) or a precision "
    "(how much of it is building) in places where the model was not trained, such as recall=0.9; docs/training.md says "
    "how well that holds.",
)
native_option = click.option(
    "--native-cm-per-px",
    type=RESOLUTION,
    metavar="N",
    help="The image's own resolution in cm/px, if the file has no georeference.",
)


def image_options(function: Function) -> Function:
    """``--native-cm-per-px``, and what a file leaves open, from ``--bands`` to ``--tms``, as `image_choice`."""

    @wraps(function)
    def with_choice(
        *args: Any,
        bands: tuple[int, ...] | None,
        nodata: str | None,
        stretch: tuple[float, float] | None,
        crs: str | None,
        page: int,
        world_file: Path | None,
        zoom: int | None,
        bounds: tuple[float, float, float, float] | None,
        tms: bool,
        **options: Any,
    ) -> Any:
        choice = ImageChoice(
            tuple(bands or ()),
            None if nodata is None else parse_nodata(nodata),
            None if crs is None else parse_crs(crs),
            stretch,
            page,
            None if world_file is None else read_world_file(world_file),
            zoom,
            bounds,
            tms,
        )
        return function(*args, image_choice=choice, **options)

    with_tiles = _tile_options(with_choice)
    with_world_file = click.option(
        "--world-file",
        type=PATH,
        metavar="FILE",
        help="The world file or .aux.xml file that places the image. Those next to it count only if named here.",
    )(with_tiles)
    with_crs = click.option(
        "--crs", metavar="EPSG:N", help="The image's CRS, if the file has coordinates without naming one."
    )(with_world_file)
    with_page = click.option(
        "--page",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="The page of a TIFF, or the image of a GeoPackage, that has several.",
    )(with_crs)
    with_stretch = click.option(
        "--stretch",
        type=float,
        nargs=2,
        metavar="LOW HIGH",
        help="The values that become black and white. Default: of more than 8 bits, the 2nd and 98th percentiles.",
    )(with_page)
    with_nodata = click.option(
        "--nodata",
        metavar="VALUE",
        help="The value of pixels that hold nothing, or none. Default: what the file says, or the likeliest.",
    )(with_stretch)
    with_bands = click.option(
        "--bands",
        type=int,
        nargs=3,
        metavar="RED GREEN BLUE",
        help="The numbers of the bands to show, from 1. Default: the likeliest.",
    )(with_nodata)
    return cast(Function, native_option(with_bands))


def _tile_options(function: Function) -> Function:
    """``--zoom``, ``--bounds`` and ``--tms``, of images in tiles."""
    with_tms = click.option(
        "--tms", is_flag=True, help="The rows of tiles are counted from the south, if nothing says so."
    )(function)
    with_bounds = click.option(
        "--bounds",
        type=float,
        nargs=4,
        metavar="WEST SOUTH EAST NORTH",
        help="Take only this part of an image in tiles, in degrees.",
    )(with_tms)
    return click.option("--zoom", type=int, metavar="N", help="The zoom of an image in tiles. Default: the finest.")(
        with_bounds
    )


working_option = click.option(
    "--cm-per-px", type=RESOLUTION, metavar="N", help="The working resolution in cm/px. Default: the image's own."
)


def truth_options(required: bool) -> Callable[[Function], Function]:
    """``--truth`` with what it leaves open, which comes as `mask_choice` and `features`, and ``--window``."""

    def add(function: Function) -> Function:
        @wraps(function)
        def with_choices(
            *args: Any,
            building_values: tuple[str, ...],
            ignore_value: str | None,
            layer: str | None,
            where: str | None,
            **options: Any,
        ) -> Any:
            mask_choice, features = MaskChoice(building_values, ignore_value), VectorChoice(layer, where)
            return function(*args, mask_choice=mask_choice, features=features, **options)

        with_window = click.option(
            "--window",
            type=int,
            nargs=4,
            metavar="COLUMN ROW WIDTH HEIGHT",
            help="Take only this part of the image, in its own px.",
        )(with_choices)
        with_where = click.option(
            "--where",
            metavar="CONDITION",
            help='Which features of a vector file are buildings, such as "building IS NOT NULL", or none for all. '
            "Default: the likeliest.",
        )(with_window)
        with_layer = click.option(
            "--layer", metavar="NAME", help="The layer of a vector file, or the file in a .zip, that has the buildings."
        )(with_where)
        with_ignored = click.option(
            "--ignore-value",
            metavar="VALUE",
            help="The value of a mask's pixels that nobody judged, such as 255, or none. Default: the likeliest.",
        )(with_layer)
        with_building = click.option(
            "--building-value",
            "building_values",
            multiple=True,
            metavar="VALUE",
            help='The value of buildings in a mask, such as 1, or their colour, such as "#0000ff". May be given '
            "several times. Default: the likeliest.",
        )(with_ignored)
        return cast(
            Function,
            click.option(
                "--truth",
                required=required,
                type=PATH,
                metavar="FILE",
                help="The reference buildings in any CRS: a mask image, or polygons in a vector file (docs/files.md).",
            )(with_building),
        )

    return add


def _camera(context: click.Context, option: click.Parameter, text: str | None) -> Camera | None:
    return None if text is None else parse_camera(text)


camera_option = click.option(
    "--camera",
    callback=_camera,
    metavar="NAME",
    help='The camera whose flying heights are told: such as "DJI Mavic 3", its name in EXIF, or focal length and '
    "sensor width in mm and the picture's size in px: 8.8,13.2,5472,3648.",
)
area_option = click.option(
    "--area",
    type=PATH,
    metavar="FILE",
    help="The area of interest: polygons in a vector file, in any CRS. Nothing outside it counts or is traced.",
)
not_all_labelled_option = click.option(
    "--not-all-labelled",
    is_flag=True,
    help="The reference does not name every building: only what is near those that it names is scored, and figures "
    "that would need all of them are left out.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


def examples(*lines: str) -> str:
    """An epilog that keeps its lines."""
    return "\b\nexamples:\n" + "\n".join(f"  {line}" for line in lines)
