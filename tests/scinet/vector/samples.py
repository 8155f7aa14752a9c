"""The same three houses on a scene of 100 x 100 px, written in every format that can be read."""

import gzip
import io
import json
import sqlite3
import struct
import zipfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from rasterio.crs import CRS
from rasterio.transform import Affine
from shapely import Polygon, box

from scinet.vector.footprints import LONLAT, reproject

UTM = CRS.from_epsg(32630)
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SIDE_PX = 100
HOUSES = [box(10, 10, 30, 30), box(40, 20, 60, 50), Polygon([(5, 60), (30, 60), (30, 80), (5, 80)])]  # in px


def placed(crs: CRS) -> list[Polygon]:
    metres = [shapely.transform(house, lambda xy: np.column_stack(PLACE @ xy.T)) for house in HOUSES]
    return list(reproject(np.array(metres, dtype=object), UTM, crs))


def frame(crs: CRS = UTM, **columns: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"id": range(3), **columns}, geometry=placed(crs), crs=crs.to_wkt())


def write(path: Path, crs: str | None = "EPSG:32630") -> Path:
    wkb = shapely.to_wkb(np.array(placed(UTM), dtype=object))
    ids = np.arange(len(wkb))
    pyogrio.raw.write(path, wkb, field_data=[ids], fields=["id"], geometry_type="Polygon", crs=crs)
    return path


def geojson(crs: CRS = LONLAT, swapped: bool = False, **members: Any) -> bytes:
    houses = placed(crs)
    if swapped:
        houses = [shapely.transform(house, lambda xy: xy[:, ::-1]) for house in houses]
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(each)} for each in houses]
    return json.dumps({"type": "FeatureCollection", **members, "features": features}).encode()


def lines(mark: str) -> bytes:
    features = json.loads(geojson())["features"]
    return "".join(f"{mark}{json.dumps(feature)}\n" for feature in features).encode()


def kml() -> bytes:
    def ring(house: Polygon) -> str:
        return " ".join(f"{x:.9f},{y:.9f},12" for x, y in house.exterior.coords)

    marks = "".join(
        "<Placemark><name>a</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        f"{ring(house)}</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for house in placed(LONLAT)
    )
    text = f'<?xml version="1.0"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>'
    return text.encode()


def gml(srs: str, swapped: bool = False) -> bytes:
    """GML 3.2 in longitude and latitude."""

    def ring(house: Polygon) -> str:
        return " ".join(f"{y:.9f} {x:.9f}" if swapped else f"{x:.9f} {y:.9f}" for x, y in house.exterior.coords)

    members = "".join(
        f'<wfs:member><house><height>3</height><geom><gml:Polygon srsName="{srs}"><gml:exterior><gml:LinearRing>'
        f"<gml:posList>{ring(house)}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></geom></house></wfs:member>"
        for house in placed(LONLAT)
    )
    spaces = 'xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"'
    return f'<?xml version="1.0"?><wfs:FeatureCollection {spaces}>{members}</wfs:FeatureCollection>'.encode()


def citygml() -> bytes:
    """CityGML 2 of solids: floors, roofs and walls with heights, in a compound CRS as its authors write it."""

    def polygon(corners: list[tuple[float, float, float]]) -> str:
        numbers = " ".join(f"{x:.3f} {y:.3f} {z:.1f}" for x, y, z in corners)
        return (
            "<gml:surfaceMember><gml:Polygon><gml:exterior><gml:LinearRing>"
            f'<gml:posList srsDimension="3">{numbers}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon>'
            "</gml:surfaceMember>"
        )

    def building(house: Polygon) -> str:
        ring = list(house.exterior.coords)
        floor, roof = ([(x, y, height) for x, y in ring] for height in (0, 4))
        walls = [[(*a, 0), (*b, 0), (*b, 4), (*a, 4), (*a, 0)] for a, b in pairwise(ring)]
        faces = "".join(polygon(face) for face in (floor[::-1], roof, *walls))
        solid = (
            f"<gml:Solid><gml:exterior><gml:CompositeSurface>{faces}</gml:CompositeSurface></gml:exterior></gml:Solid>"
        )
        return (
            "<core:cityObjectMember><bldg:Building><bldg:measuredHeight>4</bldg:measuredHeight>"
            f"<bldg:lod1Solid>{solid}</bldg:lod1Solid></bldg:Building></core:cityObjectMember>"
        )

    spaces = (
        'xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0" '
        'xmlns:gml="http://www.opengis.net/gml"'
    )
    crs = "urn:ogc:def:crs,crs:EPSG::32630,crs:EPSG::5783"
    bounds = f'<gml:boundedBy><gml:Envelope srsName="{crs}" srsDimension="3"/></gml:boundedBy>'
    members = "".join(building(house) for house in placed(UTM))
    return f'<?xml version="1.0"?><core:CityModel {spaces}>{bounds}{members}</core:CityModel>'.encode()


def undefined_geopackage(path: Path, srs_id: int) -> Path:
    """A GeoPackage whose layer has one of the two undefined CRSs: 0 (geographic) or -1 (Cartesian)."""
    write(path, crs=None)
    with closing(sqlite3.connect(path)) as database, database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        for table in ("gpkg_contents", "gpkg_geometry_columns"):
            database.execute(f"UPDATE {table} SET srs_id = ?", (srs_id,))
    return path


def gml2() -> bytes:
    def ring(house: Polygon) -> str:
        return " ".join(f"{x:.3f},{y:.3f}" for x, y in house.exterior.coords)

    members = "".join(
        '<gml:featureMember><house><gml:Polygon srsName="EPSG:32630"><gml:outerBoundaryIs><gml:LinearRing>'
        f"<gml:coordinates>{ring(house)}</gml:coordinates></gml:LinearRing></gml:outerBoundaryIs></gml:Polygon></house>"
        "</gml:featureMember>"
        for house in placed(UTM)
    )
    return f'<ogr:FeatureCollection xmlns:gml="http://www.opengis.net/gml">{members}</ogr:FeatureCollection>'.replace(
        "ogr:", ""
    ).encode()


def csv(crs: CRS = LONLAT) -> bytes:
    rows = "".join(f'{i},0.{9 - i},"{house.wkt}"\n' for i, house in enumerate(placed(crs)))
    return f"id,confidence,geometry\n{rows}".encode()


def esri() -> bytes:
    features = [{"attributes": {}, "geometry": {"rings": [list(map(list, h.exterior.coords))]}} for h in placed(LONLAT)]
    return json.dumps(
        {"geometryType": "esriGeometryPolygon", "spatialReference": {"wkid": 4326}, "features": features}
    ).encode()


def coco(outline: str = "polygon", images: int = 1, categories: int = 1, size: int = SIDE_PX) -> bytes:
    def segmentation(house: Polygon) -> Any:
        if outline == "polygon":
            return [[value for xy in house.exterior.coords[:-1] for value in xy]]
        mask = np.zeros((SIDE_PX, SIDE_PX), np.int8)
        left, top, right, bottom = map(int, house.bounds)
        mask[top:bottom, left:right] = 1
        flat = mask.T.ravel()
        edges = np.flatnonzero(np.diff(flat)) + 1
        return {"size": [SIDE_PX, SIDE_PX], "counts": np.diff([0, *edges, flat.size]).tolist()}

    annotations = []
    for i, house in enumerate(HOUSES):
        left, top, right, bottom = house.bounds
        one = {"id": i, "image_id": 1, "category_id": 1, "bbox": [left, top, right - left, bottom - top]}
        annotations.append(one | ({} if outline == "box" else {"segmentation": segmentation(house)}))
    if categories > 1:
        annotations.append(
            {**annotations[0], "id": 9, "category_id": 2, "segmentation": [[0, 0, 99, 0, 99, 99, 0, 99]]}
        )
    files = [
        {"id": i + 1, "file_name": f"{'image' if i == 0 else i}.png", "width": size, "height": size}
        for i in range(images)
    ]
    names = [{"id": 1, "name": "building"}, {"id": 2, "name": "road"}][:categories]
    return json.dumps({"images": files, "annotations": annotations, "categories": names}).encode()


def yolo(box_of: bool = False) -> bytes:
    rows = []
    for house in HOUSES:
        left, top, right, bottom = (value / SIDE_PX for value in house.bounds)
        corners = [value / SIDE_PX for xy in house.exterior.coords[:-1] for value in xy]
        numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top] if box_of else corners
        rows.append("0 " + " ".join(f"{value:.6f}" for value in numbers))
    return "\n".join(rows).encode()


def voc() -> bytes:
    objects = "".join(
        "<object><name>building</name><bndbox><xmin>{:g}</xmin><ymin>{:g}</ymin><xmax>{:g}</xmax><ymax>{:g}</ymax>"
        "</bndbox></object>".format(*house.bounds)
        for house in HOUSES
    )
    size = f"<size><width>{SIDE_PX}</width><height>{SIDE_PX}</height><depth>3</depth></size>"
    return f"<annotation><filename>image.png</filename>{size}{objects}</annotation>".encode()


def labelme() -> bytes:
    shapes = [
        {"label": "house", "shape_type": "polygon", "points": list(map(list, house.exterior.coords[:-1]))}
        for house in HOUSES
    ]
    return json.dumps(
        {"version": "5.0", "shapes": shapes, "imageWidth": SIDE_PX, "imageHeight": SIDE_PX, "imageData": None}
    ).encode()


def topojson() -> bytes:
    arcs = [list(map(list, house.exterior.coords)) for house in placed(LONLAT)]
    shapes = [{"type": "Polygon", "arcs": [[i]]} for i in range(len(arcs))]
    houses = {"type": "GeometryCollection", "geometries": shapes}
    return json.dumps({"type": "Topology", "objects": {"houses": houses}, "arcs": arcs}).encode()


def solids(path: Path, kind: str) -> Path:
    """A GeoPackage of boxes with floors, roofs and one wall, or of triangles."""
    write(path)

    def ring(points: list[tuple[float, ...]]) -> bytes:
        return struct.pack("<I", len(points)) + b"".join(struct.pack("<3d", *point) for point in points)

    def face(points: list[tuple[float, ...]], code: int) -> bytes:
        return struct.pack("<BII", 1, code, 1) + ring([*points, points[0]])

    with closing(sqlite3.connect(path)) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        for number, house in enumerate(placed(UTM), 1):
            a, b, c, d = [(x, y) for x, y in house.exterior.coords[:-1]]
            floors = [[(*corner, height) for corner in (a, b, c, d)] for height in (0.0, 5.0)]
            wall = [(*a, 0.0), (*b, 0.0), (*b, 5.0), (*a, 5.0)]
            if kind == "TIN":
                faces = [face([(*p, 0.0) for p in corners], 1017) for corners in ((a, b, c), (a, c, d))]
            else:
                faces = [face(points, 1003) for points in (*floors, wall)]
            code = 1016 if kind == "TIN" else 1015
            wkb = struct.pack("<BII", 1, code, len(faces)) + b"".join(faces)
            head = b"GP\x00\x01" + struct.pack("<i", 32630)
            database.execute(f'UPDATE "{path.stem}" SET geom = ? WHERE fid = ?', (head + wkb, number))
        database.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = ?, z = 1", (kind,))
        database.execute("DELETE FROM gpkg_extensions")
        database.commit()
    return path


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


def parts_of_a_shapefile(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write(folder / "houses.shp")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def geoparquet(path: Path, **how: Any) -> Path:
    frame().to_parquet(path, **how)
    return path


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def files(folder: Path) -> dict[str, bytes | Path]:
    shapefile = parts_of_a_shapefile(folder / "shapefile")
    return {
        "FlatGeobuf": write(folder / "houses.fgb"),
        "FlatGeobuf as bytes": write(folder / "more.fgb").read_bytes(),
        "GeoJSON lines": lines(""),
        "GeoJSON text sequence": lines("\x1e"),
        "GeoJSON, compressed": gzip.compress(geojson()),
        "Shapefile": folder / "shapefile" / "houses.shp",
        "zipped Shapefile": archive({f"data/{name}": content for name, content in shapefile.items()}),
        "Shapefile with a path that leads out": archive({f"../../{n}": content for n, content in shapefile.items()}),
        "KML": kml(),
        "KMZ": archive({"doc.kml": kml()}),
        "GeoParquet": geoparquet(folder / "houses.parquet"),
        "GeoParquet as bytes": geoparquet(folder / "more.parquet").read_bytes(),
        "GeoParquet with coordinates as lists": geoparquet(folder / "lists.parquet", geometry_encoding="geoarrow"),
        "GML": gml("urn:ogc:def:crs:EPSG::4326", swapped=True),
        "GML with longitude first": gml("EPSG:4326"),
        "CityGML": citygml(),
        "GML 2": gml2(),
        "zipped GML": archive({"houses.gml": gml2()}),
        "CSV": csv(),
        "CSV as a file": saved(folder / "houses.csv", csv()),
        "CSV, compressed": gzip.compress(csv()),
        "Esri JSON": esri(),
        "TopoJSON": topojson(),
        "COCO": coco(),
        "COCO run lengths": coco("runs"),
        "COCO boxes": coco("box"),
        "COCO of several images": coco(images=3),
        "COCO of several classes": coco(categories=2),
        "YOLO polygons": yolo(),
        "YOLO boxes": yolo(box_of=True),
        "VOC": voc(),
        "labelme": labelme(),
        "PolyhedralSurface": solids(folder / "solids.gpkg", "POLYHEDRALSURFACE"),
        "TIN": solids(folder / "triangles.gpkg", "TIN"),
        "GeoJSON in metres without a CRS": geojson(UTM),
        "GeoJSON with latitude first": geojson(swapped=True),
        "GeoPackage with degrees under a metric name": mislabelled(folder / "lie.gpkg"),
        "GeoPackage with latitude first": swapped_geopackage(folder / "swapped.gpkg"),
        "GeoPackage without a CRS": write(folder / "none.gpkg", crs=None),
    }


def mislabelled(path: Path) -> Path:
    frame(LONLAT).set_crs(32630, allow_override=True).to_file(path)
    return path


def swapped_geopackage(path: Path) -> Path:
    swapped = frame(LONLAT)
    swapped.geometry = shapely.transform(swapped.geometry.to_numpy(), lambda xy: xy[:, ::-1])
    swapped.to_file(path)
    return path
