r"""Who computes the members of a stage: this process with its pools, or any ``concurrent.futures.Executor``.

    Here       one block after the other in this process; Julia threads and wave processes share a block's members
    Spread     blocks are tasks of an executor: a process pool, or a cluster (:mod:`seisflow.assimilation.cluster`)

Blocks are small enough that a stage's memory does not grow with the ensemble, and large enough that nobody waits at
their ends. What comes back is in the draft before the next block is asked for, so that a lost worker costs its members'
time and no more:

    a worker dies              its block is computed again, by another one; a member that ends one worker after the other is
                               given up, and counts as failed
    the executor breaks        :class:`SimulationError`; what came in is kept, and the same command goes on from there
"""

from __future__ import annotations

import os
import pickle
import threading
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seisflow.assimilation.tasks import Result, Task, Work, perform
from seisflow.errors import SimulationError
from seisflow.storage.draft import Draft

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["Crew", "Here", "Spread"]

Progress = Callable[[int, int], None]

BLOCK_BYTES = 1 << 24
"""Memory that a block of this process may take."""
MEMBERS_PER_WORKER = 24
"""Members of a block for each worker at least: at the end of a block workers wait for the last member."""
BLOCKS_PER_WORKER = 4
"""Blocks of a stage for each worker of an executor."""
POLL_SECONDS = 0.5
LOST = ("KilledWorker", "CommClosedError", "FutureCancelledError", "FuturesCancelledError")
"""What ``dask.distributed`` raises where workers die again and again, or the scheduler is gone."""


class Crew(ABC):
    """Who computes.

    Attributes
    ----------
    executor
        Where tasks go, also those of the observation itself; ``None``: this process.
    """

    executor: Executor | None = None

    @abstractmethod
    def _compute(
        self, scenario: Scenario, work: Work, members: Sequence[int], attempt: int, progress: Progress
    ) -> Iterator[tuple[Task, Result]]:
        """Tasks and results, in any order; ``progress(done, of a block in this process)``."""

    def run(
        self, scenario: Scenario, work: Work, members: Sequence[int], attempt: int = 0, progress: Progress | None = None
    ) -> Iterator[tuple[Task, Result]]:
        """Compute members; each block is in the draft when it is yielded.

        Parameters
        ----------
        scenario
            Prior, dynamics, observation.
        work
            The stage.
        members
            Their numbers.
        attempt
            How often they have failed.
        progress
            Called with (members finished, members of the stage).
        """
        total = work.draft.members
        count = total - len(members)

        def tell(done: int, _: int = 0) -> None:
            if progress is not None:
                progress(min(count + done, total), total)

        tell(0)
        for task, result in self._compute(scenario, work, members, attempt, tell):
            if result.fields is not None:
                enter(work.draft, task, result)
            count += len(task.members)
            tell(0)
            yield task, result


def enter(draft: Draft, task: Task, result: Result) -> None:
    """Put the arrays of a result into the draft."""
    draft.write(task.members, result.fields or {}, attempt=task.attempt, failed=dict(result.failed))


@dataclass(frozen=True)
class Here(Crew):
    """This process; its dynamics and observation have workers of their own.

    Parameters
    ----------
    workers
        How many members they compute at a time.
    """

    workers: int = 1

    def _compute(
        self, scenario: Scenario, work: Work, members: Sequence[int], attempt: int, progress: Progress
    ) -> Iterator[tuple[Task, Result]]:
        size = max(MEMBERS_PER_WORKER * self.workers, BLOCK_BYTES // max(1, work.member_bytes))
        for block in _blocks(members, size):
            task = work.task(block, attempt)
            yield task, perform(scenario, task, progress)


class Spread(Crew):
    """Any executor.

    Parameters
    ----------
    executor
        Where tasks go; it is not shut down here.
    lanes
        How many tasks it runs at a time; called again and again, since a cluster may grow.
    ship
        How the scenario gets there: called once per scenario, gives what is sent along with every task.
    """

    def __init__(
        self,
        executor: Executor,
        lanes: Callable[[], int] | int | None = None,
        ship: Callable[[Shipment], Any] | None = None,
    ) -> None:
        self.executor: Executor = executor
        count = lanes if lanes is not None else getattr(executor, "_max_workers", None) or os.cpu_count() or 1
        self.lanes: Callable[[], int] = count if callable(count) else lambda: count
        self._ship = ship or (lambda shipment: shipment)
        self._shipped: tuple[Scenario, Any] | None = None
        self.by_reference = True

    def _shipment(self, scenario: Scenario) -> Any:
        if self._shipped is None or self._shipped[0] is not scenario:
            self._shipped = scenario, self._ship(Shipment(uuid.uuid4().hex, pickle.dumps(scenario)))
        return self._shipped[1]

    def _compute(
        self, scenario: Scenario, work: Work, members: Sequence[int], attempt: int, progress: Progress
    ) -> Iterator[tuple[Task, Result]]:
        if not members:
            return
        shipment = self._shipment(scenario)
        size = max(1, min(len(members) // (BLOCKS_PER_WORKER * self.lanes()), BLOCK_BYTES // max(1, work.member_bytes)))
        waiting, suspects = deque(_blocks(members, size)), deque[int]()
        running: dict[Future[Result], Task] = {}
        alone: Future[Result] | None = None
        try:
            while waiting or running or suspects:
                while waiting and len(running) < 2 * self.lanes() + 1:
                    self._submit(shipment, work.task(waiting.popleft(), attempt, self.by_reference), running)
                if suspects and not running:  # alone, so that no other member is blamed for its fault
                    alone = self._submit(shipment, work.task([suspects.popleft()], attempt, self.by_reference), running)
                done = wait(running, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED").done
                for future in sorted(done, key=_went_wrong):  # what came in is kept before an error ends this
                    task = running.pop(future)
                    result = self._result(future, task, future is alone)
                    if result is None:
                        suspects.extend(task.members)
                    elif result.unseen or (result.fields is None and not self._taken(work.draft, task, result)):
                        self.by_reference = False
                        waiting.appendleft(list(task.members))
                    else:
                        yield task, result
        finally:
            for future in running:
                future.cancel()

    def _submit(self, shipment: Any, task: Task, running: dict[Future[Result], Task]) -> Future[Result]:
        try:
            future = self.executor.submit(perform_elsewhere, shipment, task)
        except (BrokenExecutor, RuntimeError) as error:
            raise lost(error) from error
        running[future] = task
        return future

    @staticmethod
    def _taken(draft: Draft, task: Task, result: Result) -> bool:
        return draft.take(task.members, result.description, attempt=task.attempt, failed=dict(result.failed))

    @staticmethod
    def _result(future: Future[Result], task: Task, alone: bool) -> Result | None:
        """What came of a task; ``None`` when its workers died and its members are to be tried one by one."""
        try:
            return future.result()
        except Exception as error:
            if type(error).__name__ == "KilledWorker":  # of dask.distributed: so many workers died as it allows
                reason = "the workers that computed it were ended one after the other (perhaps for lack of memory)"
                return Result({}, {}, {task.members[0]: reason}) if alone else None
            if isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ in LOST:
                raise lost(error) from error
            raise


def _went_wrong(future: Future[Result]) -> bool:
    return future.cancelled() or future.exception() is not None


def lost(error: Exception) -> SimulationError:
    """What is told of an executor that is gone."""
    return SimulationError(
        f"the executor was lost while it computed members ({type(error).__name__}: {error}). "
        "What came in before is kept: start it anew, and give the same command again."
    )


@dataclass(frozen=True)
class Shipment:
    """A scenario on its way to other processes.

    Parameters
    ----------
    token
        By which a process knows it again.
    scenario
        The pickled scenario.
    """

    token: str
    scenario: bytes


_unpacked: dict[str, Scenario] = {}  # of this process: the newest only
_one_at_a_time = threading.Lock()  # operators have work arrays of their own


def perform_elsewhere(shipment: Shipment, task: Task) -> Result:
    """Compute a task in this process, whose dynamics and observation are kept for the tasks that follow."""
    with _one_at_a_time:
        if shipment.token not in _unpacked:
            forget_scenarios()
            _unpacked[shipment.token] = pickle.loads(shipment.scenario)
        return perform(_unpacked[shipment.token], task)


def forget_scenarios() -> None:
    """End what this process keeps for tasks: its Julia worker, its wave operators."""
    while _unpacked:
        _, scenario = _unpacked.popitem()
        for part in (scenario.observation, getattr(scenario.dynamics, "engine", None)):
            close = getattr(part, "close", None)
            if close is not None:
                close()


def _blocks(members: Sequence[int], size: int) -> list[list[int]]:
    return [list(members[i : i + size]) for i in range(0, len(members), size)]
