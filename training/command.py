"""How each command of the package ends: nothing heavy is imported here, so that it can be anywhere."""

import sys
from collections.abc import Callable

from scinet.errors import SciNetError
from scinet.models.memory import tune_memory


def run_command(main: Callable[[], None], *, resumes: bool = False) -> None:
    """Run a command line: exits with 2 and one line for a user's error, with 130 after Ctrl-C."""
    tune_memory()
    try:
        main()
    except SciNetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Stopped" + "; the same command resumes." * resumes, file=sys.stderr)
        sys.exit(130)
