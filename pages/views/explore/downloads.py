"""Results as files: masks, probabilities, footprints and reports, each made only when it is downloaded."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import streamlit as st

from pages.app.runs import Result, evaluate_on_grids
from scinet.evaluation.report import report, to_json
from scinet.raster.geotiff import MASK_NODATA, write_mask, write_probability
from scinet.vector.footprints import write_footprints


@dataclass(frozen=True)
class File:
    """A file to download: `make` returns its bytes."""

    label: str
    name: str
    mimetype: str
    help: str
    make: Callable[[], bytes]


def button(results: Sequence[Result]) -> None:
    """Draw one button for all files of the models."""
    tip = "Masks, probabilities, footprints and reports of the models"
    with st.popover("Download", disabled=not results, help=tip):
        for result in results:
            st.markdown(f"**{result.card.title}**, {result.run.task.cm_per_px:.3g} cm/px")
            with st.container(horizontal=True, gap="small"):
                for file in files(result):
                    st.download_button(
                        file.label,
                        file.make,
                        file.name,
                        file.mimetype,
                        on_click="ignore",
                        help=file.help,
                        key=f"download-{result.card.name}-{file.label}",
                    )
        if results and results[0].evaluation.raster.crs is None:
            st.caption(
                "No GeoJSON: it needs longitude and latitude, and this image has no georeference. "
                "The coordinates in the files are in metres from its upper left corner, x to the right and y up."
            )


def files(result: Result) -> list[File]:
    """The files of a model's mask at the working resolution."""
    task, raster = result.run.task, result.evaluation.raster
    stem = f"{_plain(task.subject.title)}_{task.card.name}_{task.cm_per_px:.4g}cm-per-px"
    found = [
        File(
            "Mask .tif",
            f"{stem}_mask.tif",
            "image/tiff",
            "1 = building, 0 = background, 255 = nodata",
            lambda: _bytes(_write_mask, result, ".tif"),
        ),
        File(
            "Probability .tif",
            f"{stem}_probability.tif",
            "image/tiff",
            "0 to 250 in steps of 0.004, see the file's scale; 255 = nodata",
            lambda: _bytes(_write_probability, result, ".tif"),
        ),
        File(
            "Footprints .gpkg",
            f"{stem}_footprints.gpkg",
            "application/geopackage+sqlite3",
            "Polygons in the image's CRS with area_m2, and their kind if there are reference buildings",
            lambda: _bytes(_write_footprints, result, ".gpkg"),
        ),
        File(
            "Footprints .geojson",
            f"{stem}_footprints.geojson",
            "application/geo+json",
            "Polygons in longitude and latitude with area_m2, and their kind if there are reference buildings",
            lambda: _bytes(_write_footprints, result, ".geojson"),
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


def _write_mask(path: Path, result: Result) -> None:
    evaluation = result.evaluation
    values = np.where(evaluation.raster.valid, evaluation.prediction, MASK_NODATA).astype(np.uint8)
    write_mask(path, values, evaluation.raster)


def _write_probability(path: Path, result: Result) -> None:
    write_probability(path, result.run.probability, result.evaluation.raster)


def _write_footprints(path: Path, result: Result) -> None:
    evaluation = result.evaluation
    kinds = None if evaluation.diagnosis is None else evaluation.diagnosis.components.kind.tolist()
    write_footprints(path, evaluation.predicted_labels, evaluation.raster, kinds)


def _report(result: Result) -> bytes:
    task = result.run.task
    evaluations = evaluate_on_grids(result.run, result.settings)
    return to_json(report(task.subject.title, task.card, task.strategy, **evaluations)).encode()


def _bytes(write: Callable[[Path, Result], None], result: Result, suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(path, result)
        return path.read_bytes()


def _plain(title: str) -> str:
    """A title as part of a file's name.

    >>> _plain("Accra · d41d81_0")
    'Accra-d41d81_0'
    """
    return re.sub(r"[^\w.]+", "-", re.sub(r"\.(tiff?|png|jpe?g|webp|jp2)$", "", title, flags=re.IGNORECASE)).strip("-.")
