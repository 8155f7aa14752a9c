"""Projects for QGIS: image, masks and footprints in the app's colours, found by paths relative to the project."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement

from rasterio.crs import CRS
from rasterio.transform import array_bounds

from scinet.atomic_write import atomic_write, write_text
from scinet.errors import WriteError
from scinet.raster.grid import Grid
from scinet.share.qgis_style import QGIS_VERSION, footprint_renderer, to_text

SUFFIXES = (".qgz", ".qgs")


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of a project.

    Attributes:
        title: What to call it.
        source: Its file, relative to the project's folder, or an address that GDAL reads.
        style: A `pipe` of `scinet.share.qgis_style` for an image or a mask, a renderer for footprints.
        credit: The attribution that its licence asks for.
    """

    title: str
    source: str
    style: Element | None
    credit: str = ""

    @property
    def is_vector(self) -> bool:
        """Whether it holds polygons."""
        return self.style is not None and self.style.tag == "renderer-v2"


@dataclass(frozen=True, eq=False)
class Group:
    """Layers that are switched on and off together, the upper one first; without a title they have no group."""

    title: str
    layers: Sequence[Layer]
    is_shown: bool = True


def footprint_layer(title: str, source: str, colour: str, *, with_kinds: bool = False) -> Layer:
    """The layer of a file of footprints that `write_footprints` has written."""
    inner = "|layername=buildings" if source.endswith(".gpkg") else ""
    return Layer(title, f"{source}{inner}", footprint_renderer(colour, with_kinds=with_kinds))


def project_text(title: str, grid: Grid, groups: Sequence[Group]) -> str:
    """A project as the text of a .qgs file.

    Args:
        title: What to call it.
        grid: Of the image: the project has its CRS and shows its extent.
        groups: What it shows, the uppermost first.
    """
    root = Element("qgis", {"version": QGIS_VERSION, "projectname": title})
    SubElement(root, "homePath", {"path": ""})
    SubElement(root, "title").text = title
    SubElement(root, "projectCrs").append(_crs(grid.crs))
    tree = SubElement(root, "layer-tree-group")
    _add_canvas(root, grid)
    layers, order = SubElement(root, "projectlayers"), SubElement(root, "layerorder")
    for group in groups:
        checked = "Qt::Checked" if group.is_shown else "Qt::Unchecked"
        place = tree
        if group.title:
            facts = {"name": group.title, "checked": checked, "expanded": "1" if group.is_shown else "0"}
            place = SubElement(tree, "layer-tree-group", facts)
        for layer in group.layers:
            name = f"scinet_{uuid4().hex}"
            provider = "ogr" if layer.is_vector else "gdal"
            facts = {"id": name, "name": layer.title, "source": layer.source, "providerKey": provider}
            SubElement(place, "layer-tree-layer", {**facts, "checked": "Qt::Checked", "expanded": "0"})
            layers.append(_layer(layer, name, provider, grid.crs))
            SubElement(order, "layer", {"id": name})
    properties = SubElement(root, "properties")
    SubElement(SubElement(properties, "Paths"), "Absolute", {"type": "bool"}).text = "false"
    projected = SubElement(properties, "SpatialRefSys")
    SubElement(projected, "ProjectionsEnabled", {"type": "int"}).text = "0" if grid.crs is None else "1"
    return to_text(root)


def check_project_path(path: Path) -> None:
    """Raise WriteError where a path is not that of a project that can be written."""
    if path.suffix not in SUFFIXES:
        raise WriteError(f"{path} cannot be written: a project's name ends in {' or '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise WriteError(f"{path} cannot be written: its folder does not exist.")


def write_project(path: Path, title: str, grid: Grid, groups: Sequence[Group]) -> None:
    """Write a project as .qgz or .qgs; other arguments as for `project_text`. Raises WriteError."""
    check_project_path(path)
    text = project_text(title, grid, groups)
    if path.suffix == ".qgs":
        write_text(path, text)
        return
    with atomic_write(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}.qgs", text)


def relative(file: Path, project: Path) -> str:
    """The path of a file as a project names it.

    >>> relative(Path("/maps/masks/a.tif"), Path("/maps/a.qgz"))
    './masks/a.tif'
    """
    try:
        path = os.path.relpath(file.resolve(), project.resolve().parent)
    except ValueError:  # another drive of Windows
        return file.resolve().as_posix()
    return f"./{Path(path).as_posix()}"


def _layer(layer: Layer, name: str, provider: str, crs: CRS | None) -> Element:
    facts = {"type": "vector", "geometry": "Polygon", "wkbType": "Polygon"} if layer.is_vector else {"type": "raster"}
    found = Element("maplayer", facts)
    texts = {"id": name, "datasource": layer.source, "layername": layer.title, "attribution": layer.credit}
    for tag, text in texts.items():
        SubElement(found, tag).text = text
    # GeoJSON alone is in degrees whatever the image is in
    in_degrees = layer.source.endswith(".geojson")
    SubElement(found, "srs").append(_crs(CRS.from_epsg(4326) if in_degrees else crs))
    SubElement(found, "provider", {"encoding": "UTF-8"} if layer.is_vector else {}).text = provider
    if layer.style is not None:
        found.append(layer.style)
    return found


def _add_canvas(root: Element, grid: Grid) -> None:
    canvas = SubElement(root, "mapcanvas", {"name": "theMapCanvas"})
    SubElement(canvas, "units").text = "degrees" if grid.crs is not None and grid.crs.is_geographic else "meters"
    extent = SubElement(canvas, "extent")
    bounds = array_bounds(grid.height, grid.width, grid.transform)
    for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True):
        SubElement(extent, tag).text = f"{value:.10g}"
    SubElement(canvas, "rotation").text = "0"
    SubElement(canvas, "destinationsrs").append(_crs(grid.crs))


def _crs(crs: CRS | None) -> Element:
    """A CRS; an empty one without, where coordinates are metres of a local plane."""
    found = Element("spatialrefsys", {"nativeFormat": "Wkt"})
    epsg = None if crs is None else crs.to_epsg()
    texts = {
        "wkt": "" if crs is None else crs.to_wkt(version="WKT2_2019"),
        "authid": f"EPSG:{epsg}" if epsg else "",
        "geographicflag": "true" if crs is not None and crs.is_geographic else "false",
    }
    for tag, text in texts.items():
        SubElement(found, tag).text = text
    return found
