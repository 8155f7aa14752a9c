"""What an engine is: it maps work over jobs, on workers with resources, and gives each job's result or error."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Literal, Protocol, TypeVar, cast, get_args

from scinet.errors import SciNetError

ATTEMPTS = 3  # at a job whose worker dies, perhaps for lack of memory
WORKER_DIED = f"The process that worked on it died {ATTEMPTS} times, perhaps for lack of memory."

EngineName = Literal["local", "dask", "ray"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
_CLASSES = {
    "local": "scinet.engines.local:LocalEngine",
    "dask": "scinet.engines.on_dask:DaskEngine",
    "ray": "scinet.engines.on_ray:RayEngine",
}

J = TypeVar("J")
R = TypeVar("R")


class EngineError(SciNetError):
    """The engine itself is missing or has stopped, so that no job can go on."""


@dataclass(frozen=True)
class Resources:
    """What the jobs run on.

    Attributes:
        workers: How many jobs run at the same time.
        gpus_per_worker: How many GPUs each of them has to itself.
    """

    workers: int = 1
    gpus_per_worker: int = 0


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How a job ended.

    Attributes:
        index: Of the job in the sequence that was given.
        result: What the work returned; None after an error.
        error: What went wrong, in a sentence; "" where nothing did.
    """

    index: int
    result: R | None
    error: str = ""


class Engine(AbstractContextManager["Engine"], Protocol):
    """Workers, from the beginning of a `with` block to its end."""

    def run(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[Outcome[R]]:
        """Do the work for each job.

        A job whose worker dies is given to another one, until ATTEMPTS workers have died of it.

        Args:
            work: A function of a module, which workers can import.
            jobs: What it is called with; can be pickled, and so can its results.

        Yields:
            How each job ended, in the order in which they end. Jobs that have not begun when nobody iterates any more
            are not begun.

        Raises:
            EngineError: The cluster has stopped.
        """
        ...


def open_engine(name: EngineName, resources: Resources) -> Engine:
    """An engine by name. Raises EngineError where the package that it needs is not installed.

    Example:
        >>> with open_engine("local", Resources(workers=1)) as engine:
        ...     [(outcome.index, outcome.result) for outcome in engine.run(abs, [-3, 4])]
        [(0, 3), (1, 4)]
    """
    module, _, engine_class = _CLASSES[name].partition(":")
    try:
        found = getattr(import_module(module), engine_class)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "scinet":
            raise
        raise EngineError(
            f'The engine {name} needs another package: pip install "scinet-explorer[{name}]", then start again.'
        ) from None
    return cast(Engine, found(resources))


def attempt(work: Callable[[J], R], index: int, job: J) -> Outcome[R]:
    """Do the work for one job, in a worker: whatever it raises becomes a sentence, which any engine can carry."""
    try:
        return Outcome(index, work(job))
    except SciNetError as error:
        return Outcome(index, None, str(error))
    except Exception as error:
        traceback.print_exc()  # a fault of the program: into the worker's log
        return Outcome(index, None, str(SciNetError(f"The program failed: {type(error).__name__}: {error}.")))


def visible_gpus(slot: int, gpus_per_worker: int) -> dict[str, str]:
    """The environment in which a worker, one of several on a machine, sees its own GPUs alone.

    Example:
        >>> visible_gpus(slot=2, gpus_per_worker=2), visible_gpus(slot=2, gpus_per_worker=0)
        ({'CUDA_VISIBLE_DEVICES': '4,5'}, {})
    """
    first = slot * gpus_per_worker
    names: Sequence[Any] = range(first, first + gpus_per_worker)
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, names))} if names else {}
