"""The command line: ``scinet segment IN OUT.tif --model sci-net --cm-per-px 10``, or ``python -m scinet ...``."""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from scinet import __version__
from scinet.errors import SciNetError, missing_package
from scinet.models.memory import tune_memory

STOPPED = 130  # what shells expect of a program that Ctrl-C ended
COMMANDS = {
    "segment": ("scinet.cli.segment:segment", "Write the building mask of an image or of a folder of images."),
    "score": ("scinet.cli.score:score", "Compare a model's mask with reference buildings."),
    "sweep": ("scinet.cli.sweep:sweep", "Score models at many resolutions."),
    "benchmark": ("scinet.cli.benchmark:benchmark", "Score a model on test tiles, for the page Benchmark."),
    "info": ("scinet.cli.info:info", "Tell how an image and its reference are read."),
    "models": ("scinet.cli.listing:models", "List the models."),
    "samples": ("scinet.cli.listing:samples", "List the sample tiles on board."),
    "tiles": ("scinet.cli.listing:tiles", "List the images of a folder."),
    "oam": ("scinet.cli.aerial:oam", "List the images of OpenAerialMap that show a place."),
    "export": ("scinet.cli.export:export", "Write a model as ONNX."),
    "ocaic": ("scinet.cli.open_cities:ocaic", "List, download and read the Open Cities AI Challenge."),
    "app": ("scinet.cli.app:app", "Start the app in the browser."),
}


class LazyGroup(click.Group):
    """Imports a command when it is used: PyTorch alone takes seconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise missing_package(f"scinet {cmd_name}", error) from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _show_version(ctx: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        click.echo(f"scinet {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def commands() -> None:
    """Building masks at any ground resolution, and an account of their errors.

    Resolutions are in centimetres on the ground per pixel (cm/px), also called ground sample distance (GSD).
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: As on the command line, by default those of the process.

    Returns:
        The exit status: 0, 2 if the user's input is at fault, or 130 after Ctrl-C. Errors are one sentence on stderr.
    """
    tune_memory()
    try:
        status: Any = commands.main(None if arguments is None else list(arguments), standalone_mode=False)
        sys.stdout.flush()
    except SciNetError as error:
        return _fail(f"{error}")
    except click.UsageError as error:
        help_of = f" {error.ctx.command_path} --help says more." if error.ctx else ""
        return _fail(f"{error.format_message().rstrip('.')}.{help_of}")
    except click.ClickException as error:
        return _fail(error.format_message())
    except click.Abort as stop:
        print(f"scinet: Stopped. {stop.__cause__ or ''}".rstrip(), file=sys.stderr)
        return STOPPED
    except OSError as error:  # of the standard output: of other files it is a WriteError
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EIO):
            raise
        with suppress(OSError):  # or Python would try once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail(f"The output cannot be written: {error.strerror}.")
    return status if isinstance(status, int) else 0


def _fail(sentence: str) -> int:
    print(f"scinet: {sentence}", file=sys.stderr)
    return 2
