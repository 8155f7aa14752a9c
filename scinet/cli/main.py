"""The command line: ``python -m scinet segment IN OUT.tif --model sci-net --cm-per-px 10``."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from scinet.errors import SciNetError
from scinet.models.memory import tune_memory

DESCRIPTION = """Building masks at any ground resolution, and an account of their errors. Resolutions are ground sample
distances (GSD) in centimetres on the ground per pixel."""
MODULES = {
    "segment": "scinet.cli.segment",
    "score": "scinet.cli.score",
    "sweep": "scinet.cli.score",
    "models": "scinet.cli.listing",
    "tiles": "scinet.cli.listing",
    "export": "scinet.cli.export",
    "ocaic": "scinet.cli.open_cities",
}
STOPPED = 130  # what shells expect of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 where the user's input is at fault, or 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    tune_memory()
    try:
        options = _parser(arguments).parse_args(arguments)
        options.command(options)
    except SciNetError as error:
        print(f"scinet: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nscinet: Stopped. The same segment command goes on with --resume.", file=sys.stderr)
        return STOPPED
    return 0


class Parser(argparse.ArgumentParser):
    """Bad arguments are an error of the user's like any other: one sentence."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        raise SciNetError(f"{message[:1].upper()}{message[1:]}. {self.prog} --help says more.")


def _parser(arguments: Sequence[str]) -> Parser:
    """Knows the command that is asked for, or all of them where it is none: each takes a second or more to import."""
    parser = Parser(prog="python -m scinet", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    asked = MODULES.get(next(iter(arguments), ""))
    for module in [asked] if asked else dict.fromkeys(MODULES.values()):
        import_module(module).add_commands(commands)
    return parser
