"""Results as files: masks, probabilities, footprints and reports, each made only when it is downloaded."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np
import streamlit as st

from pages.app.markdown import sentence
from pages.app.runs import Result, evaluate_on_grids
from pages.app.subject import Subject
from scinet.evaluation.report import report, to_json
from scinet.raster.geotiff import MASK_NODATA, write_mask, write_probability, write_raster
from scinet.share.pictures import model_colour
from scinet.share.qgis import Group, Layer, footprint_layer, project_text
from scinet.share.qgis_reference import reference_layer, write_reference
from scinet.share.qgis_style import footprint_style, image_pipe, mask_pipe
from scinet.vector.footprint_file import write_footprints


class Outlines(NamedTuple):
    """How the footprints' outlines are cleaned, as by `scinet segment`."""

    min_hole_m2: float = 0.0
    simplify_m: float = 0.0
    square: bool = False


_MOST_LETTERS = 100  # of a title in a file's name, so that every system takes it
TRACED = Outlines()  # along the pixels' edges


@dataclass(frozen=True)
class File:
    """A file for download: `make` gives its bytes."""

    label: str
    name: str
    mimetype: str
    help: str
    make: Callable[[], bytes]


def button(results: Sequence[Result]) -> None:
    """Draw one button for all files of the models, and how footprints are cleaned."""
    tip = "Masks, probabilities, footprints and reports of the models"
    with st.popover("Download", disabled=not results, help=tip):
        outlines = _choose_outlines(results[0].settings.min_area_m2) if results else TRACED
        if results:
            _download(qgis_project(results, outlines), "download-qgis")
        for result in results:
            st.markdown(f"**{sentence(result.card.title)}**, {result.run.task.cm_per_px:.3g} cm/px")
            with st.container(horizontal=True, gap="small"):
                for file in files(result, outlines):
                    _download(file, f"download-{result.card.name}-{file.label}")
        if results and results[0].evaluation.raster.crs is None:
            st.caption(
                "No GeoJSON: it needs longitude and latitude, and this image has no georeference. "
                "The coordinates in the files are in metres from its upper left corner, x to the right and y up."
            )


def _download(file: File, key: str) -> None:
    st.download_button(file.label, file.make, file.name, file.mimetype, on_click="ignore", help=file.help, key=key)


def _choose_outlines(min_area_m2: float) -> Outlines:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        square = st.toggle("Square corners", key="download_square", help="Straight walls at right angles or 45 degrees")
        simplify_m = st.number_input(
            "Simplify (m)",
            0.0,
            10.0,
            step=0.1,
            format="%.1f",
            width=130,
            key="download_simplify",
            help="How far outlines may be from the pixels' edges; with square corners, 0 means 0.5",
        )
        min_hole_m2 = st.number_input(
            "Minimum hole (m²)",
            0.0,
            1000.0,
            step=1.0,
            format="%.1f",
            width=150,
            key="download_min_hole",
            help="Smaller holes in footprints are closed; at most the minimum area of a building",
        )
    if min_hole_m2 > min_area_m2:
        st.caption(
            f"Holes are closed up to the minimum area of a building, {min_area_m2:g} m²: "
            "larger ones may hold buildings that are shown."
        )
    return Outlines(min(min_hole_m2, min_area_m2), simplify_m, square)


def files(result: Result, outlines: Outlines = TRACED) -> list[File]:
    """The files of a model's mask on the working grid."""
    task, raster = result.run.task, result.evaluation.raster
    stem = f"{plain(task.subject.title)}_{plain(task.card.name)}_{task.cm_per_px:.4g}cm-per-px"
    found = [
        File(
            "Mask .tif",
            f"{stem}_mask.tif",
            "image/tiff",
            "1 = building, 0 = background, 255 = nodata",
            lambda: _bytes(".tif", lambda path: _write_mask(path, result)),
        ),
        File(
            "Probability .tif",
            f"{stem}_probability.tif",
            "image/tiff",
            "0 to 250 in steps of 0.004, see the file's scale; 255 = nodata",
            lambda: _bytes(".tif", lambda path: _write_probability(path, result)),
        ),
        File(
            "Footprints .gpkg",
            f"{stem}_footprints.gpkg",
            "application/geopackage+sqlite3",
            "Polygons in the image's CRS with area_m2, confidence and, given reference buildings, their kind",
            lambda: _bytes(".gpkg", lambda path: _write_footprints(path, result, outlines)),
        ),
        File(
            "Footprints .geojson",
            f"{stem}_footprints.geojson",
            "application/geo+json",
            "Polygons in longitude and latitude with area_m2, confidence and, given reference buildings, their kind",
            lambda: _bytes(".geojson", lambda path: _write_footprints(path, result, outlines)),
        ),
        File(
            "Style .qml",
            f"{stem}_footprints.qml",
            "application/xml",
            "The colours of the footprints: QGIS loads this file with them if both are in one folder",
            lambda: footprint_style(with_kinds=result.evaluation.diagnosis is not None).encode(),
        ),
        File(
            "Report .json",
            f"{stem}_report.json",
            "application/json",
            "Settings, areas, scores, error shares and buildings by kind",
            lambda: _report(result),
        ),
    ]
    return [file for file in found if raster.crs is not None or not file.name.endswith(".geojson")]


def qgis_project(results: Sequence[Result], outlines: Outlines = TRACED) -> File:
    """A zip of a QGIS project with its files: the image, and the mask and footprints of each model, the first shown."""
    task = results[0].run.task
    subject, title = task.subject, plain(task.subject.title) or "image"
    folder = f"{title}_{task.cm_per_px:.4g}cm-per-px_qgis"

    def make() -> bytes:
        buffer, groups = BytesIO(), list[Group]()
        with ZipFile(buffer, "w") as archive:
            for result in results:
                found = {file.label: file for file in files(result, outlines)}
                mask, footprints, style = (found[label] for label in ("Mask .tif", "Footprints .gpkg", "Style .qml"))
                for file in (mask, footprints, style):
                    archive.writestr(f"{folder}/{file.name}", file.make())
                colour, has_kinds = model_colour(result.card.architecture), result.evaluation.diagnosis is not None
                layers = [
                    footprint_layer("Footprints", f"./{footprints.name}", colour, with_kinds=has_kinds),
                    Layer("Mask", f"./{mask.name}", mask_pipe(colour)),
                ]
                name = f"{result.card.title}, {task.cm_per_px:.3g} cm/px"
                groups.append(Group(name, layers, is_shown=not groups))
            if subject.truth is not None:
                groups.insert(0, Group("", [_reference(archive, folder, f"{title}_reference.gpkg", subject)]))
            image = f"{title}.tif"
            archive.writestr(f"{folder}/{image}", _bytes(".tif", lambda path: write_raster(path, subject.raster)))
            groups.append(Group("", [Layer("Image", f"./{image}", image_pipe((1, 2, 3), 4), subject.credit)]))
            archive.writestr(f"{folder}/{title}.qgs", project_text(subject.title, subject.raster.grid, groups))
        return buffer.getvalue()

    return File(
        "QGIS project .zip",
        f"{folder}.zip",
        "application/zip",
        "Image, masks and footprints of all models and the reference buildings in one project, in the colours of the "
        "map. Unpack it and open the .qgs file.",
        make,
    )


def _reference(archive: ZipFile, folder: str, name: str, subject: Subject) -> Layer:
    """Put the reference buildings into an archive; returns their layer."""
    assert subject.truth is not None
    buildings, grid = subject.truth.buildings, subject.raster.grid
    archive.writestr(f"{folder}/{name}", _bytes(".gpkg", lambda path: write_reference(path, buildings, grid)))
    return reference_layer(f"./{name}")


def _write_mask(path: Path, result: Result) -> None:
    evaluation = result.evaluation
    mask = np.where(evaluation.raster.valid, evaluation.prediction, MASK_NODATA).astype(np.uint8)
    threshold, min_area_m2 = result.settings
    cleaned = f", components of {min_area_m2:g} m2 or more" if min_area_m2 else ""
    write_mask(path, mask, evaluation.raster, note=f"{_made_by(result)}, threshold {threshold:g}{cleaned}.")


def _write_probability(path: Path, result: Result) -> None:
    write_probability(path, result.run.probability, result.evaluation.raster, note=f"{_made_by(result)}.")


def _made_by(result: Result) -> str:
    return f"{result.card.title} at {result.evaluation.raster.cm_per_px:.4g} cm/px, strategy {result.run.task.strategy}"


def _write_footprints(path: Path, result: Result, outlines: Outlines) -> None:
    write_footprints(
        path,
        result.evaluation.prediction,
        result.evaluation.raster,
        kinds=None if result.evaluation.diagnosis is None else result.evaluation.diagnosis.components.kind.tolist(),
        probability=result.run.probability,
        min_area_m2=result.settings.min_area_m2,
        **outlines._asdict(),
    )


def _report(result: Result) -> bytes:
    task = result.run.task
    evaluations = evaluate_on_grids(result.run, result.settings)
    working, native = evaluations["working"], evaluations["native"]
    is_partial = task.subject.truth is not None and task.subject.truth.is_partial
    content = report(task.subject.title, task.card, task.strategy, working, native, is_partial=is_partial)
    return to_json(content).encode()


def _bytes(suffix: str, write: Callable[[Path], None]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()


def plain(title: str) -> str:
    """A title as part of a file's name.

    >>> plain("Accra · d41d81_0")
    'Accra-d41d81_0'
    """
    return re.sub(r"[^\w.]+", "-", re.sub(r"\.(tiff?|png|jpe?g|webp|jp2)$", "", title, flags=re.IGNORECASE))[
        :_MOST_LETTERS
    ].strip("-.")
