"""What is done with a damaged file of each kind: whatever users and pages do with one."""

import hashlib
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.crs import CRS
from rasterio.errors import CRSError

from pages.app import kept_uploads
from pages.sources import area_link, scope
from pages.views.explore import downloads
from pages.views.models import facts
from scinet.datasets.tiles import tiles_in
from scinet.datasets.web_cache import DiskCache, open_cached_scene
from scinet.errors import SciNetError
from scinet.evaluation.benchmark import native_gsd, read_benchmark, same_tiles, tile_sets
from scinet.evaluation.mask import read_mask
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.sweep_rows import SweepPoint
from scinet.evaluation.tile_sums import sums_matrix
from scinet.evaluation.truth import read_truth, read_window_truth, truth_labels
from scinet.models.card import Card, list_models
from scinet.models.custom import ModelSpec, open_custom_model
from scinet.raster.choice import ImageChoice, parse_crs, parse_nodata
from scinet.raster.crs_text import crs_from_text
from scinet.raster.grid import Grid
from scinet.raster.pyramid.matrix import Pyramid
from scinet.raster.pyramid.place import pyramid_scene
from scinet.raster.pyramid.services import _from_xml
from scinet.raster.pyramid.templates import open_tilejson
from scinet.raster.raster import Raster
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.resumable_cog import ResumableCog
from scinet.raster.scene import open_scene, read_raster
from scinet.raster.stac import stac_image
from scinet.raster.world_file import parse_world_file
from scinet.safe_xml import parse_xml
from scinet.segmentation.segment import segment
from scinet.share.qgis import Group, Layer, footprint_layer, write_project
from scinet.share.qgis_reference import reference_layer
from scinet.share.qgis_style import mask_pipe
from scinet.share.report import Pictures, SharedImage, report_html
from scinet.vector.area import Area, read_area
from scinet.vector.read import read_footprints
from tests.fuzz.seeds import CRS as UTM
from tests.fuzz.seeds import HEIGHT, PLACE, SEEDS, SMALL_ENCODER, WIDTH, raster_file
from training.resume import read_state

Target = Callable[[bytes, Path], None]
MOST_CHARACTERS = 700
URL = "https://host.example/scene.tif"


def attempt(act: Callable[[], Any], folder: Path) -> Any:
    """What `act` gives; None where it raises a SciNetError, whose message is checked."""
    try:
        return act()
    except SciNetError as error:
        check_message(str(error), folder)
        return None


def check_message(message: str, folder: Path) -> None:
    """One or two sentences of one line, without a place of this machine."""
    assert message.isprintable(), f"not a line: {message!r}"
    assert message.endswith((".", "?")) and len(message) <= MOST_CHARACTERS, f"not a sentence: {message!r}"
    assert "Traceback" not in message and str(folder) not in message, f"names a place: {message!r}"
    assert str(Path(__file__).parents[2]) not in message, f"names a place: {message!r}"


def check_raster(raster: Raster | None) -> None:
    if raster is not None:
        assert raster.pixels.dtype == np.uint8 and raster.pixels.shape == (*raster.shape, 3)
        assert raster.valid.dtype == np.bool_ and raster.valid.shape == raster.shape
        assert raster.valid.any() and math.isfinite(raster.cm_per_px) and raster.cm_per_px > 0


def image() -> Raster:
    """The image that references are read for."""
    pixels = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    return Raster(pixels, np.ones((HEIGHT, WIDTH), np.bool_), PLACE, CRS.from_string(UTM))


def raster(content: bytes, folder: Path) -> None:
    path = folder / "image.tif"
    path.write_bytes(content)
    check_raster(attempt(lambda: read_raster(content, cm_per_px=10), folder))
    scene = attempt(lambda: open_scene(path, cm_per_px=10), folder)
    if scene is None:
        return
    check_raster(attempt(lambda: scene.overview(32), folder))
    side_px = min(scene.width, scene.height, 16)
    check_raster(attempt(lambda: scene.window(scene.width - side_px, 0, side_px, side_px), folder))
    band = attempt(lambda: next(iter(scene.rows(scene.cm_per_px).bands())), folder)
    assert band is None or band.values.shape[1:] == (scene.width, 3)
    truth = attempt(lambda: read_mask(content, image(), name="mask.tif"), folder)
    assert truth is None or truth.buildings.shape == (HEIGHT, WIDTH)


def pyramid(content: bytes, folder: Path) -> None:
    path = folder / "image"
    path.write_bytes(content)
    scene = attempt(lambda: open_scene(path, cm_per_px=10), folder)
    if scene is None:
        return
    assert scene.cm_per_px > 0 and all(note.isprintable() for note in scene.all_notes)
    check_raster(attempt(lambda: scene.overview(32), folder))
    side_px = min(scene.width, scene.height, 300)
    check_raster(attempt(lambda: scene.window(0, 0, side_px, side_px), folder))


def service(content: bytes, folder: Path) -> None:
    """What a service answers, without asking it for tiles."""
    url, choice = "https://host.example/wmts?layer=ortho&layers=ortho", ImageChoice()
    for act in (
        lambda: _from_xml(content, url, 30.0, choice),
        lambda: stac_image(content, url, "host.example"),
        lambda: open_tilejson(content, "host.example", ImageChoice(bounds=(0, 0, 0.001, 0.001))),
    ):
        found = attempt(act, folder)
        if isinstance(found, Pyramid):
            scene = attempt(lambda found=found: pyramid_scene(url, "host.example", found, 30.0, choice), folder)
            assert scene is None or scene.cm_per_px > 0


def world_file(content: bytes, folder: Path) -> None:
    place = attempt(lambda: parse_world_file(content, "a.tfw"), folder)
    if place is not None:
        choice = ImageChoice(place=place)
        scene = attempt(lambda: open_scene(SEEDS["png"]()[0], cm_per_px=10, choice=choice), folder)
        assert scene is None or scene.cm_per_px > 0


def vector(content: bytes, folder: Path) -> None:
    path = folder / "footprints"
    path.write_bytes(content)
    found = attempt(lambda: read_footprints(content, name="footprints.geojson"), folder)
    if found is not None:
        assert found.polygons and all(polygon.is_valid and not polygon.is_empty for polygon in found.polygons)
    _check_area(attempt(lambda: read_area(content, image().grid, "footprints.geojson"), folder))
    truth = attempt(lambda: read_truth(path, image(), "footprints.geojson"), folder)
    if truth is not None and (labels := attempt(lambda: truth_labels(truth, image()), folder)) is not None:
        assert labels.shape == (HEIGHT, WIDTH) and labels.dtype == np.int32
    scene = open_scene(raster_file(), name="scene.tif")
    window = scene.window(8, 8, 32, 32)
    part = attempt(lambda: read_window_truth(path, window, scene, "footprints.geojson"), folder)
    if part is not None and (labels := attempt(lambda: truth_labels(part, window), folder)) is not None:
        assert labels.shape == (32, 32)


def index(content: bytes, folder: Path) -> None:
    (folder / "index.csv").write_bytes(content)
    for name in ("east.png", "east_mask.png", "west.png"):
        (folder / name).write_bytes(SEEDS["png"]()[0])
    for tile in attempt(lambda: tiles_in(folder), folder) or ():
        assert tile.name and tile.image.is_relative_to(folder)
        scene = attempt(lambda tile=tile: tile.open(cm_per_px=10), folder)
        assert scene is None or scene.cm_per_px > 0


def card(content: bytes, folder: Path) -> None:
    (folder / "mine.json").write_bytes(content)
    (folder / "mine.safetensors").write_bytes(b"")
    for found in list_models(folder):
        assert found.title and found.window_px_at(20) > 0 and len(found.scales_at(20, "known")) == 2
        for group, name, cells in facts.all_rows([found], None):
            assert group and name and len(cells) == 1
    text = content.decode(errors="replace")
    attempt(lambda: Card.from_json(text, "mine.json"), folder)
    attempt(lambda: ModelSpec.from_json(text, "mine.json"), folder)


def benchmark(json_content: bytes, parquet_content: bytes, folder: Path) -> None:
    (folder / "benchmark.json").write_bytes(json_content)
    (folder / "benchmark.parquet").write_bytes(parquet_content)
    found = attempt(lambda: read_benchmark(folder), folder)
    if found is not None:
        assert found.at("unet", 10.0) is not None and found.models is not None
        assert len(native_gsd(found.tiles)) == len(found.tiles)
        tile_sets(found.tiles), same_tiles(found.tiles, found.steps_cm_per_px)
        assert found.has_objects in (True, False) and sums_matrix(found.tiles).shape[0] == len(found.tiles)
        for cost in found.costs.values():
            facts.reach(Card("mine", "unet", (2.5, 40.0), 576), cost)


def safetensors(content: bytes, folder: Path) -> None:
    spec = ModelSpec(f"unet/{SMALL_ENCODER}", (5.0, 30.0), window_px=64)
    _run(lambda: open_custom_model("mine.safetensors", content, spec), folder)


def onnx(content: bytes, folder: Path) -> None:
    _run(lambda: open_custom_model("mine.onnx", content, ModelSpec("onnx", (5.0, 30.0), window_px=64)), folder)


def _run(opening: Callable[[], Any], folder: Path) -> None:
    model = attempt(opening, folder)
    found = None if model is None else attempt(lambda: segment(image(), model), folder)
    if found is not None:
        assert found.probability.shape == (HEIGHT, WIDTH) and np.isfinite(found.probability).all()
        assert found.probability.min() >= 0 and found.probability.max() <= 1


def resume(content: bytes, folder: Path) -> None:
    """Resume a result whose folder holds damaged pieces."""
    parts = folder / "mask.tif.part"
    parts.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if "/" not in name and "\0" not in name and name not in ("", ".", ".."):
                    (parts / name[:100]).write_bytes(archive.read(name))
    except Exception:  # of the archive, which is the test's own
        return
    settings = {"model": "unet", "cm_per_px": 10.0}
    grid = Grid(2 * HEIGHT, WIDTH, PLACE, CRS.from_string(UTM))
    pieces = attempt(lambda: ResumableCog(folder / "mask.tif", grid, settings, resume=True), Path("/nowhere"))
    if pieces is not None:
        assert 0 <= pieces.rows_done <= 2 * HEIGHT
        for _, values in attempt(lambda: list(pieces.read("mask")), Path("/nowhere")) or ():
            assert values.shape[1] == WIDTH
        pieces.discard()


def training_state(content: bytes, folder: Path) -> None:
    path = folder / "a.state.pt"
    path.write_bytes(content)
    attempt(lambda: read_state(path, {"name": "a"}, torch.device("cpu")), Path("/nowhere"))


def cached_window(content: bytes, folder: Path) -> None:
    (folder / "a.npz").write_bytes(content)
    check_raster(DiskCache(folder, 10**9).raster("a", image))


def cached_header(content: bytes, folder: Path) -> None:
    cache = DiskCache(folder, 10**9)
    from scinet.datasets import web_cache

    (folder / f"{web_cache._name(URL)}.json").write_bytes(content)
    scene = attempt(lambda: open_cached_scene(URL, cache), folder)
    if scene is not None:
        assert scene.width >= 8 and scene.height >= 8 and math.isfinite(scene.cm_per_px)
        assert len(scene.block) == 2 and all(isinstance(factor, int) for factor in (*scene.block, *scene.overviews))
        assert all(isinstance(note, str) for note in scene.notes)


def texts(content: bytes, folder: Path) -> None:
    text = _text(content)
    for read in (parse_crs, parse_nodata, parse_cm_per_px):
        attempt(lambda read=read: read(text), folder)
    attempt(lambda: MaskChoice((text,), text), folder)
    attempt(lambda: ImageChoice(crs=parse_crs(text)), folder)
    with suppress(CRSError):
        crs_from_text(text)


def _is_text(content: bytes) -> bool:
    try:
        content.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode(errors="surrogatepass") if _is_text(content) else content.decode("latin-1")


def _check_area(area: Area | None) -> None:
    if area is not None:
        inside = area.inside(image().grid)
        assert inside.shape == (HEIGHT, WIDTH) and inside.any() and area.key


def area_link_text(content: bytes, folder: Path) -> None:
    """A drawn area in an address: what is read is written the same again."""
    grid, text = image().grid, _text(content)
    corners = attempt(lambda: area_link.from_text(text, grid), folder)
    if corners is None:
        return
    assert 3 <= len(corners) <= area_link.MOST_CORNERS
    assert area_link.from_text(area_link.to_text(corners, grid), grid) == corners
    _check_area(attempt(lambda: area_link.area_in_px(corners, grid), folder))


def drawn_area(content: bytes, folder: Path) -> None:
    """What a browser sends of a drawing."""
    grid = image().grid
    try:
        sent = json.loads(content)
    except (ValueError, RecursionError):
        return
    if not isinstance(sent, dict):
        return
    points = attempt(lambda: scope.points_of(sent.get("drawing")), folder)
    for crs in (CRS.from_epsg(4326), CRS.from_string(UTM)):
        if points is not None:
            corners = attempt(lambda crs=crs: area_link.corners_in_px(points, crs, grid), folder)
            if corners is not None:
                _check_area(attempt(lambda corners=corners: area_link.area_in_px(corners, grid), folder))
                assert len(area_link.to_text(corners, grid)) <= 40 + 22 * area_link.MOST_CORNERS


def kept_upload(content: bytes, folder: Path) -> None:
    """A damaged file of what a link keeps, and anything as its key."""
    os.environ["SCINET_CACHE"] = str(folder)
    key = "a" * 32
    kept = folder / "uploads" / f"{hashlib.sha256(key.encode()).hexdigest()}.zip"
    kept.parent.mkdir()
    kept.write_bytes(content)
    found = kept_uploads.read(key)
    if found is not None:
        assert all(isinstance(file.getvalue(), bytes) and isinstance(file.name, str) for file in found.files.values())
        assert all(isinstance(text, str) for text in found.fields.values())
    assert kept_uploads.read(_text(content)) is None


def names(content: bytes, folder: Path) -> None:
    """Names of images, models and files in what is shared: the files hold them, and they act nowhere."""
    text, grid = _text(content), image().grid
    layers = [Layer(text, f"./{text}", mask_pipe(), text), footprint_layer(text, f"./{text}.gpkg", "#56B4E9")]
    write_project(folder / "map.qgs", text, grid, [Group(text, layers), Group("", [reference_layer(text)])])
    root = parse_xml((folder / "map.qgs").read_bytes().partition(b"\n")[2])
    assert len(root.findall("projectlayers/maplayer")) == 3
    point = SweepPoint(text, 10.0, 1.0, 1)
    pictures = Pictures(images={10.0: image()}, colours={text: "#56B4E9"})
    page = report_html(SharedImage(text, text, [text]), 10.0, [point], pictures)
    assert page.count("</script>") == 2 and page.encode()
    assert re.fullmatch(r"[\w.-]{0,100}", downloads.plain(text)) and "/" not in downloads.plain(text)


def link(content: bytes, folder: Path) -> None:
    from tests.fuzz.app import open_link

    open_link(content, folder, check_message)


TARGETS: dict[str, Target] = {
    **dict.fromkeys(("geotiff", "cog", "png", "jpeg", "jp2"), raster),
    **dict.fromkeys(("geojson", "geopackage", "flatgeobuf", "shapefile", "kml"), vector),
    **dict.fromkeys(("mbtiles", "geopackage image", "pmtiles"), pyramid),
    "service": service,
    "world file": world_file,
    "index.csv": index,
    "card": card,
    "benchmark.json": lambda content, folder: benchmark(content, SEEDS["benchmark.parquet"]()[0], folder),
    "benchmark.parquet": lambda content, folder: benchmark(SEEDS["benchmark.json"]()[0], content, folder),
    "safetensors": safetensors,
    "onnx": onnx,
    "resume": resume,
    "training state": training_state,
    "cached window": cached_window,
    "cached header": cached_header,
    "texts": texts,
    "link": link,
    "area link": area_link_text,
    "drawn area": drawn_area,
    "kept upload": kept_upload,
    "names": names,
}
