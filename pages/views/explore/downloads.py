"""What is shown, as files: masks, probabilities, footprints and reports. Each is made when it is asked for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import streamlit as st

from pages.app.runs import Verdict
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.report import report, to_json
from scinet.raster.geotiff import MASK_NODATA, write_mask, write_probability
from scinet.vector.footprints import write_footprints


@dataclass(frozen=True)
class File:
    """A file that can be had: `make` gives its bytes."""

    label: str
    name: str
    mimetype: str
    help: str
    make: Callable[[], bytes]


def button(verdicts: Sequence[Verdict]) -> None:
    """One button for all files of the shown models."""
    tip = "Masks, probabilities, footprints and reports of the shown models"
    with st.popover("Download", disabled=not verdicts, help=tip):
        for verdict in verdicts:
            st.markdown(f"**{verdict.card.title}**, {verdict.run.task.cm_per_px:.3g} cm/px")
            with st.container(horizontal=True, gap="small"):
                for file in files(verdict):
                    st.download_button(
                        file.label,
                        file.make,
                        file.name,
                        file.mimetype,
                        on_click="ignore",
                        help=file.help,
                        key=f"download-{verdict.card.name}-{file.label}",
                    )
        if verdicts and verdicts[0].raster.crs is None:
            st.caption(
                "No GeoJSON: it needs longitude and latitude, and this image has no georeference. "
                "The files are in metres from its upper left corner, x to the right and y up."
            )


def files(verdict: Verdict) -> list[File]:
    """The files of a model's mask on the working grid."""
    task, raster = verdict.run.task, verdict.raster
    stem = f"{_plain(task.subject.title)}_{task.card.name}_{task.cm_per_px:.4g}cm-per-px"
    found = [
        File(
            "Mask .tif",
            f"{stem}_mask.tif",
            "image/tiff",
            "1 = building, 0 = not, 255 = nodata",
            lambda: _bytes(_write_mask, verdict, ".tif"),
        ),
        File(
            "Probability .tif",
            f"{stem}_probability.tif",
            "image/tiff",
            "0 to 250 in steps of 0.004, as the file's scale says; 255 = nodata",
            lambda: _bytes(_write_probability, verdict, ".tif"),
        ),
        File(
            "Footprints .gpkg",
            f"{stem}_footprints.gpkg",
            "application/geopackage+sqlite3",
            "Polygons in the image's CRS with area_m2, and their kind where there is a truth",
            lambda: _bytes(_write_footprints, verdict, ".gpkg"),
        ),
        File(
            "Footprints .geojson",
            f"{stem}_footprints.geojson",
            "application/geo+json",
            "Polygons in longitude and latitude with area_m2, and their kind where there is a truth",
            lambda: _bytes(_write_footprints, verdict, ".geojson"),
        ),
        File(
            "Report .json",
            f"{stem}_report.json",
            "application/json",
            "Settings, areas, scores, error shares and buildings by kind",
            lambda: _report(verdict),
        ),
    ]
    return [file for file in found if raster.crs is not None or not file.name.endswith(".geojson")]


def _write_mask(path: Path, verdict: Verdict) -> None:
    write_mask(path, np.where(verdict.raster.valid, verdict.prediction, MASK_NODATA).astype(np.uint8), verdict.raster)


def _write_probability(path: Path, verdict: Verdict) -> None:
    write_probability(path, verdict.run.probability, verdict.raster)


def _write_footprints(path: Path, verdict: Verdict) -> None:
    kinds = None if verdict.diagnosis is None else verdict.diagnosis.components.kind.tolist()
    write_footprints(path, verdict.predicted_labels, verdict.raster, kinds)


def _report(verdict: Verdict) -> bytes:
    task = verdict.run.task
    evaluations = evaluate_on_grids(
        verdict.run.probability, verdict.raster, task.subject.raster, task.subject.truth, **verdict.settings._asdict()
    )
    content = report(task.subject.title, task.card, task.strategy, **evaluations)
    return to_json(content).encode()


def _bytes(write: Callable[[Path, Verdict], None], verdict: Verdict, suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(path, verdict)
        return path.read_bytes()


def _plain(title: str) -> str:
    """A title as part of a file's name.

    >>> _plain("Accra · d41d81_0")
    'Accra-d41d81_0'
    """
    return re.sub(r"[^\w.]+", "-", re.sub(r"\.(tiff?|png|jpe?g|webp|jp2)$", "", title, flags=re.IGNORECASE)).strip("-.")
