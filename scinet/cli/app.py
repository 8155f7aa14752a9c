"""``scinet app``: the app in the browser."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from scinet.cli.options import PATH
from scinet.errors import SciNetError

PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE / "explorer" / "app.py", PACKAGE.parent / "app.py")  # of the installed package, of a checkout


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", type=PATH, metavar="DIR", help="The folder of images that the app offers.")
@click.argument("streamlit_options", nargs=-1, type=click.UNPROCESSED)
def app(data: Path | None, streamlit_options: tuple[str, ...]) -> int:
    """Start the app in the browser. Other options go to streamlit run, such as --server.port 8502."""
    if find_spec("streamlit") is None:
        raise SciNetError("Streamlit is not installed. Install it with pip install 'scinet-explorer[app]'.")
    place = next((place for place in PLACES if place.is_file()), None)
    if place is None:
        raise SciNetError("The app is not installed with this package. Start it from a checkout of the repository.")
    command = [sys.executable, "-m", "streamlit", "run", str(place), *streamlit_options]
    return subprocess.run([*command, *(["--", "--data", str(data)] if data else [])]).returncode
