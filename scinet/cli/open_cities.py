"""``scinet ocaic list|fetch|window``: the Open Cities AI Challenge as published."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from tqdm import tqdm

from scinet.datasets.open_cities import BASE_URL, CREDIT, TIER, base_url, choose_scenes, scenes_in
from scinet.download import WebFile, check_space, download, find_file, missing_bytes
from scinet.errors import SciNetError
from scinet.raster.geotiff import write_raster
from scinet.raster.scene import open_scene
from scinet.raster.scene_window import central_window

OVERVIEW_PX = 1024
PATH = click.Path(path_type=Path)

base_url_option = click.option(
    "--base-url", "base", metavar="URL", help=f"Where {TIER} is. Default: SCINET_OCAIC_URL, else {BASE_URL}."
)


@click.group(no_args_is_help=False)
def ocaic() -> None:
    """List, download and read the Open Cities AI Challenge."""


@ocaic.command("list")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--folder", type=PATH, metavar="DIR", help="Say which of them this folder contains.")
@click.option("--json", "as_json", is_flag=True, help="Print the scenes as JSON.")
def list_command(names: tuple[str, ...], folder: Path | None, as_json: bool) -> None:
    """List the published scenes with city, size and native resolution in cm/px on the ground.

    NAME is a scene's id or a city; default: all.
    """
    scenes = choose_scenes(names or ["all"])
    if as_json:
        click.echo(json.dumps([{**asdict(scene), "path": scene.path} for scene in scenes], indent=2))
        return
    here = scenes_in(folder) if folder else {}
    for scene in scenes:
        click.echo(
            f"{scene.id}  {scene.city_code}  {scene.city:14}  {scene.cm_per_px:6.2f} cm/px  "
            f"{scene.width:6} x {scene.height:6} px  about {scene.about_gb:5.2f} GB"
            f"{'  in the folder' if scene.id in here else ''}"
        )
    click.echo(f"{len(scenes)} scenes, about {sum(scene.about_gb for scene in scenes):.1f} GB. {CREDIT}")


@ocaic.command("fetch")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--to", "folder", type=PATH, required=True, metavar="DIR", help=f"The folder for {TIER}.")
@base_url_option
def fetch_command(names: tuple[str, ...], folder: Path, base: str | None) -> None:
    """Download scenes with their labels, in the published layout.

    NAME is a scene's id, a city, or all. Files that are complete are not downloaded again.
    """
    url = base_url(base)
    paths = [path for scene in choose_scenes(names) for path in (scene.labels_path, scene.path)]
    with tqdm(paths, "asking for sizes", leave=False) as bar:
        files = {folder / path: find_file(f"{url}/{path}") for path in bar}
    missing = sum(missing_bytes(file, path) for path, file in files.items())
    total = sum(file.size_bytes for file in files.values())
    check_space(folder, missing)
    click.echo(f"{len(files)} files, {total / 1e9:.2f} GB, of which {missing / 1e9:.2f} GB have to be downloaded.")
    for path, file in files.items():
        _fetch(path, file)


def _fetch(path: Path, file: WebFile) -> None:
    if missing_bytes(file, path) == 0:
        click.echo(f"{path}: already complete")
        return
    with tqdm(total=file.size_bytes, desc=file.name, unit="B", unit_scale=True, leave=False) as bar:
        checked = download(file, path, lambda done_bytes: bar.update(done_bytes - bar.n))
    said = "its checksum is right" if checked else "its size is right, and the server gives no checksum to compare"
    click.echo(f"{path}: {file.size_bytes / 1e6:.1f} MB, {said}")


@ocaic.command("window")
@click.argument("scene_id", metavar="SCENE")
@click.argument("out", metavar="OUT.tif", type=PATH)
@click.option("--column", type=int, metavar="PX", help="Of the left edge. Default: in the scene's middle.")
@click.option("--row", type=int, metavar="PX", help="Of the upper edge. Default: in the scene's middle.")
@click.option("--side", type=int, default=1024, show_default=True, metavar="PX", help="Of the square.")
@base_url_option
def window_command(scene_id: str, out: Path, column: int | None, row: int | None, side: int, base: str | None) -> None:
    """Read a window straight from a published scene; only its part of the file is downloaded.

    SCENE is the scene's id. OUT.tif is an RGBA GeoTIFF in the scene's CRS.
    """
    chosen = choose_scenes([scene_id])
    if len(chosen) > 1:
        raise SciNetError(f"{scene_id} has {len(chosen)} scenes. Give the id of one: scinet ocaic list.")
    if (column is None) != (row is None):
        raise SciNetError("Give both --column and --row, or neither of them for the scene's middle.")
    scene = open_scene(f"{base_url(base)}/{chosen[0].path}")
    if column is None or row is None:
        column, row = central_window(scene, scene.overview(OVERVIEW_PX), side)
    raster = scene.window(column, row, min(side, scene.width), min(side, scene.height))
    write_raster(out, raster)
    click.echo(
        f"{out}: {raster.width} x {raster.height} px at {raster.cm_per_px:.3g} cm/px, "
        f"column {column}, row {row} of {chosen[0].city} {chosen[0].id}"
    )
