r"""Who computes the members of a stage: this process with its pools, or any ``concurrent.futures.Executor``.

    LocalWorkers       one block after the other in this process; Julia threads and wave processes share a block's members
    ExecutorWorkers    blocks are tasks of an executor: a process pool, or a cluster (:mod:`seisflow.assimilation.cluster`)

Blocks are small enough that a stage's memory does not grow with the ensemble, and large enough that nobody waits at
their ends. What comes back is in the partial stage before the next block is asked for, so that a lost worker costs its
members' time and no more:

    a worker dies              its block is computed again, by another one; a member that ends one worker after the other is
                               given up, and counts as failed
    the executor breaks        :class:`SimulationError`; what came in is kept, and the same command goes on from there
"""

from __future__ import annotations

import os
import pickle
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seisflow.assimilation.tasks import BlockResult, BlockTask, MemberStage, perform
from seisflow.assimilation.worker import PickledScenario, perform_elsewhere
from seisflow.ensemble import MemberProgress
from seisflow.errors import SimulationError
from seisflow.storage.partial import PartialStage

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["ExecutorWorkers", "LocalWorkers", "Workers"]

BLOCK_BYTES = 1 << 24
"""Memory that a block of this process may take."""
MEMBERS_PER_WORKER = 24
"""Members of a block for each worker at least: at the end of a block workers wait for the last member."""
BLOCKS_PER_WORKER = 4
"""Blocks of a stage for each worker of an executor."""
POLL_SECONDS = 0.5
LOST = ("KilledWorker", "CommClosedError", "FutureCancelledError", "FuturesCancelledError")
"""What ``dask.distributed`` raises where workers die again and again, or the scheduler is gone."""


class Workers(ABC):
    """Who computes.

    Attributes
    ----------
    executor
        Where tasks go, also those of the observation itself; ``None``: this process.
    """

    executor: Executor | None = None

    @abstractmethod
    def _compute(
        self, stage: MemberStage, members: Sequence[int], attempt: int, progress: MemberProgress
    ) -> Iterator[tuple[BlockTask, BlockResult]]:
        """Tasks and results, in any order; ``progress(done, of a block in this process)``."""

    def run(
        self, stage: MemberStage, members: Sequence[int], attempt: int = 0, progress: MemberProgress | None = None
    ) -> Iterator[tuple[BlockTask, BlockResult]]:
        """Compute members; each block is in the partial stage when it is yielded.

        Parameters
        ----------
        stage
            The stage.
        members
            Their numbers.
        attempt
            How often they have failed.
        progress
            Called with (members finished, members of the stage).
        """
        total = stage.partial.members
        count = total - len(members)

        def tell(done: int, _: int = 0) -> None:
            if progress is not None:
                progress(min(count + done, total), total)

        tell(0)
        for task, result in self._compute(stage, members, attempt, tell):
            if result.fields is not None:
                enter(stage.partial, task, result)
            count += len(task.members)
            tell(0)
            yield task, result


def enter(partial: PartialStage, task: BlockTask, result: BlockResult) -> None:
    """Put the arrays of a result into the partial stage."""
    partial.write(task.members, result.fields or {}, attempt=task.attempt, failed=dict(result.failed))


@dataclass(frozen=True)
class LocalWorkers(Workers):
    """This process; its dynamics and observation have workers of their own.

    Parameters
    ----------
    count
        How many members they compute at a time.
    """

    count: int = 1

    def _compute(
        self, stage: MemberStage, members: Sequence[int], attempt: int, progress: MemberProgress
    ) -> Iterator[tuple[BlockTask, BlockResult]]:
        size = max(MEMBERS_PER_WORKER * self.count, BLOCK_BYTES // max(1, stage.member_bytes))
        for block in _blocks(members, size):
            task = stage.task(block, attempt)
            yield task, perform(stage.scenario, task, progress)


class ExecutorWorkers(Workers):
    """Any executor.

    Parameters
    ----------
    executor
        Where tasks go; it is not shut down here.
    slots
        How many tasks it runs at a time; called again and again, since a cluster may grow.
    send
        How the scenario gets there: called once per scenario, gives what is sent along with every task.
    """

    def __init__(
        self,
        executor: Executor,
        slots: Callable[[], int] | int | None = None,
        send: Callable[[PickledScenario], Any] | None = None,
    ) -> None:
        self.executor: Executor = executor
        count = slots if slots is not None else getattr(executor, "_max_workers", None) or os.cpu_count() or 1
        self.slots: Callable[[], int] = count if callable(count) else lambda: count
        self._send = send or (lambda scenario: scenario)
        self._sent: tuple[Scenario, Any] | None = None
        self.by_reference = True

    def submit(self, scenario: Scenario, task: BlockTask) -> Future[BlockResult]:
        """Give a task to the executor.

        Raises
        ------
        SimulationError
            When the executor takes none any more.
        """
        if self._sent is None or self._sent[0] is not scenario:
            self._sent = scenario, self._send(PickledScenario(uuid.uuid4().hex, pickle.dumps(scenario)))
        try:
            return self.executor.submit(perform_elsewhere, self._sent[1], task)
        except (BrokenExecutor, RuntimeError) as error:
            raise lost(error) from error

    def _compute(
        self, stage: MemberStage, members: Sequence[int], attempt: int, progress: MemberProgress
    ) -> Iterator[tuple[BlockTask, BlockResult]]:
        if not members:
            return
        queue = _Queue(self, stage, members, attempt)
        try:
            while queue.unfinished:
                queue.submit_blocks()
                queue.submit_blamed()
                for future in queue.finished():
                    yield from queue.taken(future)
        finally:
            queue.cancel()


class _Queue:
    """The blocks of a stage on an executor: those that wait, those that run, and members that are tried alone.

    When workers die, every task that they had is lost, and nobody knows which member ended them. The members of lost
    blocks are blamed: each is tried again alone, with nothing beside it, so that it is known for sure.
    """

    def __init__(self, workers: ExecutorWorkers, stage: MemberStage, members: Sequence[int], attempt: int) -> None:
        self.workers, self.stage, self.attempt = workers, stage, attempt
        most = max(1, len(members) // (BLOCKS_PER_WORKER * workers.slots()))
        self.waiting = deque(_blocks(members, max(1, min(most, BLOCK_BYTES // max(1, stage.member_bytes)))))
        self.blamed = deque[int]()
        self.running: dict[Future[BlockResult], BlockTask] = {}
        self.alone: Future[BlockResult] | None = None

    @property
    def unfinished(self) -> bool:
        """Whether anything waits or runs."""
        return bool(self.waiting or self.running or self.blamed)

    def submit_blocks(self) -> None:
        """Keep the executor busy: one block runs in every slot, and as many lie ready."""
        while self.waiting and len(self.running) < 2 * self.workers.slots() + 1:
            self._submit(self.waiting.popleft())

    def submit_blamed(self) -> None:
        """Try the next blamed member alone, so that no other member is blamed for its fault."""
        if self.blamed and not self.running:
            self.alone = self._submit([self.blamed.popleft()])

    def _submit(self, members: Sequence[int]) -> Future[BlockResult]:
        task = self.stage.task(members, self.attempt, self.workers.by_reference)
        future = self.workers.submit(self.stage.scenario, task)
        self.running[future] = task
        return future

    def finished(self) -> list[Future[BlockResult]]:
        """What is done, errors last: what came in is kept before an error ends this."""
        return sorted(wait(self.running, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED").done, key=_went_wrong)

    def taken(self, future: Future[BlockResult]) -> Iterator[tuple[BlockTask, BlockResult]]:
        """The task and its result; nothing, where its members go into the queue again."""
        task = self.running.pop(future)
        try:
            result = future.result()
        except Exception as error:
            if _worker_died(error):
                yield from self._blame(task, future is self.alone)
                return
            if _executor_lost(error):
                raise lost(error) from error
            raise
        if result.unseen or (result.fields is None and not self._entered(task, result)):
            self._send_again(task)
        else:
            yield task, result

    def _blame(self, task: BlockTask, alone: bool) -> Iterator[tuple[BlockTask, BlockResult]]:
        """Try the members of a lost block one by one; a member that was alone has failed."""
        if alone:
            reason = "the workers that computed it were ended one after the other (perhaps for lack of memory)"
            yield task, BlockResult({}, {}, {task.members[0]: reason})
        else:
            self.blamed.extend(task.members)

    def _entered(self, task: BlockTask, result: BlockResult) -> bool:
        """Whether the arrays that the worker wrote are seen here, and are now members of the partial stage."""
        notes = {"attempt": task.attempt, "failed": dict(result.failed)}
        return self.stage.partial.take(task.members, result.description, **notes)

    def _send_again(self, task: BlockTask) -> None:
        """Compute a block next, its arrays in the task: the worker and this process do not see the same folders."""
        self.workers.by_reference = False
        self.waiting.appendleft(list(task.members))

    def cancel(self) -> None:
        """Take back what has not begun."""
        for future in self.running:
            future.cancel()


def _went_wrong(future: Future[BlockResult]) -> bool:
    return future.cancelled() or future.exception() is not None


def _worker_died(error: Exception) -> bool:
    """Whether so many workers died at a task as ``dask.distributed`` allows."""
    return type(error).__name__ == "KilledWorker"


def _executor_lost(error: Exception) -> bool:
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ in LOST


def lost(error: Exception) -> SimulationError:
    """What is told of an executor that is gone."""
    return SimulationError(
        f"the executor was lost while it computed members ({type(error).__name__}: {error}). "
        "What came in before is kept: start it anew, and give the same command again."
    )


def _blocks(members: Sequence[int], size: int) -> list[list[int]]:
    return [list(members[i : i + size]) for i in range(0, len(members), size)]
