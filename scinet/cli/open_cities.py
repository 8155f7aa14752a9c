"""``python -m scinet ocaic list|fetch|window``: the Open Cities AI Challenge as published."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scinet.datasets.open_cities import BASE_URL, CREDIT, TIER, base_url, choose_scenes, scenes_in
from scinet.download import WebFile, check_space, download, find_file, missing_bytes
from scinet.errors import SciNetError
from scinet.raster.geotiff import write_raster
from scinet.raster.scene import central_window, open_scene

OVERVIEW_PX = 1024


def list_command(options: argparse.Namespace) -> None:
    """List the published scenes: id, city, size, and native GSD in cm/px on the ground."""
    scenes = choose_scenes(options.names or ["all"])
    if options.json:
        print(json.dumps([{**asdict(scene), "path": scene.path} for scene in scenes], indent=2))
        return
    here = scenes_in(options.folder) if options.folder else {}
    for scene in scenes:
        print(
            f"{scene.id}  {scene.city_code}  {scene.city:14}  {scene.cm_per_px:6.2f} cm/px  "
            f"{scene.width:6} x {scene.height:6} px  about {scene.about_gb:5.2f} GB"
            f"{'  in the folder' if scene.id in here else ''}"
        )
    print(f"{len(scenes)} scenes, about {sum(scene.about_gb for scene in scenes):.1f} GB. {CREDIT}")


def fetch_command(options: argparse.Namespace) -> None:
    """Download scenes with their labels, in the published layout. What is there already is not fetched again."""
    base = base_url(options.base_url)
    paths = [path for scene in choose_scenes(options.names) for path in (scene.labels_path, scene.path)]
    with tqdm(paths, "asking for sizes", leave=False) as bar:
        files = {options.to / path: find_file(f"{base}/{path}") for path in bar}
    missing = sum(missing_bytes(file, path) for path, file in files.items())
    total = sum(file.size_bytes for file in files.values())
    check_space(options.to, missing)
    print(f"{len(files)} files, {total / 1e9:.2f} GB, of which {missing / 1e9:.2f} GB have to be fetched.")
    for path, file in files.items():
        _fetch(path, file)


def _fetch(path: Path, file: WebFile) -> None:
    if missing_bytes(file, path) == 0:
        print(f"{path}: there already")
        return
    with tqdm(total=file.size_bytes, desc=file.name, unit="B", unit_scale=True, leave=False) as bar:
        checked = download(file, path, lambda done_bytes: bar.update(done_bytes - bar.n))
    said = "its checksum is right" if checked else "its size is right, and the server gives no checksum to compare"
    print(f"{path}: {file.size_bytes / 1e6:.1f} MB, {said}")


def window_command(options: argparse.Namespace) -> None:
    """Read a window straight from a published scene and write it as GeoTIFF; only its part of the file is fetched."""
    chosen = choose_scenes([options.scene])
    if len(chosen) > 1:
        raise SciNetError(f"{options.scene} has {len(chosen)} scenes. Give the id of one: python -m scinet ocaic list.")
    if (options.column is None) != (options.row is None):
        raise SciNetError("Give both --column and --row, or neither of them for the scene's middle.")
    scene = open_scene(f"{base_url(options.base_url)}/{chosen[0].path}")
    column, row = options.column, options.row
    if column is None:
        column, row = central_window(scene, scene.overview(OVERVIEW_PX), options.side)
    raster = scene.window(column, row, min(options.side, scene.width), min(options.side, scene.height))
    write_raster(options.out, raster)
    print(
        f"{options.out}: {raster.width} x {raster.height} px at {raster.cm_per_px:.3g} cm/px, "
        f"column {column}, row {row} of {chosen[0].city} {chosen[0].id}"
    )


def add_commands(commands: Any) -> None:
    """Add ``ocaic`` with its three commands to argparse's subparsers."""
    ocaic = commands.add_parser("ocaic", help="list, download and read the Open Cities AI Challenge")
    parts = ocaic.add_subparsers(required=True, metavar="COMMAND")

    listing = _command(parts, "list", "list the published scenes", list_command)
    listing.add_argument("names", nargs="*", metavar="NAME", help="scenes by id, or cities (default: all)")
    listing.add_argument("--folder", type=Path, metavar="DIR", help="say which of them it holds")
    listing.add_argument("--json", action="store_true", help="as JSON")

    fetch = _command(parts, "fetch", "download scenes and their labels", fetch_command)
    fetch.add_argument("names", nargs="+", metavar="NAME", help="scenes by id, cities, or all")
    fetch.add_argument("--to", type=Path, required=True, metavar="DIR", help=f"the folder that holds {TIER}")
    _add_base_url(fetch)

    window = _command(parts, "window", "read a window of a scene over the web", window_command)
    window.add_argument("scene", metavar="SCENE", help="its id")
    window.add_argument("out", metavar="OUT.tif", type=Path, help="GeoTIFF, RGBA, in the scene's CRS")
    window.add_argument("--column", type=int, metavar="PX", help="of its left edge (default: in the scene's middle)")
    window.add_argument("--row", type=int, metavar="PX", help="of its upper edge")
    window.add_argument("--side", type=int, default=1024, metavar="PX", help="of the square (default: 1024)")
    _add_base_url(window)


def _command(
    parts: Any, name: str, help_: str, command: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=help_, description=command.__doc__)
    parser.set_defaults(command=command)
    return parser


def _add_base_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base-url", metavar="URL", help=f"where {TIER} lies (default: SCINET_OCAIC_URL, else {BASE_URL})"
    )
