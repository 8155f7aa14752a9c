import csv
import math
from pathlib import Path

import pyproj
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.datasets.open_cities import BASE_URL, base_url, choose_scenes, published_scenes, scenes_in
from scinet.errors import SciNetError
from scinet.raster.resolution import ground_metres_per_px


def test_the_published_scenes() -> None:
    scenes = {scene.id: scene for scene in published_scenes()}
    assert len(scenes) == 31
    assert {scene.city_code for scene in scenes.values()} == {"acc", "dar", "kam", "mon", "nia", "ptn", "znz"}
    assert sum(scene.width * scene.height for scene in scenes.values()) == 63_349_047_969
    assert sum(scene.about_gb for scene in scenes.values()) == pytest.approx(33.9, abs=0.05)
    assert min(scene.cm_per_px for scene in scenes.values()) == pytest.approx(2.0, abs=0.01)
    assert max(scene.cm_per_px for scene in scenes.values()) == pytest.approx(20.0, abs=0.1)
    assert scenes["d41d81"].labels_path == "train_tier_1/acc/d41d81-labels/d41d81.geojson"
    assert scenes["d41d81"].path == "train_tier_1/acc/d41d81/d41d81.tif"
    # Stored in zone 36N, where a metre of the grid is 72 cm on the ground.
    assert scenes["401175"].cm_per_px == pytest.approx(7.88 / 1.381, rel=1e-3)


@pytest.mark.parametrize("below", ["", "ocaic"])
def test_scenes_in_a_folder(tmp_path: Path, below: str) -> None:
    city = tmp_path / below / "train_tier_1" / "acc"
    for name in ("aaa", "bbb"):
        (city / name).mkdir(parents=True)
        (city / name / f"{name}.tif").touch()
    (city / "aaa" / "other.tif").touch()
    (city / "aaa-labels").mkdir()
    (city / "aaa-labels" / "aaa.geojson").touch()
    found = scenes_in(tmp_path)
    assert list(found) == ["aaa", "bbb"]
    assert found["aaa"].labels == city / "aaa-labels" / "aaa.geojson" and found["bbb"].labels is None
    assert scenes_in(tmp_path / "nowhere") == {}


def test_native_gsd_is_that_on_the_ellipsoid(data_dir: Path) -> None:
    """The catalogue divides the files' pixel size by UTM's scale; here it is measured as for any image."""
    catalogue = {scene.id: scene for scene in published_scenes()}
    with (data_dir / "ocaic" / "scenes.csv").open() as file:
        for row in csv.DictReader(file):
            scene = catalogue[row["scene"]]
            zone = 36 if scene.id in ("207cc7", "401175") else int((scene.longitude + 180) // 6) + 1
            crs = CRS.from_epsg((32600 if scene.latitude > 0 else 32700) + zone)
            to_utm = pyproj.Transformer.from_crs(4326, crs.to_epsg(), always_xy=True)
            x, y = to_utm.transform(scene.longitude, scene.latitude)
            a, e = float(row["metres_per_px_x"]), float(row["metres_per_px_y"])
            place = Affine(a, 0, x - a * scene.width / 2, 0, -e, y + e * scene.height / 2)
            metres = math.sqrt(math.prod(ground_metres_per_px(place, crs, scene.width, scene.height)))
            assert scene.cm_per_px == pytest.approx(100 * metres, rel=2e-4)


def test_scenes_by_id_and_city() -> None:
    assert [scene.id for scene in choose_scenes(["f49f31", "PTN"])] == ["f49f31", "abe1a3"]
    assert len(choose_scenes(["dar-es-salaam"])) == 6 and len(choose_scenes(["all", "acc"])) == 31
    with pytest.raises(SciNetError, match=r"'nowhere' is neither a scene nor a city.*acc \(Accra\)"):
        choose_scenes(["acc", "nowhere"])


def test_where_the_challenge_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCINET_OCAIC_URL", raising=False)
    assert base_url() == BASE_URL
    monkeypatch.setenv("SCINET_OCAIC_URL", "http://127.0.0.1:1/mirror/")
    assert base_url() == "http://127.0.0.1:1/mirror"
    assert base_url("https://host/x") == "https://host/x"
    with pytest.raises(SciNetError, match="not an http or https address"):
        base_url("/a/folder")
