"""How Julia is reached: functions of the package TwoPhaseFlow, called from Python on named arrays.

torch and Julia crash each other inside one process, in either order of import, so Julia has processes of its own, which
never import torch. From the outside in:

    JuliaEngine  what the rest of seisflow uses: one worker, whose threads share the members of an ensemble  (this file)
    members      members that are run until they are done, or known to be at fault
    session      one conversation: a worker that is started, asked and replaced
    worker       one process: lines in, lines out, its log, its end
    wire         values as lines of text, arrays as files in shared memory
    launch       `julia` or juliacall, and which of them
    find         the programs called `julia` on this machine
    install      brings one (the only part that downloads, and only when it is run)

Members are spread over processes and machines by whoever calls: an engine that is pickled into another process starts a
worker of its own there. The other side of the wire is ``julia/src/server.jl``. No other module of seisflow knows that
there is Julia.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from seisflow.dynamics.julia.find import JuliaInstallation, find_julia, julia_project
from seisflow.dynamics.julia.members import Gathered, run_members, split
from seisflow.dynamics.julia.session import JuliaSession, WorkerSettings
from seisflow.dynamics.julia.wire import Value, check_value
from seisflow.ensemble import MemberProgress
from seisflow.errors import InputError, JuliaError, JuliaNotFoundError

__all__ = ["JuliaEngine", "JuliaInstallation", "JuliaNotFoundError", "Value", "find_julia", "julia_project"]


class JuliaEngine:
    """Functions of the Julia package, called from Python.

    The worker starts at the first call and ends with the engine, or with this process, however that ends. One call runs at
    a time; calls from several threads wait for each other. Results do not depend on the number of threads. A copy that is
    pickled into another process has a worker of its own there.

    Parameters
    ----------
    threads
        Julia threads of the worker, among which an ensemble is divided; ``None``: the cores this process may use.
    installation
        Which Julia, as a program; chosen by :func:`~seisflow.dynamics.julia.launch.find_launch` when ``None``.
    start_limit
        Seconds that the worker may take to start.
    launcher
        ``"julia"`` or ``"juliacall"``; ``None``: ``SEISFLOW_JULIA_LAUNCHER``, else what is there.
    member_limit
        Seconds that a member of an ensemble may take before it is recorded as failed; ``None``: as long as it wants. The
        first member of the worker includes some seconds of compilation.

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
        member_limit: float | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError("threads", threads, "give at least one Julia thread, or None for all cores")
        if member_limit is not None and not member_limit > 0:
            raise InputError("member_limit", member_limit, "give seconds above 0, or None")
        self.threads, self.installation, self.start_limit = threads, installation, start_limit
        self.launcher, self.member_limit = launcher, member_limit
        self.julia_version = ""
        self.julia_threads = 0
        self.errors: dict[int, JuliaError] = {}
        """Members of the last ensemble that threw or were ended, with Julia's message and stack."""
        self._begin()
        _engines.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._session: JuliaSession | None = None
        self._busy = False

    def __reduce__(self) -> tuple[Any, ...]:
        options = {"launcher": self.launcher, "member_limit": self.member_limit}
        return _engine, (type(self), (self.threads, self.installation, self.start_limit), options)

    def __enter__(self) -> JuliaEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def settings(self) -> WorkerSettings:
        """What the worker of this engine must know."""
        threads = self.threads or len(os.sched_getaffinity(0))
        return WorkerSettings(threads, self.launcher, self.installation, self.start_limit)

    @property
    def pid(self) -> int | None:
        """Process number of the worker, ``None`` while there is none."""
        session = self._session
        return None if session is None else session.pid

    def start(self) -> JuliaEngine:
        """Start the worker now, and not at the first call.

        Raises
        ------
        JuliaNotFoundError
            There is no usable Julia on this machine.
        JuliaError
            The worker did not come up.
        """
        with self._conversation() as session:
            session.start()
        return self

    @contextmanager
    def _conversation(self) -> Iterator[JuliaSession]:
        """The session, for one caller at a time."""
        with self._lock:
            if self._busy:
                raise JuliaError("The engine is in the middle of a call: a progress callback needs another one.")
            session = self._session = self._session or JuliaSession(self.settings)
            self._busy = True
            try:
                yield session
            finally:
                self._busy = False
                self.julia_version, self.julia_threads = session.julia_version, session.julia_threads

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
            Called with (finished, ``total``) members when one begins or is finished, and about five times a second
            in between.
        total
            Members of an ensemble (``run_case``), which are divided among the threads; 0: a single call. Members that
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
        with self._conversation() as session:
            if total == 0:
                return session.call(function, inputs)
            return self._ensemble(session, function, inputs, progress or (lambda done, members: None), total)

    def _ensemble(
        self, session: JuliaSession, function: str, inputs: Mapping[str, Value], progress: MemberProgress, members: int
    ) -> dict[str, Any]:
        shared, rows = split(inputs, members)
        gathered = Gathered(members)
        run_members(
            session,
            function,
            shared,
            rows,
            self.member_limit,
            gathered.keep,
            lambda: progress(gathered.count, members),
        )
        self.errors = gathered.errors
        return gathered.result()

    def close(self) -> None:
        """End the worker and remove the folders. The engine can be used again; it starts a new worker then."""
        with self._lock:
            session, self._session = self._session, None
            if session is not None and self._busy:  # called back in the middle of a call
                session.end()
            elif session is not None:
                session.close()


def _engine(kind: type[JuliaEngine], arguments: tuple[Any, ...], options: dict[str, Any]) -> JuliaEngine:
    return kind(*arguments, **options)


_engines: weakref.WeakSet[JuliaEngine] = weakref.WeakSet()


def _let_go() -> None:
    """A forked child has none of its parent's workers, and no lock that another thread held."""
    for engine in list(_engines):
        if engine._session is not None:
            engine._session.abandon()
        engine._begin()


os.register_at_fork(after_in_child=_let_go)
