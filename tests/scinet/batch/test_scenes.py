"""Which scenes a run has, and what they are called."""

import json
from pathlib import Path

import pytest

from scinet.batch.scenes import every_nth, find_scenes
from scinet.errors import RasterError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images in two folders, one of the same name in both."""
    for name in ("north/a.tif", "north/b.png", "south/a.tif"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [scene.name for scene in find_scenes(arguments)]


def test_paths_addresses_folders_and_patterns(folder: Path) -> None:
    assert names("north/b.png", "https://host/x/c.tif?token=1") == ["b", "c"]
    assert names("north") == ["a", "b"]
    assert names("no*/*.tif") == ["a"]
    assert [scene.source for scene in find_scenes(["north/*.png"])] == [str(folder / "north" / "b.png")]


def test_a_scene_that_is_named_twice_is_run_once(folder: Path) -> None:
    assert names("north", "north/a.tif", "north/*.tif") == ["a", "b"]


def test_scenes_of_one_name_get_their_folders_names(folder: Path) -> None:
    first, second, third = find_scenes(["north/a.tif", "south/a.tif", "north/b.png"])
    assert first.name.endswith("north/a") and second.name.endswith("south/a") and third.name == "b"
    (folder / "north" / "a.png").touch()
    twins = names("north/a.tif", "north/a.png")
    assert [name.rpartition("/")[2] for name in twins] == ["a_tif", "a_png"]


def test_a_list_names_scenes_line_by_line(folder: Path) -> None:
    (folder / "scenes.txt").write_text("# a flight\nnorth/b.png\n\nsouth/*.tif\nhttps://host/c.tif\n")
    assert names("scenes.txt") == ["b", "a", "c"]


def test_an_item_collection_names_the_image_of_each_item(folder: Path) -> None:
    items = [
        {"id": "one", "assets": {"thumb": {"href": "t.png"}, "x": {"href": "north/a.tif", "roles": ["data"]}}},
        {"id": "../two", "assets": {"visual": {"href": "https://host/2.tif"}, "nir": {"href": "https://host/n.tif"}}},
        {"id": "three", "assets": {"meta": {"href": "a.xml"}, "x": {"href": "s3", "type": "image/tiff; x"}}},
    ]
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    found = find_scenes(["items.json"])
    assert [scene.name for scene in found] == ["one", "_two", "three"]
    assert [scene.source for scene in found[:2]] == [str(folder / "north" / "a.tif"), "https://host/2.tif"]
    (folder / "item.json").write_text(json.dumps(items[0]))
    assert names("item.json") == ["one"]


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"features": []}',
        '{"id": "a", "assets": {}}',
        '{"id": "a", "assets": {"x": {"href": "a.tif"}, "y": {"href": "b.tif"}}}',
    ],
)
def test_a_document_without_images_is_one_sentence(content: str, folder: Path) -> None:
    (folder / "items.json").write_text(content)
    with pytest.raises(RasterError, match=r"items\.json is not a STAC item"):
        find_scenes(["items.json"])


@pytest.mark.parametrize("argument", ["west/*.tif", "none.txt", "none.json"])
def test_what_names_nothing_is_one_sentence(argument: str, folder: Path) -> None:
    with pytest.raises(RasterError, match=r"No file matches|cannot be read"):
        find_scenes([argument])


def test_array_jobs_share_the_scenes(folder: Path) -> None:
    scenes = find_scenes([f"https://host/{number}.tif" for number in range(10)])
    shares = [every_nth(scenes, number, 4) for number in range(1, 5)]
    assert sorted(scene.name for share in shares for scene in share) == sorted(scene.name for scene in scenes)
    assert {len(share) for share in shares} == {2, 3}
