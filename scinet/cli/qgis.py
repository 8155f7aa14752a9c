"""The QGIS project of ``scinet segment``."""

from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError

from scinet import store, web
from scinet.errors import SciNetError
from scinet.raster.scene import Scene
from scinet.segmentation.scene import SceneRun
from scinet.share.pictures import model_colour
from scinet.share.qgis import Group, Layer, footprint_layer, relative, write_project
from scinet.share.qgis_reference import reference_layer, write_reference
from scinet.share.qgis_style import image_pipe, result_pipe
from scinet.vector.annotations import AnnotatedImage
from scinet.vector.footprints import Footprints, check_same_world


def read_reference(file: Path, scene: Scene) -> Footprints:
    """The reference buildings that a scene's project is to show. Raises TruthError."""
    from scinet.vector.read import read_footprints  # pyogrio takes a second to import

    footprints = read_footprints(file, name=file.name, image=AnnotatedImage(scene.name, scene.grid, scene.taken))
    check_same_world(footprints.crs, scene.grid)
    return footprints


def write_run_project(project: Path, run: SceneRun, reference: Footprints | None) -> list[str]:
    """Write the project of a run whose files are there; returns notes for the reader.

    The reference buildings, if there are any, become a file beside it: PROJECT_reference.gpkg.

    Raises:
        WriteError: A file cannot be written.
    """
    card, grid = run.model.card, run.grid
    colour = model_colour(card.architecture)
    pipe = None if run.out.suffix == ".png" else result_pipe(run.output, colour)  # a picture is white on buildings
    layers = [Layer("Mask" if run.output == "mask" else "Probability", relative(run.out, project), pipe)]
    if run.footprints is not None:
        layers.insert(0, footprint_layer("Footprints", relative(run.footprints.path, project), colour))
    groups = [Group(f"{card.title}, {grid.cm_per_px:.3g} cm/px", layers)]
    if reference is not None:
        file = project.with_name(f"{project.stem}_reference.gpkg")
        write_reference(file, reference, grid)
        groups.insert(0, Group("", [reference_layer(relative(file, project))]))
    image = _image_layer(run.scene, project)
    if image is not None:
        groups.append(Group("", [image]))
    write_project(project, run.scene.name, grid, groups)
    if image is not None:
        return []
    return ["The QGIS project has no image: QGIS would read this one's file elsewhere or not at all. Add it there."]


def _image_layer(scene: Scene, project: Path) -> Layer | None:
    """The layer of the image; None where QGIS, which reads the file alone, would not find it where the mask is."""
    if not isinstance(scene.source, str):
        return None
    layout = scene.layout()
    pipe = image_pipe(layout.shown, layout.alpha, layout.stretch)
    if scene.is_remote:
        is_tiff = urlsplit(scene.source).path.lower().endswith((".tif", ".tiff"))
        path = store.gdal_path(scene.source) if store.is_in_store(scene.source) else web.gdal_path(scene.source)
        return Layer(scene.name, path, pipe) if is_tiff else None
    try:
        with rasterio.open(scene.source) as file:
            same_size = (file.height, file.width) == scene.grid.shape
            same_place = np.allclose(file.transform, scene.transform, rtol=1e-9, atol=0)
            if file.crs is None or file.crs != scene.crs or not (same_size and same_place):
                return None
            has_palette = file.colorinterp[0] == ColorInterp.palette
    except (RasterioError, SciNetError):
        return None
    return Layer(scene.name, relative(Path(scene.source), project), None if has_palette else pipe)
