"""Small valid files of every kind that is read, to be mutated."""

import io
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import rasterio
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from shapely import box, to_wkb

from scinet.evaluation.benchmark_rows import TEXT_COLUMNS, TILE_COLUMNS
from scinet.evaluation.diagnose import Shares
from scinet.evaluation.scores import Scores
from scinet.evaluation.tile_sums import CONFIDENCE_STEPS, NUMBERS, OBJECT_METRICS, RANKED
from scinet.models.card import Card
from tests.scinet.raster.pyramid.samples import pmtiles, tiles, wms, wmts, write_mbtiles

PLACE = from_origin(500_000, 620_000, 0.1, 0.1)
CRS = "EPSG:32630"
HEIGHT, WIDTH = 48, 64
SMALL_ENCODER = "tu-mobilenetv3_small_050"

Seeds = tuple[bytes, ...]
SEEDS: dict[str, Callable[[], Seeds]] = {}


def seeds_of(kind: str) -> Callable[[Callable[[], Seeds]], Callable[[], Seeds]]:
    """Name the kind of file that a function makes; it is made once."""

    def register(make: Callable[[], Seeds]) -> Callable[[], Seeds]:
        SEEDS[kind] = cache(make)
        return make

    return register


def pixels(count: int = 3, dtype: str = "uint8") -> np.ndarray:
    return (np.random.default_rng(0).random((count, HEIGHT, WIDTH)) * 200).astype(dtype)


def raster_file(driver: str = "GTiff", count: int = 3, dtype: str = "uint8", **options: Any) -> bytes:
    profile = {"height": HEIGHT, "width": WIDTH, "count": count, "dtype": dtype, "crs": CRS, "transform": PLACE}
    with MemoryFile() as memory:
        with memory.open(driver=driver, **{**profile, **options}) as dataset:
            dataset.write(pixels(count, dtype))
        return bytes(memory.read())


def picture(kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.moveaxis(pixels(), 0, -1)).convert(mode).save(file, kind)
    return file.getvalue()


@seeds_of("geotiff")
def _geotiff() -> Seeds:
    tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    return (
        raster_file(),
        raster_file(compress="deflate", predictor=2, **tiled),
        raster_file(compress="lzw", interleave="band"),
        raster_file(compress="jpeg", photometric="ycbcr", **tiled),
        raster_file(dtype="uint16", nodata=0),
        raster_file(count=1, dtype="float32", nodata=-9999, compress="deflate", predictor=3),
        raster_file(count=4, photometric="RGB", alpha="yes"),
        raster_file(count=1, BIGTIFF="YES"),
        raster_file(count=12, dtype="int16"),
        raster_file(count=1, compress="packbits", crs=None, transform=rasterio.Affine.identity()),
    )


@seeds_of("cog")
def _cog() -> Seeds:
    return tuple(raster_file("COG", blocksize=128, compress=how) for how in ("DEFLATE", "JPEG", "WEBP", "ZSTD"))


@seeds_of("png")
def _png() -> Seeds:
    return tuple(picture("PNG", mode) for mode in ("RGB", "RGBA", "L", "P", "1", "I;16"))


@seeds_of("jpeg")
def _jpeg() -> Seeds:
    return picture("JPEG"), picture("JPEG", "L"), picture("WEBP"), picture("JPEG", "CMYK")


@seeds_of("jp2")
def _jp2() -> Seeds:
    return tuple(raster_file("JP2OpenJPEG", count=n, QUALITY=quality) for n, quality in ((3, 100), (1, 30)))


@seeds_of("mbtiles")
def _mbtiles() -> Seeds:
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            write_mbtiles(Path(folder) / f"{view}", tiles(), as_view=view, bounds="-1,5,1,6") for view in (False, True)
        ]
        return tuple(path.read_bytes() for path in paths)


@seeds_of("geopackage image")
def _geopackage_image() -> Seeds:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gpkg"
        profile = {"height": HEIGHT, "width": WIDTH, "count": 3, "dtype": "uint8", "crs": CRS, "transform": PLACE}
        with rasterio.open(path, "w", driver="GPKG", **profile) as dataset:
            dataset.write(pixels())
        return (path.read_bytes(),)


@seeds_of("pmtiles")
def _pmtiles() -> Seeds:
    return (pmtiles(tiles()),)


@seeds_of("service")
def _service() -> Seeds:
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "a", "properties": {"gsd": 0.1, "datetime": "2020-01-01"}}
    item["assets"] = {"visual": {"href": "a.tif", "type": "image/tiff", "roles": ["data"]}}
    listed = {"tilejson": "3.0.0", "tiles": ["http://127.0.0.1:1/{z}/{x}/{y}"], "minzoom": 1, "maxzoom": 18}
    return wmts("http://127.0.0.1:1", True), wms(), json.dumps(item).encode(), json.dumps(listed).encode()


@seeds_of("world file")
def _world_file() -> Seeds:
    wkt = rasterio.CRS.from_string(CRS).to_wkt()
    numbers = "500000, 0.1, 0, 620000, 0, -0.1"
    aux = f"<PAMDataset><SRS>{wkt}</SRS><GeoTransform>{numbers}</GeoTransform></PAMDataset>"
    return b"0.1\n0\n0\n-0.1\n500000.05\n619999.95\n", aux.encode()


def corners(west: float, north: float) -> list[list[float]]:
    """A house of 2 m on the image, in longitude and latitude."""
    side = 2e-5
    return [[west, north], [west + side, north], [west + side, north - side], [west, north - side], [west, north]]


LON, LAT = -3.0, 5.6088


def collection(**members: Any) -> str:
    features = [
        {"type": "Feature", "properties": {"n": n}, "geometry": {"type": kind, "coordinates": coordinates}}
        for n, (kind, coordinates) in enumerate(
            [
                ("Polygon", [corners(LON, LAT)]),
                ("MultiPolygon", [[corners(LON + 3e-5, LAT)], [corners(LON, LAT - 3e-5)]]),
                ("Point", [LON, LAT]),
            ]
        )
    ]
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


@seeds_of("geojson")
def _geojson() -> Seeds:
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}
    lines = "\n".join(json.dumps(feature) for feature in json.loads(collection())["features"])
    return collection().encode(), collection(crs=named).encode(), collection(crs=None).encode(), lines.encode()


def vector_file(suffix: str, driver: str) -> dict[str, bytes]:
    """The files of a layer in a format, by their suffix."""
    houses = np.array([box(500_001 + 2 * n, 619_997, 500_002 + 2 * n, 619_998) for n in range(2)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        pyogrio.raw.write(
            path, to_wkb(houses), [np.array(["x", "y"])], ["name"], driver=driver, geometry_type="Polygon", crs=CRS
        )
        return {file.suffix: file.read_bytes() for file in Path(folder).iterdir()}


@seeds_of("geopackage")
def _geopackage() -> Seeds:
    whole = vector_file(".gpkg", "GPKG")[".gpkg"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gpkg"
        path.write_bytes(whole)
        with sqlite3.connect(path) as database:
            database.execute("DROP TABLE IF EXISTS gpkg_ogr_contents")
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
        database.close()
        return whole, path.read_bytes()


@seeds_of("flatgeobuf")
def _flatgeobuf() -> Seeds:
    return (vector_file(".fgb", "FlatGeobuf")[".fgb"],)


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:  # stored, so that mutations reach what is inside
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def shapefile() -> dict[str, bytes]:
    return {f"a{suffix}": content for suffix, content in vector_file(".shp", "ESRI Shapefile").items()}


@seeds_of("shapefile")
def _shapefile() -> Seeds:
    return zipped(shapefile()), zipped({"a.geojson": _geojson()[0]})


@seeds_of("kml")
def _kml() -> Seeds:
    ring = " ".join(f"{x},{y},0" for x, y in corners(LON, LAT))
    polygon = f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs>"
    text = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark>{polygon}</Polygon></Placemark></kml>'
    return text.encode(), zipped({"doc.kml": text.encode()})


@seeds_of("index.csv")
def _index() -> Seeds:
    head = "image,mask,dataset,city,country,cm_per_px,width,height,split,crs,x_min,y_max,metres_per_px,licence"
    rows = [
        f"{name}.png,{name}_mask.png,village,Village,Nowhere,10,64,48,test,{place},CC-BY-4.0"
        for name, place in (("east", "EPSG:32630,500000,620000,0.1"), ("west", ",,,"))
    ]
    return ("\n".join([head, *rows]) + "\n").encode(), ("\n".join(["image,mask", "east.png,"]) + "\n").encode()


@seeds_of("card")
def _card() -> Seeds:
    card = Card(
        "mine",
        "unet",
        gsd_range_cm_per_px=(2.5, 40.0),
        window_px=576,
        window_m=32.0,
        settings={
            "recipe": {"epochs": 3, "learning_rate": 1e-3, "gsd_range_cm_per_px": [2.5, 40.0]},
            "deviations_from_the_paper": ["chips_per_epoch"],
            "started_from": {"epoch": 3, "chips_seen": 100},
            "encoder_weights": {"teacher": "a", "chips": 3},
        },
        data=[{"dataset": "a", "tiles": 3, "cm_per_px": [5.0, 6.0, 7.0, 8.0], "licence": "CC0"}],
        scores={"micro_iou": 0.7},
        revision="0123456789abcdef",
        scales={"unknown": ((10, 1, 1.5), (40, 2, 3)), "known": ((10, 1, 1.5),)},
    )
    return (card.to_json().encode(),)


@seeds_of("benchmark.json")
def _benchmark_json() -> Seeds:
    averages = {how: dict.fromkeys(Scores._fields, 0.5) for how in ("micro", "macro")}
    shares = dict.fromkeys(Shares._fields, 0.1)
    scores = {
        **averages,
        "shares": shares,
        "strategy": "direct",
        "objects": {name.removeprefix("object_"): 0.5 for name in OBJECT_METRICS},
    }
    rows = [
        {
            "model": "unet",
            "dataset": "a",
            "cm_per_px": gsd,
            "grid": "working",
            "tiles": 2,
            **scores,
        }
        for gsd in ("native", 10.0, 20.0)
    ]
    costs = {"unet": {"parameters": 1e7, "gmacs_512_px": 5.0, "gmacs_1024_px": 20.0, "reach_px": 300, "timed_on": "x"}}
    content = {
        "threshold": 0.5,
        "steps_cm_per_px": [10.0, 20.0],
        "everything_is_building": {"a": 0.2},
        "rows": rows,
        "costs": costs,
    }
    return (json.dumps(content).encode(),)


def tiles_table() -> pd.DataFrame:
    rows = [
        {name: name if name in TEXT_COLUMNS else 10.0 for name in sorted(TILE_COLUMNS)}
        | {"model": "unet", "image": f"{n}.png", "grid": "working", "is_native": False, "cm_per_px": gsd}
        | {"strategy": "direct", **dict.fromkeys(NUMBERS, 3.0)}
        | {name: [1] * CONFIDENCE_STEPS for name in RANKED}
        for n in range(2)
        for gsd in (10.0, 20.0)
    ]
    return pd.DataFrame(rows)


@seeds_of("benchmark.parquet")
def _benchmark_parquet() -> Seeds:
    files = []
    for compression in (None, "zstd"):
        file = io.BytesIO()
        tiles_table().to_parquet(file, compression=compression)
        files.append(file.getvalue())
    return tuple(files)


@seeds_of("texts")
def _texts() -> Seeds:
    return tuple(
        text.encode()
        for text in (
            "EPSG:32630",
            "urn:ogc:def:crs:EPSG::32630",
            "OGC:CRS84",
            rasterio.CRS.from_epsg(32630).to_wkt(),
            rasterio.CRS.from_epsg(32630).to_wkt(version="WKT2_2019"),
            json.dumps(rasterio.CRS.from_epsg(4326).to_dict(projjson=True)),
            "-9999",
            "12.5 cm",
            "#00ff00",
        )
    )


@seeds_of("safetensors")
def _safetensors() -> Seeds:
    import segmentation_models_pytorch as smp
    from safetensors.torch import save

    network = smp.create_model("unet", SMALL_ENCODER, encoder_weights=None, decoder_channels=(16, 8, 8, 4, 4))
    return (save({name: tensor.half() for name, tensor in network.state_dict().items()}),)


@seeds_of("onnx")
def _onnx() -> Seeds:
    import onnx
    from onnx import TensorProto, helper

    weight = onnx.numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "weight")
    files = []
    for side in (64, "N"):
        graph = helper.make_graph(
            [helper.make_node("Conv", ["image", "weight"], ["sum"]), helper.make_node("Sigmoid", ["sum"], ["mask"])],
            "mine",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, side, side))],
            [helper.make_tensor_value_info("mask", TensorProto.FLOAT, None)],
            [weight],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        files.append(model.SerializeToString())
    return tuple(files)


@seeds_of("resume")
def _resume() -> Seeds:
    """The settings and the two pieces of a result that was stopped."""
    piece = {"count": 1, "compress": "deflate", "tiled": True, "blockxsize": 16, "blockysize": 16}
    pieces = {f"mask-{top:08d}.tif": raster_file(**piece) for top in (0, HEIGHT)}
    return (zipped({"settings.json": b'{"model": "unet", "cm_per_px": 10.0}', **pieces}),)


@seeds_of("training state")
def _training_state() -> Seeds:
    import torch

    file = io.BytesIO()
    torch.save({"name": "a", "epoch": 3, "weights": {"w": torch.zeros(4)}}, file)
    return (file.getvalue(),)


@seeds_of("cached window")
def _cached_window() -> Seeds:
    file = io.BytesIO()
    place = {"transform": list(PLACE)[:6], "crs": rasterio.CRS.from_string(CRS).to_wkt(), "notes": ["a note"]}
    valid = np.packbits(np.ones((HEIGHT, WIDTH), bool))
    np.savez(file, pixels=np.moveaxis(pixels(), 0, -1), valid=valid, text=np.array(json.dumps(place)))
    return (file.getvalue(),)


@seeds_of("cached header")
def _cached_header() -> Seeds:
    header = {
        "width": 4096,
        "height": 2048,
        "transform": list(PLACE)[:6],
        "crs": rasterio.CRS.from_string(CRS).to_wkt(),
        "block": [512, 512],
        "overviews": [2, 4],
        "notes": ["a note"],
    }
    return (json.dumps(header).encode(),)


@seeds_of("link")
def _link() -> Seeds:
    return tuple(
        text.encode()
        for text in (
            "source=Tiles&tile=west&models=UNet&gsd=20+cm%2Fpx&threshold=0.5",
            "source=Town&town=3&town_gsd=20+cm/px&models=UNet",
            "source=Path&path=a.tif&truth_path=b.geojson&side=512&column=3&row=4",
            "source=Scenes&scene=a&city=Accra&scene_file=b&folder=/etc",
            "example=Accra&native=10&mode=errors&min_area=3&strategy=Native",
        )
    )


@seeds_of("area link")
def _area_link() -> Seeds:
    return b"64x48_0_0_64_0_64_24.5_0_24", b"64x48_-10.5_3_40_9_20_44_5_60_1_30", b"100x48_0_0_9_0_9_9"


@seeds_of("drawn area")
def _drawn_area() -> Seeds:
    degrees = [[5.6067, -3.0], [5.6067, -2.9999], [5.6069, -2.9999], [5.6069, -3.0]]
    metres = [[619_998, 500_001], [619_998, 500_004], [619_996, 500_003]]
    return tuple(json.dumps({"drawing": corners, "at": 1}).encode() for corners in (degrees, metres, None))


@seeds_of("kept upload")
def _kept_upload() -> Seeds:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        facts = {"names": {"image_file": "a.png", "truth_file": "b.png"}, "fields": {"native-1": "9.8"}}
        archive.writestr("facts.json", json.dumps(facts))
        for name in facts["names"]:
            archive.writestr(name, picture("PNG"))
    return (file.getvalue(),)


@seeds_of("names")
def _names() -> Seeds:
    return b"Accra, a building site", "Z\u00fcrich </script><script>alert(1)</script> {{data}} ]]>.tif".encode()
