r"""Processes over which members are spread: they share nothing, end with their parent, and are replaced when they die.

    Processes      what the simulator asks: a function and rows of arguments in, results in order out
    Pool           threads, each of which lends a worker to one task at a time; workers are started when none is idle
    Worker         one process, at the other end of a socket (``worker.py``)

A worker never imports the main module of the program, so that a script without ``if __name__ == "__main__":``, a notebook
and ``python -c`` work; functions and classes are found by the names of their modules. That is why these are not the spawned
processes of ``multiprocessing``, which run the script again. loky does not either, but when its parent was killed, its
workers and eight semaphores in ``/dev/shm`` stayed behind (version 3.7.0).

A worker that is ended from outside (most often for lack of memory) takes one task with it, which is given to a fresh
worker. A task whose worker dies again and again is named.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from seisflow.errors import InputError, SimulationError
from seisflow.observation.seismic.worker import receive, send

__all__ = ["Pool", "Processes", "Worker", "WorkerDiedError"]

_TRIES = 3
_PROGRAM = Path(__file__).with_name("worker.py")
_SECONDS_TO_END = 5.0
T = TypeVar("T")
Task = tuple[Future, Callable[..., Any], tuple, int]
"""Where the result goes, the function, its arguments, and the number of the row."""


class WorkerDiedError(Exception):
    """The worker ended by itself, or was ended from outside; carries how."""


class Worker:
    """One process that computes one task at a time."""

    def __init__(self) -> None:
        self.channel, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            options = ["-P", *(f"-W{option}" for option in sys.warnoptions)]
            command = [sys.executable, *options, str(_PROGRAM), str(number)]
            # A session of its own: Ctrl-C in a terminal reaches us, and we end the worker.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[number], start_new_session=True
            )
        _workers.add(self)
        self._send(pickle.dumps([path or str(Path.cwd()) for path in sys.path]))

    def ask(self, function: Callable[..., T], row: tuple) -> T:
        """``function(*row)``, computed there.

        Raises
        ------
        WorkerDiedError
            The worker has ended.
        InputError
            A function or an argument that the worker cannot find by name.
        """
        self._send(pickle.dumps((function, row), pickle.HIGHEST_PROTOCOL))
        try:
            word, value, stack = pickle.loads(receive(self.channel))
        except (EOFError, OSError):
            raise WorkerDiedError(self._how()) from None
        if word == "unreadable":
            remedy = "put what the simulator is given into a module that can be imported, or use one worker"
            raise InputError("task", value, remedy)
        if word == "raised":
            value.add_note(f"In a process that simulates waves:\n{stack}")
            raise value
        return value

    def _send(self, message: bytes) -> None:
        try:
            send(self.channel, message)
        except OSError:  # it has ended, as the next answer shows
            return

    def _how(self) -> str:
        code = self._code()
        return f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"

    def leave(self) -> None:
        """Hang up; the process ends soon, whatever it does."""
        with suppress(OSError):  # it has ended
            self.channel.shutdown(socket.SHUT_RDWR)

    def bury(self) -> None:
        """Wait for the end of a process that was left or has died; one that does not come is ended."""
        self._code()
        self.channel.close()

    def _code(self) -> int:
        try:
            return self.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


def _let_go() -> None:
    """A forked child must not hold its parent's channels open: workers would outlive their parent."""
    for worker in list(_workers):
        worker.channel.close()
    _workers.clear()


os.register_at_fork(after_in_child=_let_go)


class Pool:
    """Threads that lend workers to tasks; as daemons they do not keep an interpreter from ending.

    Parameters
    ----------
    workers
        Number of threads, and so of workers at most.
    """

    def __init__(self, workers: int) -> None:
        self.owner = os.getpid()
        self.idle: list[Worker] = []
        self.busy: list[Worker] = []
        self._ended = False
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._guard = threading.RLock()
        self._threads = [
            threading.Thread(target=self._serve, name="seisflow-waves", daemon=True) for _ in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., T], row: tuple, number: int) -> Future[T]:
        """Let a worker compute ``function(*row)``; ``number`` is the member's, for a message."""
        future: Future[T] = Future()
        with self._guard:
            self._check()
            self._tasks.put((future, function, row, number))
        return future

    def end(self) -> None:
        """End all workers, whatever they do, and the threads."""
        if self.owner != os.getpid():  # a forked child has none of them
            return
        with self._guard:
            self._ended = True
            workers, self.idle, self.busy = [*self.idle, *self.busy], [], []
        for _ in self._threads:
            self._tasks.put(None)
        for worker in workers:
            worker.leave()
        for worker in workers:
            worker.bury()

    def _check(self) -> None:
        if self._ended:
            raise SimulationError("the processes that simulate waves were ended before their work was done")

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._finish(*task)
            del task  # its arrays are not kept until the next one comes

    def _finish(self, future: Future[T], function: Callable[..., T], row: tuple, number: int) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = self._compute(function, row, number)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def _compute(self, function: Callable[..., T], row: tuple, number: int) -> T:
        how = ""
        for _ in range(_TRIES):
            worker = self._borrow()
            try:
                return worker.ask(function, row)
            except WorkerDiedError as death:
                worker.bury()
                how = str(death)
            finally:
                self._give_back(worker)
        raise SimulationError(
            f"processes that simulate waves were ended from outside {_TRIES} times before member {number} was done "
            f"(the last one {how}), most often for lack of memory; use fewer workers, a memory budget "
            "(seismic.memory_GB) or encoded_shots, and run again"
        )

    def _borrow(self) -> Worker:
        """An idle worker, the one that was used last if there are several, or a new one."""
        with self._guard:
            self._check()
            worker = self.idle.pop() if self.idle else Worker()
            self.busy.append(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._guard:
            if worker in self.busy:
                self.busy.remove(worker)
                if worker.process.returncode is None:
                    self.idle.append(worker)


class Processes:
    """Worker processes, started when first used.

    Parameters
    ----------
    workers
        Number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: Pool | None = None
        self._end: weakref.finalize | None = None

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [] if self._pool is None else [one.process.pid for one in (*self._pool.idle, *self._pool.busy)]

    def _start(self) -> Pool:
        if self._pool is None or self._pool.owner != os.getpid():
            self._pool = Pool(self.workers)
            self._end = weakref.finalize(self, self._pool.end)
        return self._pool

    def map(self, function: Callable[..., T], rows: Sequence[tuple]) -> Iterator[T]:
        """``function(*row)`` of every row, in order.

        Raises
        ------
        SimulationError
            When workers die three times without finishing the row that is waited for.
        InputError
            When a worker cannot find the function, or the class of an argument, by its name.
        """
        pool = self._start()
        futures = deque(pool.submit(function, row, number) for number, row in enumerate(rows))
        try:
            while futures:
                yield futures.popleft().result()
        except KeyboardInterrupt:
            self.close()
            raise
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """End the processes; they start again when needed."""
        if self._end is not None:
            self._end()
        self._pool = self._end = None
