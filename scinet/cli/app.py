"""``scinet app``: the app in the browser."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from scinet.cli.options import PATH
from scinet.errors import SciNetError

APP = Path(__file__).parents[2] / "app.py"  # of the checkout, or next to the installed packages


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", type=PATH, metavar="DIR", help="The folder of images that the app offers.")
@click.argument("streamlit_options", nargs=-1, type=click.UNPROCESSED)
def app(data: Path | None, streamlit_options: tuple[str, ...]) -> int:
    """Start the app in the browser. Other options go to streamlit run, such as --server.port 8502."""
    if find_spec("streamlit") is None:
        raise SciNetError("The app needs Streamlit, which is not installed. Install it with pip install streamlit.")
    if not APP.is_file():
        raise SciNetError("The app is not installed with this package. Start it from a checkout of the repository.")
    command = [sys.executable, "-m", "streamlit", "run", str(APP), *streamlit_options]
    return subprocess.run([*command, *(["--", "--data", str(data)] if data else [])]).returncode
