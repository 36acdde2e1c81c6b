"""Where the simulator's tasks run: in this process, in worker processes of its own, or in somebody else's executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.observation.processes import Processes
from seisflow.observation.simulator import Settings, forget, simulate

__all__ = ["Dispatch"]


class Dispatch:
    """The tasks of one simulator, spread over processes; results are the same wherever they come from.

    Parameters
    ----------
    settings
        Of the simulator.
    workers
        Number of processes; 1: this one.
    executor
        Instead of ``workers``: an executor, which is not shut down here.
    """

    def __init__(self, settings: Settings, workers: int, executor: Executor | None) -> None:
        if workers < 1:
            raise InputError("workers", workers, "give at least 1")
        self.settings, self.workers, self.executor = settings, workers, executor
        self.processes = Processes(workers)

    def map(self, task: str, *columns: list) -> Iterator[NDArray]:
        """One task per row of the columns, in order."""
        rows = [(self.settings, task, *row) for row in zip(*columns, strict=True)]
        if self.executor is not None:
            return self.executor.map(simulate, *zip(*rows, strict=True))
        if self.workers == 1:
            return (simulate(*row) for row in rows)
        return self.processes.map(simulate, rows)

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process simulates there, in that process."""
        return {**self.__dict__, "executor": None, "processes": Processes(1), "workers": 1}

    def close(self) -> None:
        """End the worker processes, which start again when needed, and free this process's simulator."""
        self.processes.close()
        forget(self.settings)
