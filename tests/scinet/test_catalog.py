from pathlib import Path

import pytest

from scinet.catalog import published_scenes, scenes_in


def test_the_published_scenes() -> None:
    scenes = {scene.id: scene for scene in published_scenes()}
    assert len(scenes) == 31
    assert {scene.city_code for scene in scenes.values()} == {"acc", "dar", "kam", "mon", "nia", "ptn", "znz"}
    assert sum(scene.bytes for scene in scenes.values()) == 63_349_047_969
    assert min(scene.cm_per_px for scene in scenes.values()) == pytest.approx(2.0, abs=0.01)
    assert max(scene.cm_per_px for scene in scenes.values()) == pytest.approx(20.0, abs=0.1)
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
