"""The command line: ``python -m scinet segment IN OUT.tif --model sci-net --cm-per-px 10``."""

import sys
from collections.abc import Sequence

from scinet import ocaic
from scinet.commands import export, listing, score, segment
from scinet.commands.options import Parser
from scinet.errors import SciNetError

DESCRIPTION = """Building masks at any ground resolution, and an account of their errors. Resolutions are ground sample
distances (GSD) in centimetres on the ground per pixel."""
STOPPED = 130  # what shells expect of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 where the user's input is at fault, or 130 after Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
        options.command(options)
    except SciNetError as error:
        print(f"scinet: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nscinet: Stopped. The same segment command goes on with --resume.", file=sys.stderr)
        return STOPPED
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m scinet", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    segment.add_commands(commands)
    score.add_commands(commands)
    listing.add_commands(commands)
    export.add_commands(commands)
    ocaic.add_commands(commands)
    return parser
