"""The scenes of a run: paths, addresses, folders, patterns, lists in a text file, and STAC item collections."""

import glob
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urljoin

from scinet import json_values
from scinet.datasets.tiles import SUFFIXES, Tile, tiles_in
from scinet.errors import RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.open import is_remote
from scinet.raster.pyramid.folder import is_tile_folder
from scinet.raster.scene import Scene, open_scene

LIST_SUFFIX, STAC_SUFFIXES = ".txt", (".json", ".geojson")
_ASSET_ROLES = ("visual", "data")  # of an item's images, the likeliest first


@dataclass(frozen=True)
class SceneSource:
    """Where a scene is.

    Attributes:
        name: Its result's path within the folder of results, without the suffix.
        source: A path or an address.
        tile: What the folder of the image says of it.
    """

    name: str
    source: str
    tile: Tile | None = None

    def open(self, cm_per_px: float | None, choice: ImageChoice) -> Scene:
        """Open it; see `open_scene`. Raises RasterError."""
        if self.tile is not None:
            return self.tile.open(cm_per_px=cm_per_px, choice=choice)
        return open_scene(self.source, cm_per_px=cm_per_px, choice=choice)


def find_scenes(arguments: Sequence[str]) -> list[SceneSource]:
    """The scenes that arguments name, each once, with names that differ.

    Args:
        arguments: Paths and addresses of images; folders of images; patterns such as ``"flight/**/*.tif"``; text files
            (.txt) with one of these per line; STAC items and item collections (.json, .geojson).

    Raises:
        RasterError: One names nothing, or cannot be read.
    """
    found: dict[str, SceneSource] = {}
    for argument in arguments:
        for scene in _scenes_of(argument):
            found.setdefault(scene.source, scene)
    return _with_different_names(list(found.values()))


def every_nth(scenes: Sequence[SceneSource], number: int, count: int) -> list[SceneSource]:
    """The scenes of job `number` of `count`, from 1.

    Example:
        >>> scenes = [SceneSource(name, f"{name}.tif") for name in "abcde"]
        >>> [scene.name for scene in every_nth(scenes, 2, 3)]
        ['b', 'e']
    """
    return list(scenes[number - 1 :: count])


def _scenes_of(argument: str) -> Iterator[SceneSource]:
    path = Path(argument)
    if is_remote(argument):
        yield SceneSource(_stem(argument), argument)
    elif path.is_dir() and not is_tile_folder(path):
        yield from (SceneSource(tile.name, str(tile.image.resolve()), tile) for tile in tiles_in(path.resolve()))
    elif path.suffix.lower() == LIST_SUFFIX:
        for line in _read(path).splitlines():
            if line.strip() and not line.startswith("#"):
                yield from _scenes_of(line.strip())
    elif path.suffix.lower() in STAC_SUFFIXES:
        yield from _stac_items(path)
    elif not path.exists() and glob.has_magic(argument):
        yield from _matches(argument)
    else:  # whether it is there, opening it says
        yield SceneSource(path.stem, str(path.resolve()))


def _matches(pattern: str) -> Iterator[SceneSource]:
    paths = sorted(path for path in map(Path, glob.glob(pattern, recursive=True)) if path.is_file())  # noqa: PTH207
    if not paths:
        raise RasterError(f"No file matches {pattern}. Check the pattern.")
    for path in paths:
        yield SceneSource(path.stem, str(path.resolve()))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise RasterError(f"{path} cannot be read: {reason}.") from None


def _stac_items(path: Path) -> Iterator[SceneSource]:
    try:
        document = json_values.mapping(json_values.parse(_read(path)), "the document")
        items = json_values.sequence(document.get("features", [document]), "features")
        if not items:
            raise ValueError("it has no items")
        for item in items:
            facts = json_values.mapping(item, "an item")
            name = json_values.text(facts["id"], "id")
            href = _image_of(json_values.mapping(facts["assets"], "assets"), name)
            yield SceneSource(_safe(name), href if is_remote(href) else str(Path(urljoin(str(path.resolve()), href))))
    except (ValueError, KeyError, json.JSONDecodeError) as error:
        raise RasterError(f"{path} is not a STAC item or item collection ({error}).") from None


def _image_of(assets: dict[str, Any], item: str) -> str:
    """The address of the asset that shows the item in colours."""
    images = {
        name: asset
        for name, asset in assets.items()
        if "tiff" in str(asset.get("type", "")) or Path(str(asset.get("href", ""))).suffix.lower() in SUFFIXES
    }
    for role in _ASSET_ROLES:
        for name, asset in images.items():
            if role == name or role in asset.get("roles", []):
                return str(asset["href"])
    if len(images) == 1:
        return str(next(iter(images.values()))["href"])
    raise ValueError(f"item {item} has {len(images)} images and none with the role visual or data")


def _with_different_names(scenes: list[SceneSource]) -> list[SceneSource]:
    """Scenes of one name get as much of their path as tells them apart, or else their suffix too."""
    for longer in (_with_folder, _with_suffix):
        count = Counter(scene.name.casefold() for scene in scenes)
        scenes = [longer(scene) if count[scene.name.casefold()] > 1 else scene for scene in scenes]
    twin, times = Counter(scene.name.casefold() for scene in scenes).most_common(1)[0] if scenes else ("", 1)
    if times > 1:
        raise RasterError(f"{times} scenes are named {twin}, so that their results would be too. Rename all but one.")
    return scenes


def _with_folder(scene: SceneSource) -> SceneSource:
    folders = [part for part in PurePosixPath(Path(scene.source).as_posix()).parent.parts[-3:] if part.strip("/")]
    return replace(scene, name="/".join([*map(_safe, folders), scene.name]))


def _with_suffix(scene: SceneSource) -> SceneSource:
    return replace(scene, name=f"{scene.name}_{PurePosixPath(scene.source).suffix[1:]}")


def _stem(url: str) -> str:
    return _safe(PurePosixPath(url.partition("?")[0]).stem)


def _safe(name: str) -> str:
    """A name that stays in its folder."""
    return "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in name).strip(". ") or "_"
