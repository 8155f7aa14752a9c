"""The scenes of the Open Cities AI Challenge (DOI 10.34911/rdnt.f94cxb): what is published, and what is on disk."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TIER = "train_tier_1"
CREDIT = (
    "Open Cities AI Challenge (DOI 10.34911/rdnt.f94cxb): imagery mostly CC-BY-4.0, "
    "labels of OpenStreetMap contributors (ODbL-1.0)."
)


@dataclass(frozen=True)
class PublishedScene:
    """A scene as published: size in px, native GSD in cm/px on the ground, centre in degrees (WGS 84), bytes."""

    id: str
    city_code: str
    city: str
    country: str
    width: int
    height: int
    cm_per_px: float
    longitude: float
    latitude: float
    bytes: int

    @property
    def path(self) -> str:
        """Where its GeoTIFF lies in the published layout."""
        return f"{TIER}/{self.city_code}/{self.id}/{self.id}.tif"


@dataclass(frozen=True)
class SceneFiles:
    """A scene on disk: its GeoTIFF, and its GeoJSON of footprints where there is one."""

    id: str
    city_code: str
    image: Path
    labels: Path | None


@cache
def published_scenes() -> tuple[PublishedScene, ...]:
    """The 31 scenes of tier 1, by city and id."""
    lines = Path(__file__).with_name("catalog.csv").read_text(encoding="utf-8").splitlines()
    return tuple(
        PublishedScene(
            id=row["id"],
            city_code=row["city_code"],
            city=row["city"],
            country=row["country"],
            width=int(row["width"]),
            height=int(row["height"]),
            cm_per_px=float(row["cm_per_px"]),
            longitude=float(row["longitude"]),
            latitude=float(row["latitude"]),
            bytes=int(row["bytes"]),
        )
        for row in csv.DictReader(line for line in lines if not line.startswith("#"))
    )


def scenes_in(folder: Path) -> dict[str, SceneFiles]:
    """The scenes in a folder by id, in the published layout: train_tier_1/<city>/<id>/<id>.tif.

    That layout begins in the folder itself or in one of its folders. Labels are
    train_tier_1/<city>/<id>-labels/<id>.geojson.
    """
    found: dict[str, SceneFiles] = {}
    for pattern in (f"{TIER}/*/*/*.tif", f"*/{TIER}/*/*/*.tif"):
        for image in sorted(folder.glob(pattern)):
            city, name = image.parent.parent, image.stem
            if image.parent.name == name and name not in found:
                labels = city / f"{name}-labels" / f"{name}.geojson"
                found[name] = SceneFiles(name, city.name, image, labels if labels.is_file() else None)
    return found
