"""One conversation with Julia: a worker that starts when needed, is asked one thing at a time, and replaced when it dies."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from seisflow.dynamics.julia.find import JuliaInstallation, cache_folder
from seisflow.dynamics.julia.launch import Launch, find_launch
from seisflow.dynamics.julia.wire import Exchange, Value, decode, encode
from seisflow.dynamics.julia.worker import Worker, WorkerDiedError
from seisflow.errors import JuliaError

__all__ = ["Event", "JuliaSession", "WorkerSettings"]

Event = tuple[str, int, dict[str, Any]]
"""What happened (``"begun"``, ``"member"``, ``"result"``, or ``"waiting"``), to which member, and its values."""

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker is started.

    Attributes
    ----------
    threads
        Julia threads of the worker.
    launcher, installation
        As :func:`~seisflow.dynamics.julia.launch.find_launch` takes them.
    start_limit
        Seconds that the worker may take to start.
    """

    threads: int
    launcher: str | None = None
    installation: JuliaInstallation | None = None
    start_limit: float = 300.0


class JuliaSession:
    """A worker and the folders through which its arrays travel. One thread at a time, except :meth:`end`."""

    def __init__(self, settings: WorkerSettings, launch: Launch | None = None) -> None:
        self.settings = settings
        self.launch = launch
        self.julia_version = ""
        self.julia_threads = 0
        self._worker: Worker | None = None
        self._exchange: Exchange | None = None
        self._finalizers: list[weakref.finalize] = []
        self._ended = False
        self._guard = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Process number of the worker, ``None`` while there is none."""
        worker = self._worker
        return worker.process.pid if worker else None

    def start(self) -> Worker:
        """The worker, started if there is none.

        Raises
        ------
        JuliaNotFoundError
            There is no usable Julia on this machine.
        JuliaError
            The worker did not come up, or the session was ended.
        """
        if self._worker is not None:
            return self._worker
        if self.launch is None:
            self.launch = find_launch(self.settings.launcher, self.settings.installation)
        if self._exchange is None:
            self._exchange = Exchange()
            self._finalizers.append(weakref.finalize(self, self._exchange.remove))
        depot = cache_folder() / "depot"
        try:
            depot.mkdir(parents=True, exist_ok=True)
            writable = os.access(depot, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        threads = self.settings.threads
        variables = self.launch.variables(threads, depot if writable else self._exchange.folders[-1] / "depot")
        with self._guard:
            if self._ended:
                raise JuliaError("The session with Julia was ended.")
            worker = self._worker = Worker(self.launch.command(threads), variables)
        self._finalizers.append(weakref.finalize(self, worker.close))
        try:
            line = worker.hear(self.settings.start_limit)
        except WorkerDiedError as problem:
            self._bury()
            raise JuliaError(f"{self.launch.julia} did not start. {problem}") from None
        except BaseException:
            self._bury()
            raise
        if line is None:
            words = worker.last_words()
            self._bury()
            raise JuliaError(f"{self.launch.julia} did not start within {self.settings.start_limit:.0f} s.{words}")
        _, self.julia_version, count, _ = line.split(" ")
        self.julia_threads = int(count)
        return worker

    def call(self, function: str, inputs: Mapping[str, Value]) -> dict[str, Any]:
        """Call a function; once more, when the worker is ended meanwhile.

        Raises
        ------
        InputError
            A value that cannot travel.
        JuliaError
            Julia threw, or the worker was ended twice.
        """
        for last in (False, True):
            try:
                for kind, _, values in self.stream("call", function, inputs):
                    if kind == "result":
                        return values
            except WorkerDiedError as problem:
                if last or self._ended:
                    raise JuliaError(f"{function} was tried twice. {problem}") from None
        raise AssertionError("a stream ends with a result or an error")

    def stream(self, kind: str, function: str, inputs: Mapping[str, Value]) -> Generator[Event, None, None]:
        """Ask, and tell what comes back; ``"waiting"`` about five times a second.

        A stream that is not followed to its end ends the worker, which is in the middle of something.

        Raises
        ------
        InputError, JuliaError
            As :meth:`call`.
        WorkerDiedError
            The worker was ended.
        """
        worker = self.start()
        assert self._exchange is not None
        done = True  # the worker is not in the middle of anything
        try:
            lines = encode(inputs, self._exchange, "inputs")
            folders = " ".join(quote(str(folder)) for folder in self._exchange.folders)
            done = False
            worker.say([f"{kind} {quote(function)} {len(lines)} {folders}", *lines])
            while not done:
                line = worker.hear(POLL_SECONDS)
                word, *rest = ["waiting"] if line is None else line.split(" ")
                if word == "error":
                    done = True
                    raise self._error(worker, *map(unquote, rest))
                member = int(rest[0]) if word in ("begun", "member") else -1
                values = self._values(worker, int(rest[-1])) if word in ("member", "result") else {}
                done = word == "result"
                yield word, member, values
        finally:
            self._exchange.clear()
            if not done:
                self._bury()

    def _values(self, worker: Worker, count: int) -> dict[str, Any]:
        lines = [worker.hear(self.settings.start_limit) for _ in range(count)]
        return decode(line for line in lines if line is not None)

    @staticmethod
    def _error(worker: Worker, message: str, stack: str) -> JuliaError:
        # Julia says why a package does not compile in its log only
        log = worker.last_words() if message.startswith("Failed to precompile") else ""
        return JuliaError(message + log, stack.strip())

    def end(self) -> None:
        """End the worker, whatever it does; from any thread. The session cannot be used again."""
        with self._guard:
            self._ended = True
            if self._worker is not None:
                self._worker.kill()

    def close(self) -> None:
        """End an idle worker and remove the folders."""
        for finalizer in reversed(self._finalizers):
            finalizer()
        self._worker = self._exchange = None

    def abandon(self) -> None:
        """Forget a parent's worker and folders, in its forked child."""
        for finalizer in self._finalizers:
            finalizer.detach()
        if self._exchange is not None:
            self._exchange.forget()
        self._worker = self._exchange = None

    def _bury(self) -> None:
        if self._worker is not None:
            for finalizer in self._finalizers[1:]:  # the first one is that of the folders
                finalizer.detach()
            del self._finalizers[1:]
            self._worker.bury()
            self._worker = None
