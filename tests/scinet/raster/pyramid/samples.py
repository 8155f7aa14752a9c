"""One image in tiles, and the files and folders that hold it."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform_bounds

from scinet.raster.pyramid.matrix import web_mercator_matrix
from scinet.raster.pyramid.pmtiles import tile_number
from tests.png import png

ZOOM, COLUMN, ROW, COLUMNS, ROWS = 18, 130_855, 127_004, 3, 2  # in Accra, 59 cm/px
LONLAT = transform_bounds(
    "EPSG:3857",
    "EPSG:4326",
    *web_mercator_matrix(ZOOM, 256).bounds_of(range(COLUMN, COLUMN + COLUMNS), range(ROW, ROW + ROWS)),
)
WITHIN = LONLAT[0] + 1e-8, LONLAT[1] + 1e-8, LONLAT[2] - 1e-8, LONLAT[3] - 1e-8  # by less than a pixel
Tiles = dict[tuple[int, int, int], bytes]  # by zoom, column and row from the north


def pixels() -> NDArray[np.uint8]:
    """RGB (512, 768, 3) in blocks of 4 px, so that a coarser zoom is exact."""
    blocks = np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8)
    return np.kron(blocks, np.ones((4, 4, 1), np.uint8))


def tiles() -> Tiles:
    """Zoom 18, and zoom 17, whose tiles reach beyond the image and are clear there."""
    image = pixels()
    found = {
        (ZOOM, COLUMN + x, ROW + y): png(image[256 * y : 256 * y + 256, 256 * x : 256 * x + 256])
        for x in range(COLUMNS)
        for y in range(ROWS)
    }
    left, top = COLUMN // 2, ROW // 2
    canvas = np.zeros((2 * 256, 3 * 256, 4), np.uint8)
    x, y = (COLUMN - 2 * left) * 128, (ROW - 2 * top) * 128
    canvas[y : y + 256, x : x + 384] = np.dstack([image[::2, ::2], np.full((256, 384), 255, np.uint8)])
    for column in range(3):
        for row in range(2):
            part = canvas[256 * row : 256 * row + 256, 256 * column : 256 * column + 256]
            if part.any():
                found[ZOOM - 1, left + column, top + row] = png(part)
    return found


def write_mbtiles(path: Path, held: Tiles, as_view: bool = False, **metadata: str) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        table = "images" if as_view else "tiles"
        database.execute(f"CREATE TABLE {table} (zoom_level INT, tile_column INT, tile_row INT, tile_data BLOB)")
        if as_view:
            database.execute("CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM images")
        for (zoom, column, row), content in held.items():
            stored = (zoom, column, 2**zoom - 1 - row, content)
            database.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", stored)
        database.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
    return path


def write_folder(folder: Path, held: Tiles, from_south: bool = False) -> Path:
    for (zoom, column, row), content in held.items():
        place = folder / str(zoom) / str(column)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{2**zoom - 1 - row if from_south else row}.png").write_bytes(content)
    return folder


def varints(*numbers: int) -> bytes:
    found = bytearray()
    for number in numbers:
        while number > 127:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)


def directory(entries: list[tuple[int, int, int, int]]) -> bytes:
    """Of (tile, offset, length, run), packed."""
    starts = [entry[0] for entry in entries]
    steps = [start - before for start, before in zip(starts, [0, *starts], strict=False)]
    columns = [[entry[3] for entry in entries], [entry[2] for entry in entries], [entry[1] + 1 for entry in entries]]
    return gzip.compress(varints(len(entries), *steps, *columns[0], *columns[1], *columns[2]))


def pmtiles(held: Tiles, kind: int = 2, bounds: tuple[float, float, float, float] = LONLAT) -> bytes:
    """A PMTiles file whose root directory leads to one leaf."""
    data, entries = b"", []
    for number, content in sorted((tile_number(*place), content) for place, content in held.items()):
        entries.append((number, len(data), len(content), 1))
        data += content
    leaf = directory(entries)
    root = directory([(entries[0][0], 0, len(leaf), 0)])
    metadata = gzip.compress(json.dumps({}).encode())
    places = [127, len(root), 127 + len(root), len(metadata)]
    places += [places[2] + places[3], len(leaf), places[2] + places[3] + len(leaf), len(data)]
    head = b"PMTiles\x03" + b"".join(
        place.to_bytes(8, "little") for place in (*places, len(held), len(held), len(held))
    )
    zooms = [zoom for zoom, _, _ in held]
    head += bytes([0, 2, 1, kind, min(zooms), max(zooms)])
    head += b"".join(round(degrees * 1e7).to_bytes(4, "little", signed=True) for degrees in bounds)
    return head + bytes(127 - len(head)) + root + metadata + leaf + data


def wmts(address: str, resource: bool, crs: str = "urn:ogc:def:crs:EPSG::3857") -> bytes:
    west, south, east, north = WITHIN
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{zoom}</ows:Identifier>"
        f"<ScaleDenominator>{web_mercator_matrix(zoom, 256).x_per_px / 0.00028!r}</ScaleDenominator>"
        "<TopLeftCorner>-20037508.342789244 20037508.342789244</TopLeftCorner><TileWidth>256</TileWidth>"
        f"<TileHeight>256</TileHeight><MatrixWidth>{2**zoom}</MatrixWidth><MatrixHeight>{2**zoom}</MatrixHeight>"
        "</TileMatrix>"
        for zoom in (17, 18)
    )
    url = f"{address}/tiles/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.png"
    at = f'<ResourceURL format="image/png" resourceType="tile" template="{url}"/>' if resource else ""
    layer = f"""<Layer><ows:WGS84BoundingBox><ows:LowerCorner>{west} {south}</ows:LowerCorner>
        <ows:UpperCorner>{east} {north}</ows:UpperCorner></ows:WGS84BoundingBox><ows:Identifier>NAME</ows:Identifier>
        <Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style><Format>image/png</Format>
        <TileMatrixSetLink><TileMatrixSet>google</TileMatrixSet></TileMatrixSetLink>{at}</Layer>"""
    layers = layer.replace("NAME", "ortho") + layer.replace("NAME", "map")
    return f"""<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1">
        <Contents>{layers}<TileMatrixSet><ows:Identifier>google</ows:Identifier>
        <ows:SupportedCRS>{crs}</ows:SupportedCRS>{matrices}</TileMatrixSet></Contents></Capabilities>""".encode()


def wms(crs: str = "EPSG:3857", form: str = "image/png") -> bytes:
    west, south, east, north = WITHIN
    return f"""<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms"><Capability><Request><GetMap>
        <Format>{form}</Format></GetMap></Request><Layer><CRS>{crs}</CRS><Layer><Name>ortho</Name>
        <EX_GeographicBoundingBox><westBoundLongitude>{west}</westBoundLongitude>
        <eastBoundLongitude>{east}</eastBoundLongitude><southBoundLatitude>{south}</southBoundLatitude>
        <northBoundLatitude>{north}</northBoundLatitude></EX_GeographicBoundingBox></Layer></Layer></Capability>
        </WMS_Capabilities>""".encode()
