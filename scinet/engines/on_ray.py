"""The engine on Ray: on the cluster of RAY_ADDRESS, or on this machine. An actor per worker keeps its model loaded."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar

import ray
from ray.exceptions import RayActorError, RayError

from scinet.engines.protocol import ATTEMPTS, WORKER_DIED, EngineError, Outcome, Resources, attempt

J = TypeVar("J")
R = TypeVar("R")


class RayEngine:
    """Ray restarts an actor that dies, and gives it the same job again."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def __enter__(self) -> Self:
        workers, gpus = self._resources.workers, self._resources.gpus_per_worker
        address = os.environ.get("RAY_ADDRESS")
        size = {} if address else {"num_cpus": workers, "include_dashboard": False}
        threads = str(max(1, (os.cpu_count() or 1) // workers))
        try:
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={} if address else {"env_vars": {"OMP_NUM_THREADS": threads}},
                **size,
            )
        except (RayError, OSError) as error:
            raise EngineError(
                f"No Ray cluster answers at {address}: check RAY_ADDRESS, or unset it to use this machine alone."
            ) from error
        options = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": -1, "max_task_retries": ATTEMPTS - 1}
        actor = ray.remote(**options)(_Worker)
        self._actors = [actor.remote() for _ in range(workers)]
        return self

    def __exit__(self, *_: object) -> None:
        ray.shutdown()

    def run(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[Outcome[R]]:
        """As `Engine.run`."""
        rest = iter(enumerate(jobs))
        running: dict[Any, tuple[Any, int]] = {}
        free = list(self._actors)
        while True:
            while free and (following := next(rest, None)) is not None:
                actor = free.pop()
                running[actor.run.remote(work, *following)] = actor, following[0]
            if not running:
                return
            try:
                (done,), _ = ray.wait(list(running))
                actor, index = running.pop(done)
                free.append(actor)
                yield _outcome(done, index)
            except (RayError, OSError) as error:
                raise EngineError("The Ray cluster has stopped.") from error


class _Worker:
    """Runs in a process of its own."""

    def run(self, work: Callable[[J], R], index: int, job: J) -> Outcome[R]:
        return attempt(work, index, job)


def _outcome(done: Any, index: int) -> Outcome[Any]:
    try:
        outcome: Outcome[Any] = ray.get(done)
    except RayActorError:
        return Outcome(index, None, WORKER_DIED)
    return outcome
