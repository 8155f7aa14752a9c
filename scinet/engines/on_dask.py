"""The engine on Dask: on the cluster of DASK_SCHEDULER_ADDRESS, or on processes of this machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar
from uuid import uuid4

import dask.config
from distributed import Client, KilledWorker, LocalCluster, Worker, WorkerPlugin, as_completed

from scinet.engines.protocol import ATTEMPTS, WORKER_DIED, EngineError, Outcome, Resources, attempt, visible_gpus

J = TypeVar("J")
R = TypeVar("R")

CONNECT_S = 60
_SCHEDULER = {
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
    "distributed.scheduler.worker-saturation": 1.0,  # a death is blamed on all jobs that the worker has: only on one
}


class DaskEngine:
    """One job at a time per worker. Workers of a cluster offer their GPUs by ``dask worker --resources GPU=1``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def __enter__(self) -> Self:
        gpus = self._resources.gpus_per_worker
        address = dask.config.get("scheduler-address", None)
        self._cluster = None
        if address is None:
            with dask.config.set(_SCHEDULER):
                self._cluster = LocalCluster(
                    n_workers=self._resources.workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    resources={"GPU": gpus} if gpus else None,
                    memory_limit=0,  # scenes bound their memory themselves
                    env={"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self._resources.workers))},
                )
        try:
            self._client = Client(self._cluster or address, timeout=CONNECT_S, set_as_default=False)
        except OSError as error:
            raise EngineError(
                f"No Dask scheduler answers at {address}: check DASK_SCHEDULER_ADDRESS, or unset it to use this "
                "machine alone."
            ) from error
        if self._cluster and gpus:
            self._client.register_plugin(_OwnGpus(gpus))
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def run(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[Outcome[R]]:
        """As `Engine.run`."""
        gpus = self._resources.gpus_per_worker
        run_id = uuid4().hex
        futures = {
            self._client.submit(
                attempt,
                work,
                index,
                job,
                key=f"scinet-{run_id}-{index}",
                pure=False,
                resources={"GPU": gpus} if gpus else None,
            ): index
            for index, job in enumerate(jobs)
        }
        try:
            # With results, as one that its worker took with it is made again then, while others arrive
            ended = as_completed(list(futures), loop=self._client.loop, with_results=True, raise_errors=False)
            for future, result in ended:
                yield _outcome(future, result, futures.pop(future))
        finally:
            if futures and self._client.status == "running":
                self._client.cancel(list(futures))


class _OwnGpus(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """Gives each worker of a local cluster its own GPUs; their names are 0, 1, 2, ..."""

    def __init__(self, gpus_per_worker: int) -> None:
        self._gpus_per_worker = gpus_per_worker

    def setup(self, worker: Worker) -> None:
        """In the worker, when it starts."""
        os.environ.update(visible_gpus(int(worker.name), self._gpus_per_worker))


def _outcome(future: Any, result: Any, index: int) -> Outcome[Any]:
    if isinstance(result, Outcome):
        return result
    if future.status == "error" and isinstance(future.exception(), KilledWorker):
        return Outcome(index, None, WORKER_DIED)
    if future.status == "error":
        return Outcome(index, None, f"Dask cannot run it: {future.exception()}.")
    raise EngineError("The Dask scheduler has stopped.")
