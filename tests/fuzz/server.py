"""Runs cases in children of a warm process, each with limits of memory and time: ``python -m tests.fuzz.server``.

The process imports what is needed once and forks for each case, so a case costs milliseconds, and a crash, an endless
loop or too much memory ends its child alone. Requests and answers are pickles of the test's own on stdin and stdout.
"""

import importlib
import os
import pickle
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import BinaryIO, NamedTuple

MB = 1_000_000
MOST_MB = 1000  # above what the process holds at the start
MOST_CPU_S = 20
MOST_WALL_S = 300  # on a machine that has other work to do
CEILING_MB = 4000  # of address space above the start, where a child is stopped


class Outcome(NamedTuple):
    """How a case ended: `problem` is "" where all was well."""

    problem: str
    cpu_s: float
    peak_mb: float


class CaseServer:
    """A warm process that runs cases one after another."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    def run(self, kind: str, content: bytes) -> Outcome:
        assert self._process.stdin and self._process.stdout
        pickle.dump((kind, content), self._process.stdin)
        self._process.stdin.flush()
        return Outcome(*pickle.load(self._process.stdout))  # noqa: S301

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    targets = importlib.import_module("tests.fuzz.targets").TARGETS
    importlib.import_module("tests.fuzz.app")
    while True:
        try:
            kind, content = pickle.load(requests)  # noqa: S301
        except EOFError:
            return
        pickle.dump(tuple(run_apart(targets[kind], content)), answers)
        answers.flush()


def run_apart(target: object, content: bytes) -> Outcome:
    """Run a case in a child and wait for it."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    start_mb = _own_mb()
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        _run_here(target, content, folder, tell)
    os.close(tell)
    text = b""
    end = time.monotonic() + MOST_WALL_S
    while (left := end - time.monotonic()) > 0 and select.select([told], [], [], left)[0]:
        part = os.read(told, 65536)
        if not part:
            break
        text += part
    else:
        os.killpg(child, signal.SIGKILL)
    os.close(told)
    _, status, usage = os.wait4(child, 0)
    shutil.rmtree(folder, ignore_errors=True)
    cpu_s, peak_mb = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB - start_mb
    problem = text.decode()
    if os.WIFSIGNALED(status):
        problem = f"ended by {signal.Signals(os.WTERMSIG(status)).name} after {cpu_s:.0f} s, {peak_mb:.0f} MB"
    elif not problem and (cpu_s > MOST_CPU_S or peak_mb > MOST_MB):
        problem = f"took {cpu_s:.0f} s and {peak_mb:.0f} MB"
    return Outcome(problem, cpu_s, peak_mb)


def _run_here(target: object, content: bytes, folder: Path, tell: int) -> None:
    problem = ""
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        size = _address_space_bytes() + CEILING_MB * MB
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S + 5, MOST_CPU_S + 10))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        target(content, folder)  # type: ignore[operator]
    except BaseException:
        problem = traceback.format_exc(limit=-6)
    os.write(tell, problem.encode(errors="replace")[-6000:])
    os._exit(0)


def _own_mb() -> float:
    """Memory that a child shares from the start; pages of library files count when it touches them."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE") / MB


def _address_space_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)
