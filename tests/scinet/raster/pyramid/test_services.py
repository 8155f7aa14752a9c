"""Services of tiles and pictures, on a local server that serves, fails, stalls and lies."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from rasterio.transform import from_bounds
from rasterio.warp import transform_bounds

from scinet.errors import GsdMissingError, NodataError, RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid import fetch
from scinet.raster.pyramid.matrix import web_mercator_matrix
from scinet.raster.pyramid.scene import PyramidScene
from scinet.raster.scene import open_scene
from tests.png import png
from tests.range_server import FOREVER, RangeServer, serve_files
from tests.scinet.raster.pyramid.samples import (
    COLUMN,
    LONLAT,
    ROW,
    WITHIN,
    ZOOM,
    pixels,
    pmtiles,
    tiles,
    wms,
    wmts,
)

Query = dict[str, str]
CHOICE = ImageChoice(zoom=ZOOM, bounds=LONLAT)
INSIDE = ImageChoice(zoom=ZOOM, bounds=WITHIN)
FIRST = f"/tiles/{ZOOM}/{COLUMN}/{ROW}.png"


@pytest.fixture
def server() -> Iterator[RangeServer]:
    with serve_files({f"/tiles/{z}/{x}/{y}.png": content for (z, x, y), content in tiles().items()}) as server:
        yield server


def template(server: RangeServer) -> str:
    return f"{server.address}/tiles/{{z}}/{{x}}/{{y}}.png"


def check_whole(scene: object) -> None:
    """That a scene is the image, but for its name."""
    assert isinstance(scene, PyramidScene)
    found = scene.read()
    assert found.shape == (512, 768) and (found.pixels == pixels()).all()
    assert scene.cm_per_px == pytest.approx(59.4, abs=0.2) and scene.is_remote
    assert scene.overview(96).shape == (64, 96)


def test_tiles_of_a_web_map(server: RangeServer) -> None:
    check_whole(open_scene(template(server), choice=INSIDE))
    with pytest.raises(RasterError, match=r"Give one: --zoom 19 is about 30 cm/px"):
        open_scene(template(server))
    with pytest.raises(RasterError, match="Give the place: --bounds"):
        open_scene(template(server), choice=ImageChoice(zoom=18))
    with pytest.raises(RasterError, match=r"no tile in the middle of the place at zoom 20"):
        open_scene(template(server), choice=ImageChoice(zoom=20, bounds=LONLAT))


def test_rows_that_count_from_the_south_and_quadkeys(server: RangeServer) -> None:
    for (zoom, column, row), content in tiles().items():
        server.files[f"/tms/{zoom}/{column}/{2**zoom - 1 - row}"] = content
    check_whole(open_scene(f"{server.address}/tms/{{z}}/{{x}}/{{-y}}", choice=INSIDE))
    check_whole(
        open_scene(
            f"{server.address}/tms/{{z}}/{{x}}/{{y}}", choice=ImageChoice(zoom=18, bounds=INSIDE.bounds, tms=True)
        )
    )


def test_tilejson_brings_zooms_and_bounds(server: RangeServer) -> None:
    facts = {"tilejson": "3.0.0", "tiles": [template(server)], "minzoom": 17, "maxzoom": 18, "bounds": INSIDE.bounds}
    server.files["/tiles.json"] = json.dumps(facts).encode()
    check_whole(open_scene(f"{server.address}/tiles.json"))
    server.files["/lie.json"] = json.dumps({**facts, "maxzoom": 400}).encode()
    with pytest.raises(RasterError, match="no tiles, zooms or bounds that are possible"):
        open_scene(f"{server.address}/lie.json")


def test_pmtiles_at_an_address(server: RangeServer) -> None:
    server.files["/a.pmtiles"] = pmtiles(tiles())
    check_whole(open_scene(f"{server.address}/a.pmtiles"))
    server.fail("/a.pmtiles", "whole", FOREVER)
    with pytest.raises(RasterError, match="does not hand out parts"):
        open_scene(f"{server.address}/a.pmtiles")


def tile_map(server: RangeServer, srs: str = "EPSG:3857") -> bytes:
    west, south, east, north = transform_bounds("EPSG:4326", "EPSG:3857", *INSIDE.bounds or ())
    sets = "".join(
        f'<TileSet href="{server.address}/south/{zoom}" order="{zoom}" '
        f'units-per-pixel="{web_mercator_matrix(zoom, 256).x_per_px!r}"/>'
        for zoom in (17, 18)
    )
    return f"""<?xml version="1.0"?><TileMap version="1.0.0"><SRS>{srs}</SRS>
        <BoundingBox minx="{west!r}" miny="{south!r}" maxx="{east!r}" maxy="{north!r}"/>
        <Origin x="-20037508.342789244" y="-20037508.342789244"/>
        <TileFormat width="256" height="256" extension="png"/><TileSets profile="mercator">{sets}</TileSets>
        </TileMap>""".encode()


def test_a_tile_map_service(server: RangeServer) -> None:
    for (zoom, column, row), content in tiles().items():
        server.files[f"/south/{zoom}/{column}/{2**zoom - 1 - row}.png"] = content
    server.files["/tilemapresource.xml"] = tile_map(server)
    check_whole(open_scene(f"{server.address}/tilemapresource.xml"))
    server.files["/unknown.xml"] = tile_map(server, "http://127.0.0.1/crs")
    with pytest.raises(RasterError, match="in a way that cannot be read"):
        open_scene(f"{server.address}/unknown.xml")


@pytest.mark.parametrize("resource", [True, False])
def test_a_web_map_tile_service(server: RangeServer, resource: bool) -> None:
    held = tiles()

    def answer(query: Query) -> bytes | None:
        if query["REQUEST"] == "GetCapabilities":
            return wmts(server.address, resource)
        assert (query["LAYER"], query["TILEMATRIXSET"], query["FORMAT"]) == ("ortho", "google", "image/png")
        assert query["key"] == "abc"
        return held.get((int(query["TILEMATRIX"]), int(query["TILECOL"]), int(query["TILEROW"])))

    server.answers["/wmts"] = answer
    check_whole(open_scene(f"{server.address}/wmts?service=WMTS&layer=ortho&key=abc"))
    with pytest.raises(RasterError, match=r"these layers: ortho, map\. Choose one by adding layer=NAME"):
        open_scene(f"{server.address}/wmts?service=WMTS")


def test_a_web_map_service_gives_the_resolution_that_is_asked_for(server: RangeServer) -> None:
    matrix, image = web_mercator_matrix(ZOOM, 256), pixels()
    left, top = matrix.x + 256 * COLUMN * matrix.x_per_px, matrix.y - 256 * ROW * matrix.y_per_px

    def answer(query: Query) -> bytes | None:
        if query["REQUEST"] == "GetCapabilities":
            return wms()
        place = from_bounds(*map(float, query["BBOX"].split(",")), int(query["WIDTH"]), int(query["HEIGHT"]))
        columns, rows = np.meshgrid(np.arange(int(query["WIDTH"])) + 0.5, np.arange(int(query["HEIGHT"])) + 0.5)
        x = ((place.c + place.a * columns - left) / matrix.x_per_px).astype(int)
        y = ((top - place.f - place.e * rows) / matrix.y_per_px).astype(int)
        inside = (x >= 0) & (x < 768) & (y >= 0) & (y < 512)
        colours = image[np.clip(y, 0, 511), np.clip(x, 0, 767)]
        return png(np.dstack([colours, 255 * inside.astype(np.uint8)]))

    server.answers["/wms"] = answer
    url = f"{server.address}/wms?service=WMS&layers=ortho"
    with pytest.raises(GsdMissingError, match="pictures of any resolution"):
        open_scene(url)
    scene = open_scene(url, cm_per_px=30)
    assert scene.cm_per_px == pytest.approx(30, rel=1e-6)
    part = scene.window(200, 200, 64, 64)
    column, row = ~scene.transform @ (left, top)
    at = int((200 - column + 0.5) * 30 / 59.4), int((200 - row + 0.5) * 30 / 59.4)
    near = image[at[1] - 2 : at[1] + 3, at[0] - 2 : at[0] + 3].reshape(-1, 3)
    assert (near == part.pixels[0, 0]).all(axis=1).any()


@pytest.mark.parametrize(
    ("capabilities", "reason"),
    [
        (wms(crs="EPSG:32630"), "does not give this layer in web Mercator"),
        (wms(form="image/gif"), "neither as PNG, JPEG nor WebP"),
        (b"<ServiceExceptionReport/>", "a page or an error instead of an image"),
        (b"<!DOCTYPE html><html></html>", "declares entities"),
        (b"a text", "damaged"),
    ],
)
def test_services_that_do_not_serve(server: RangeServer, capabilities: bytes, reason: str) -> None:
    server.files["/wms"] = capabilities
    with pytest.raises(RasterError, match=reason):
        open_scene(f"{server.address}/wms?service=WMS&layers=ortho", cm_per_px=30)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("403", "the server refuses it"), ("503", "the server is busy"), ("truncate", "the server does not answer")],
)
def test_tiles_that_fail_give_a_sentence(server: RangeServer, fault: str, reason: str) -> None:
    scene = open_scene(template(server), choice=INSIDE)
    server.fail(FIRST, fault, FOREVER)
    with pytest.raises(RasterError, match=f"gives no tiles: {reason}"):
        scene.read()


def test_a_tile_that_fails_once_is_asked_for_again(server: RangeServer) -> None:
    scene = open_scene(template(server), choice=INSIDE)
    server.fail(FIRST, "503")
    assert (scene.read().pixels == pixels()).all()


def test_a_stalling_server_ends_at_the_deadline(server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "WINDOW_S", 1)
    scene = open_scene(template(server), choice=INSIDE)
    for row in range(2):
        server.fail(f"/tiles/{ZOOM}/{COLUMN}/{ROW + row}.png", "stall", FOREVER)
    with pytest.raises(RasterError, match=r"gives no tiles|takes more than 1 s"):
        scene.read()


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (b"<html>Sign in</html>", "not a PNG, JPEG or WebP"),
        (png(np.zeros((512, 512, 3), np.uint8)), "tiles of 256 x 256 px and of 512 x 512 px"),
        (png(np.zeros((4097, 1, 3), np.uint8)), "a tile of 1 x 4097 px"),
        (tiles()[ZOOM, COLUMN, ROW][:-200], "is damaged"),
    ],
)
def test_a_lying_server_gives_a_sentence(server: RangeServer, lie: bytes, reason: str) -> None:
    scene = open_scene(template(server), choice=INSIDE)
    server.files[FIRST] = lie
    with pytest.raises(RasterError, match=reason):
        scene.read()


def test_a_place_without_tiles_is_nodata(server: RangeServer) -> None:
    scene = open_scene(template(server), choice=INSIDE)
    for x in range(3):
        for y in range(2):
            del server.files[f"/tiles/{ZOOM}/{COLUMN + x}/{ROW + y}.png"]
    with pytest.raises(NodataError):
        scene.read()


def test_a_run_does_not_ask_for_a_whole_country(server: RangeServer) -> None:
    west, south = LONLAT[:2]
    scene = open_scene(
        template(server), choice=ImageChoice(zoom=18, bounds=(west - 0.15, south - 0.15, west + 0.156, south + 0.153))
    )
    with pytest.raises(RasterError, match=r"would be asked for [\d,]+ tiles; at most 20,000"):
        scene.rows(scene.cm_per_px)


def test_a_private_host_is_not_asked(server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCINET_ALLOW_PRIVATE", raising=False)
    server.files["/tiles.json"] = b"{}"
    for url in (template(server), f"{server.address}/tiles.json", f"{server.address}/wms?service=WMS"):
        with pytest.raises(RasterError, match="on this machine or in its network"):
            open_scene(url, choice=CHOICE)
    assert not server.asked
