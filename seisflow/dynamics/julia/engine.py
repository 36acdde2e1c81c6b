"""How Julia is reached: functions of the package TwoPhaseFlow, called from Python on named arrays.

torch and Julia crash each other inside one process, in either order of import, so Julia has processes of its own, which
never import torch. From the outside in:

    JuliaEngine        what the rest of seisflow uses; splits an ensemble over workers     (this file)
    pool         the sessions of a process, for whatever executor brings the calls
    members      members that are run until they are done, or known to be at fault
    session      one conversation: a worker that is started, asked and replaced
    worker       one process: lines in, lines out, its log, its end
    wire         values as lines of text, arrays as files in shared memory
    launch       `julia` or juliacall, and which of them
    find         the programs called `julia` on this machine
    install      brings one (the only part that downloads, and only when it is run)

The other side of the wire is ``julia/src/server.jl``. No other module of seisflow knows that there is Julia.
"""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from seisflow.dynamics.julia.find import JuliaInstallation, find_julia, julia_project
from seisflow.dynamics.julia.members import Gathered, split
from seisflow.dynamics.julia.pool import (
    Finished,
    Job,
    Owner,
    borrow,
    end_sessions,
    give_back,
    machine,
    run_chunk,
    session_pids,
)
from seisflow.dynamics.julia.session import JuliaSession, Settings
from seisflow.dynamics.julia.wire import Exchange, Value, check_value
from seisflow.ensemble import MemberProgress
from seisflow.errors import InputError, JuliaError, JuliaNotFoundError

__all__ = ["JuliaEngine", "JuliaInstallation", "JuliaNotFoundError", "Value", "find_julia", "julia_project"]

POLL_SECONDS = 0.2
CHUNKS_PER_WORKER = 4
"""Chunks of an ensemble for each worker: fewer leave workers idle at the end, more cost time in between."""


class JuliaEngine:
    """Functions of the Julia package, called from Python.

    Workers start at the first call and end with the engine, or with this process, however that ends. One call runs at a
    time; calls from several threads wait for each other. Results do not depend on the number of threads or workers. A
    copy that is pickled into another process has workers of its own there, and no executor.

    Parameters
    ----------
    threads
        Julia threads of a worker; ``None``: the cores this process may use, divided by the workers, and 1 with an
        executor.
    installation
        Which Julia, as a program; chosen by :func:`~seisflow.dynamics.julia.launch.find_launch` when ``None``.
    start_limit
        Seconds that a worker may take to start.
    launcher
        ``"julia"`` or ``"juliacall"``; ``None``: ``SEISFLOW_JULIA_LAUNCHER``, else what is there.
    workers
        Julia processes among which an ensemble is divided. With an executor: how many calls it runs at a time, for the
        size of the chunks; ``None``: 1, or what the executor says.
    executor
        What carries the chunks of an ensemble elsewhere, for example ``dask.distributed.Client.get_executor()`` or a
        ``ProcessPoolExecutor``; ``None``: workers of this process.
    member_limit
        Seconds that a member of an ensemble may take before it is recorded as failed; ``None``: as long as it wants. The
        first member of a worker includes some seconds of compilation.

    Raises
    ------
    InputError
        A number that cannot be.
    """

    def __init__(
        self,
        threads: int | None = None,
        installation: JuliaInstallation | None = None,
        start_limit: float = 300.0,
        *,
        launcher: str | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
        member_limit: float | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError("threads", threads, "give at least one Julia thread, or None for all cores")
        if workers is not None and workers < 1:
            raise InputError("workers", workers, "give at least one worker, or None")
        if member_limit is not None and not member_limit > 0:
            raise InputError("member_limit", member_limit, "give seconds above 0, or None")
        self.threads, self.installation, self.start_limit = threads, installation, start_limit
        self.launcher, self.workers, self.executor, self.member_limit = launcher, workers, executor, member_limit
        self.julia_version = ""
        self.julia_threads = 0
        self.errors: dict[int, JuliaError] = {}
        """Members of the last ensemble that threw or were ended, with Julia's message and stack."""
        self._begin()

    def __reduce__(self) -> tuple[Any, ...]:
        options = {"launcher": self.launcher, "workers": self.workers, "member_limit": self.member_limit}
        return _engine, (type(self), (self.threads, self.installation, self.start_limit), options)

    def __enter__(self) -> JuliaEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._beacon = Exchange() if self.executor is not None else None
        lock = self._beacon.folders[0] / "owner" if self._beacon else None
        self._owner = Owner(uuid.uuid4().hex, machine(), os.getpid(), lock)
        self._lanes: Executor | None = None
        self._end = weakref.finalize(self, _end, self._owner, self._beacon)

    @property
    def settings(self) -> Settings:
        """What a session of this engine must know."""
        threads = self.threads
        if threads is None:
            cores = len(os.sched_getaffinity(0))
            threads = 1 if self.executor is not None else max(1, cores // (self.workers or 1))
        return Settings(threads, self.launcher, self.installation, self.start_limit)

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers of this process."""
        return session_pids(self._owner)

    @property
    def pid(self) -> int | None:
        """Process number of the first worker, ``None`` while there is none."""
        return next(iter(self.pids), None)

    def start(self) -> JuliaEngine:
        """Start a worker now, and not at the first call.

        Raises
        ------
        JuliaNotFoundError
            There is no usable Julia on this machine.
        JuliaError
            The worker did not come up.
        """
        with self._lock:
            self._with_session(lambda session: session.start())
        return self

    def _with_session(self, use: Callable[[JuliaSession], Any]) -> Any:
        if self._owner.pid != os.getpid():  # forked: workers belong to the parent
            self._end.detach()
            self._begin()
        session = borrow(self._owner, self.settings)
        try:
            return use(session)
        finally:
            self.julia_version, self.julia_threads = session.julia_version, session.julia_threads
            give_back(self._owner, session)

    def call(
        self, function: str, inputs: Mapping[str, Value], progress: MemberProgress | None = None, total: int = 0
    ) -> dict[str, Any]:
        """Call ``TwoPhaseFlow.function(inputs)`` and return the values of the dictionary that it returns.

        Parameters
        ----------
        function
            Name of a function from ``Dict{String,Any}`` to a dictionary. ``server.echo`` gives the inputs back.
        inputs
            Named arrays (float64, float32, int64, int32, uint8, bool; any number of axes, which arrive in reverse
            order), numbers and texts. They are not modified.
        progress
            Called about five times a second with (finished, ``total``) members.
        total
            Members of an ensemble (``run_case``), which are divided among the workers; 0: a single call. Members that
            fail are in the outputs and in :attr:`errors`; those of a worker that dies are run again.

        Raises
        ------
        InputError
            A value that cannot travel, or a number of members that differs from ``total``.
        JuliaError
            Julia threw, outside a member: its message and stack. Or the worker was ended from outside twice in a row:
            signal or exit code, and its last lines.
        JuliaNotFoundError
            There is no usable Julia on this machine.
        """
        for key, value in inputs.items():
            check_value(key, value)
        with self._lock:
            if total == 0:
                return dict(self._with_session(lambda session: session.call(function, inputs)))
            return self._ensemble(function, inputs, progress or (lambda done, members: None), total)

    def _ensemble(
        self, function: str, inputs: Mapping[str, Value], progress: MemberProgress, members: int
    ) -> dict[str, Any]:
        shared, rows = split(inputs, members)
        if self.executor is None:
            self.start()  # one error, and no threads, where there is no Julia
        job = Job(self._owner, self.settings, function, shared, self.member_limit)
        gathered = Gathered(members)
        futures = [self._submit(job, chunk, rows, gathered) for chunk in self._chunks(members)]
        try:
            running = set(futures)
            while running:
                done, running = wait(running, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
                for future in done:
                    for finished in future.result():
                        gathered.keep(*finished)
                progress(gathered.count, members)
        except BaseException:  # Julia threw, Ctrl-C, or an error in the callback
            for future in futures:
                future.cancel()
            if not all(future.done() for future in futures):
                self.close()
            raise
        self.errors = gathered.errors
        return gathered.result()

    def _submit(self, job: Job, chunk: range, rows: Mapping[str, np.ndarray], gathered: Gathered) -> Future[Finished]:
        part = {key: array[chunk.start : chunk.stop] for key, array in rows.items()}
        if self.executor is not None:
            return self.executor.submit(run_chunk, job, chunk, part)
        if self._lanes is None:
            self._lanes = ThreadPoolExecutor(self.workers or 1, thread_name_prefix="seisflow-julia")
        return self._lanes.submit(run_chunk, job, chunk, part, gathered.keep)

    def _chunks(self, members: int) -> list[range]:
        """Members in groups: one for a single worker, several for each of many."""
        if self.executor is None and (self.workers or 1) == 1:
            return [range(members)]
        workers = self.workers or getattr(self.executor, "_max_workers", None) or os.cpu_count() or 1
        size = max(-(-members // (CHUNKS_PER_WORKER * workers)), self.settings.threads)
        return [range(first, min(first + size, members)) for first in range(0, members, size)]

    def close(self) -> None:
        """End the workers and remove the folders. The engine can be used again; it starts new workers then."""
        with self._lock:
            self._end()
            if self._lanes is not None:
                self._lanes.shutdown(wait=True, cancel_futures=True)
            self._begin()


def _end(owner: Owner, beacon: Exchange | None) -> None:
    if beacon is not None:
        beacon.remove()  # workers in other processes end now
    end_sessions(owner)


def _engine(kind: type[JuliaEngine], arguments: tuple[Any, ...], options: dict[str, Any]) -> JuliaEngine:
    return kind(*arguments, **options)
