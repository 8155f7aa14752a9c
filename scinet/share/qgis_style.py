"""How QGIS draws results: renderers in the app's colours, and the .qml files that QGIS loads by themselves."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scinet.atomic_write import write_text
from scinet.raster.geotiff import PROBABILITY_STEP
from scinet.segmentation.scene import Output
from scinet.share.pictures import KIND_COLOURS, MASK_COLOUR
from scinet.share.storable import storable

QGIS_VERSION = "3.16.0-Hannover"  # the oldest whose way of writing symbols this is; newer ones read it
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_STYLED = (".gpkg", ".geojson", ".fgb", ".parquet", ".shp", ".zip")  # polygons with attributes
_FILL_ALPHA, _MASK_ALPHA = 90, 140  # of 255
_OUTLINE_MM = 0.4
# Kinds of components, as footprints name them: what to call them, and the kind whose colour they have on the map
_KINDS = {"good": ("Building", "found"), "merger": ("Merged buildings", "merged"), "false": ("False area", "false")}


def footprint_renderer(colour: str = MASK_COLOUR, *, with_kinds: bool = False) -> Element:
    """The renderer of footprints: all alike, or by their attribute `kind`.

    Args:
        colour: "#rrggbb", of footprints of no kind.
        with_kinds: Whether they have kinds.
    """
    common = {"forceraster": "0", "symbollevels": "0", "enableorderby": "0"}
    if not with_kinds:
        renderer = Element("renderer-v2", {"type": "singleSymbol", **common})
        _add_symbols(renderer, [colour])
        return renderer
    renderer = Element("renderer-v2", {"type": "categorizedSymbol", "attr": "kind", **common})
    categories = SubElement(renderer, "categories")
    for number, (kind, (label, _)) in enumerate(_KINDS.items()):
        facts = {"value": kind, "label": label, "symbol": str(number), "render": "true", "type": "string"}
        SubElement(categories, "category", facts)
    _add_symbols(renderer, [KIND_COLOURS[shown_as] for _, shown_as in _KINDS.values()])
    return renderer


def outline_renderer(colour: str) -> Element:
    """The renderer of polygons through which everything below them shows."""
    renderer = Element("renderer-v2", {"type": "singleSymbol", "forceraster": "0", "symbollevels": "0"})
    _add_symbols(renderer, [colour], is_filled=False)
    return renderer


def _add_symbols(renderer: Element, colours: Iterable[str], *, is_filled: bool = True) -> None:
    symbols = SubElement(renderer, "symbols")
    for number, colour in enumerate(colours):
        facts = {"type": "fill", "name": str(number), "alpha": "1", "clip_to_extent": "1", "force_rhr": "0"}
        symbol = SubElement(symbols, "symbol", facts)
        layer = SubElement(symbol, "layer", {"class": "SimpleFill", "pass": "0", "enabled": "1", "locked": "0"})
        options = SubElement(layer, "Option", {"type": "Map"})
        red_green_blue = ",".join(str(channel) for channel in bytes.fromhex(colour[1:]))
        for name, value in {
            "color": f"{red_green_blue},{_FILL_ALPHA}",
            "style": "solid" if is_filled else "no",
            "outline_color": f"{red_green_blue},255",
            "outline_style": "solid",
            "outline_width": f"{_OUTLINE_MM}",
            "outline_width_unit": "MM",
            "joinstyle": "miter",
        }.items():
            SubElement(options, "Option", {"name": name, "value": value, "type": "QString"})


def mask_pipe(colour: str = MASK_COLOUR) -> Element:
    """How a mask is drawn: buildings in a colour, "#rrggbb", through which the image shows, and nothing elsewhere."""
    pipe = Element("pipe")
    facts = {"type": "paletted", "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    palette = SubElement(SubElement(pipe, "rasterrenderer", facts), "colorPalette")
    building = {"value": "1", "color": colour, "alpha": str(_MASK_ALPHA), "label": "Building"}
    SubElement(palette, "paletteEntry", building)
    return pipe


def result_pipe(output: Output, colour: str = MASK_COLOUR) -> Element:
    """How the raster of a run is drawn, by what it holds: see `segment_to_file`."""
    if output == "mask":
        return mask_pipe(colour)
    return probability_pipe(1 / PROBABILITY_STEP if output == "uint8" else 1.0)


def probability_pipe(highest: float) -> Element:
    """How a probability is drawn: from clear at 0 to the colour of masks at `highest`, the stored value of 1."""
    pipe = Element("pipe")
    facts = {"type": "singlebandpseudocolor", "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    facts |= {"classificationMin": "0", "classificationMax": f"{highest:g}"}
    shader = SubElement(SubElement(pipe, "rasterrenderer", facts), "rastershader")
    ramp = {"colorRampType": "INTERPOLATED", "classificationMode": "1", "clip": "0"}
    ramp |= {"minimumValue": "0", "maximumValue": f"{highest:g}"}
    items = SubElement(shader, "colorrampshader", ramp)
    for share, alpha in ((0, 0), (1, 255)):
        item = {"value": f"{share * highest:g}", "color": MASK_COLOUR, "alpha": str(alpha), "label": str(share)}
        SubElement(items, "item", item)
    return pipe


def image_pipe(bands: Sequence[int], alpha: int | None, stretch: tuple[float, float] | None = None) -> Element:
    """How an image is drawn.

    Args:
        bands: The numbers, from 1, of one band or of three.
        alpha: That of the band of transparency.
        stretch: The values that become black and white, if not 8 bits.
    """
    pipe = Element("pipe")
    facts = {"opacity": "1", "alphaBand": str(alpha or -1), "nodataColor": ""}
    if len(bands) == 1:
        facts |= {"type": "singlebandgray", "grayBand": str(bands[0]), "gradient": "BlackToWhite"}
        renderer, names = SubElement(pipe, "rasterrenderer", facts), ["contrastEnhancement"]
    else:
        colours = ("red", "green", "blue")
        shown = {f"{colour}Band": str(band) for colour, band in zip(colours, bands, strict=True)}
        renderer = SubElement(pipe, "rasterrenderer", {"type": "multibandcolor", **facts, **shown})
        names = [f"{colour}ContrastEnhancement" for colour in colours]
    for name in names if stretch else []:
        enhancement = SubElement(renderer, name)
        values = {"minValue": f"{min(stretch):g}", "maxValue": f"{max(stretch):g}"} if stretch else {}
        for tag, text in {**values, "algorithm": "StretchToMinimumMaximum"}.items():
            SubElement(enhancement, tag).text = text
    return pipe


def footprint_style(*, with_kinds: bool = False, pipe: Element | None = None) -> str:
    """The text of a .qml file for footprints.

    Args:
        with_kinds: Whether they have kinds, which have colours.
        pipe: How to draw a raster of the same name, for which QGIS takes the same file.
    """
    root = Element("qgis", {"version": QGIS_VERSION, "styleCategories": "Symbology"})
    root.append(footprint_renderer(with_kinds=with_kinds))
    if pipe is not None:
        root.append(pipe)
    SubElement(root, "layerGeometryType").text = "2"
    return to_text(root)


def to_text(root: Element) -> str:
    """A file of QGIS as text."""
    indent(root)
    return storable(f"{_DOCTYPE}{tostring(root, encoding='unicode')}\n")


def write_footprint_style(footprints: Path, raster: Path, output: Output) -> Path | None:
    """Write the .qml file that QGIS loads with a file of footprints; one that is there already stays.

    Args:
        footprints: The file of footprints, which have no kinds.
        raster: The file that they were traced from.
        output: What that holds.

    Returns:
        The style's file. None where there was one, or where QGIS could not use it: outlines alone, or tiles.

    Raises:
        WriteError: It cannot be written.
    """
    path = footprints.with_suffix(".qml")
    if footprints.suffix not in _STYLED or path.exists():
        return None
    is_for_both = raster.resolve().with_suffix(".qml") == path.resolve()
    write_text(path, footprint_style(pipe=result_pipe(output) if is_for_both else None))
    return path
