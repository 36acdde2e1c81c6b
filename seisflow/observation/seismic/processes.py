r"""Processes over which members are spread: they share nothing, end with their parent, and are replaced when they die.

A worker that is ended from outside (most often for lack of memory) takes the whole pool of Python's
``concurrent.futures`` with it. Tasks that had finished keep their results; the others are given to fresh workers. A task
whose worker dies again and again is named.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import TypeVar

from seisflow.errors import SimulationError

__all__ = ["Processes", "end_with_parent"]

_TRIES = 3
T = TypeVar("T")


def end_with_parent() -> None:
    """Let this worker process end when its parent is gone, however that ended: an orphan would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="seisflow-parent", daemon=True).start()


class Processes:
    """Worker processes, spawned when first used.

    Parameters
    ----------
    workers
        Number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool: ProcessPoolExecutor | None = None

    def _start(self) -> ProcessPoolExecutor:
        if self.pool is None:
            context = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=end_with_parent)
        return self.pool

    def map(self, function: Callable[..., T], rows: Sequence[tuple]) -> Iterator[T]:
        """``function(*row)`` of every row, in order.

        Raises
        ------
        SimulationError
            When workers die three times without finishing the row that is waited for.
        """
        futures: dict[int, Future[T]] = {}
        for index in range(len(rows)):
            tries = 0
            while True:
                try:
                    for later in range(index, len(rows)):
                        if later not in futures:
                            futures[later] = self._start().submit(function, *rows[later])
                    yield futures.pop(index).result()
                    break
                except BrokenProcessPool as error:
                    self.close()
                    tries += 1
                    # What had finished keeps its result.
                    futures = {i: f for i, f in futures.items() if f.done() and not f.cancelled() and not f.exception()}
                    if tries == _TRIES:
                        raise SimulationError(
                            f"processes that simulate waves were ended from outside {_TRIES} times before member "
                            f"{index} was done, most often for lack of memory; use fewer workers, a memory budget "
                            "(seismic.memory_GB) or encoded_shots, and run again"
                        ) from error

    def close(self) -> None:
        """End the processes; they start again when needed."""
        if self.pool is not None:
            self.pool.shutdown()
            self.pool = None
