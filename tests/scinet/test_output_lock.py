"""A second run of the same output is refused; a dead one is not in the way."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scinet.errors import WriteError
from scinet.output_lock import output_lock

HOLDER = """
import sys, time
from pathlib import Path
from scinet.output_lock import output_lock
with output_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(20)
"""


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "mask.tif"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(WriteError, match=r"mask\.tif is being written by another run"), output_lock(out):
            pass
        with output_lock(tmp_path / "other.tif"):
            pass
        holder.kill()
    assert (tmp_path / "mask.tif.part.lock").exists()
    with output_lock(out):
        pass
    assert not list(tmp_path.iterdir())


def test_another_thread_is_refused_too(tmp_path: Path) -> None:
    said: list[str] = []

    def second() -> None:
        try:
            with output_lock(tmp_path / "mask.tif"):
                said.append("both")
        except WriteError as error:
            said.append(str(error))

    with output_lock(tmp_path / "mask.tif"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(said) == 1 and "another run" in said[0]
