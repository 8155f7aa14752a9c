"""The scenes of the Open Cities AI Challenge (DOI 10.34911/rdnt.f94cxb): what is published, and what is on disk."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scinet.errors import SciNetError
from scinet.web import is_url

TIER = "train_tier_1"
BASE_URL = "https://data.source.coop/open-cities/ai-challenge"
CREDIT = (
    "Open Cities AI Challenge (DOI 10.34911/rdnt.f94cxb): imagery mostly CC-BY-4.0, "
    "labels of OpenStreetMap contributors (ODbL-1.0)."
)
BYTES_PER_PX = 0.535  # tier 1 has 33.9 GB in 63.3 gigapixels; the sizes of single files are known to the server alone


@dataclass(frozen=True)
class PublishedScene:
    """A scene as published: size in px, native GSD in cm/px on the ground, centre in degrees (WGS 84)."""

    id: str
    city_code: str
    city: str
    country: str
    width: int
    height: int
    cm_per_px: float
    longitude: float
    latitude: float

    @property
    def path(self) -> str:
        """Where its GeoTIFF lies in the published layout."""
        return f"{TIER}/{self.city_code}/{self.id}/{self.id}.tif"

    @property
    def labels_path(self) -> str:
        """Where its GeoJSON of footprints lies in the published layout."""
        return f"{TIER}/{self.city_code}/{self.id}-labels/{self.id}.geojson"

    @property
    def about_gb(self) -> float:
        """The size of its GeoTIFF, estimated from its pixels."""
        return self.width * self.height * BYTES_PER_PX / 1e9


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
    lines = Path(__file__).with_name("open_cities.csv").read_text(encoding="utf-8").splitlines()
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
        )
        for row in csv.DictReader(line for line in lines if not line.startswith("#"))
    )


def choose_scenes(names: Sequence[str]) -> list[PublishedScene]:
    """The published scenes of some ids and cities (code or name, in any case), each once; all of them for "all".

    Raises SciNetError for a name that is none.
    """
    chosen: dict[str, PublishedScene] = {}
    for name in names:
        wanted = name.strip().lower()
        found = [
            scene
            for scene in published_scenes()
            if wanted in ("all", scene.id, scene.city_code, scene.city.lower(), scene.city.lower().replace(" ", "-"))
        ]
        if not found:
            cities = ", ".join(sorted({f"{scene.city_code} ({scene.city})" for scene in published_scenes()}))
            raise SciNetError(f"{name[:40]!r} is neither a scene nor a city. Give a scene's id or one of {cities}.")
        chosen |= {scene.id: scene for scene in found}
    return list(chosen.values())


def base_url(typed: str | None = None) -> str:
    """Where the challenge is published: as typed, else SCINET_OCAIC_URL, else its home. Without a slash at the end.

    Raises SciNetError for what is not an http or https address.
    """
    url = (typed or os.environ.get("SCINET_OCAIC_URL") or BASE_URL).strip().rstrip("/")
    if not is_url(url):
        raise SciNetError(
            f"{url[:80]!r} is not an http or https address. Give the one above {TIER}, such as {BASE_URL}."
        )
    return url


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
