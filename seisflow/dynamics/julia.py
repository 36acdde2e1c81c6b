"""How Julia is reached: a worker process that runs ``server.jl``, one call at a time.

torch and Julia crash each other inside one process, in either order of import, so Julia has a process of its own, which
never imports torch. Requests and replies are a few lines of text over pipes; arrays are raw files in a private folder in
shared memory, mapped by both sides. A C-ordered array ``(member, x, z)`` here is ``(z, x, member)`` there: the same
bytes, no copy.

The launcher is a command line and some variables (:func:`_launch`); all the rest does not know what was launched.
The format of the values is :mod:`~seisflow.dynamics.julia_wire`; finding Julia is :mod:`~seisflow.dynamics.julia_find`,
installing it :mod:`~seisflow.dynamics.julia_install`. No other
module of seisflow knows that there is Julia.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from seisflow.dynamics.julia_find import JuliaInstallation, cache_folder, find_julia, julia_project, julia_variables
from seisflow.dynamics.julia_wire import Exchange, Value, decode, encode
from seisflow.errors import InputError, JuliaError, JuliaNotFoundError

__all__ = ["JuliaEngine", "JuliaInstallation", "JuliaNotFoundError", "Value", "find_julia", "julia_project"]

Progress = Callable[[int, int], None]

MODULE = "TwoPhaseFlow"
POLL_SECONDS = 0.2
KEPT_LINES = 30


def _launch(
    installation: JuliaInstallation, project: Path, threads: int, depot: Path
) -> tuple[list[str], dict[str, str]]:
    """Command line and variables that start a worker with the ``julia`` program."""
    command = [str(installation.executable), "--startup-file=no", "--history-file=no", "--color=no"]
    command += [f"--project={project}", f"--threads={threads}", str(project / "src" / "server.jl"), MODULE]
    return command, julia_variables(installation, depot)


class _WorkerDiedError(Exception):
    """The worker ended by itself; carries the reason."""


class _Worker:
    """One running worker: lines in, lines out, the last lines of its log.

    Its own thread starts it and reads its log until it ends. The kernel ties the life of a process to the *thread* that
    started it (``server.jl`` asks for that), so that thread must live as long as the process.
    """

    process: subprocess.Popen[bytes]

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        self.log: deque[str] = deque(maxlen=KEPT_LINES)
        self._owner = os.getpid()
        self._buffer = b""
        self._problem: OSError | None = None
        started = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep, args=(command, variables, started), name="seisflow-julia", daemon=True
        )
        self._keeper.start()
        started.wait()
        if self._problem is not None:
            raise JuliaError(f"{command[0]} could not be started: {self._problem}.")

    def _keep(self, command: list[str], variables: dict[str, str], started: threading.Event) -> None:
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, bufsize=0, start_new_session=True
            )
        except OSError as problem:
            self._problem = problem
            return
        finally:
            started.set()
        assert self.process.stderr is not None
        with open(self.process.stderr.fileno(), "rb", closefd=False) as log:
            for line in log:
                self.log.append(line.decode(errors="replace").rstrip())

    def say(self, lines: list[str]) -> None:
        """Send lines; what cannot be sent is found out by the next :meth:`hear`."""
        data = memoryview(("\n".join(lines) + "\n").encode("ascii"))
        try:
            while data:
                data = data[self.process.stdin.write(data) :]  # type: ignore[union-attr]
        except BrokenPipeError:
            return

    def hear(self, seconds: float) -> str | None:
        """The next line; ``None`` if there is none within the time."""
        stream = self.process.stdout.fileno()  # type: ignore[union-attr]
        poll = select.poll()
        poll.register(stream, select.POLLIN | select.POLLHUP)
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1e3):
                return None
            chunk = os.read(stream, 1 << 16)
            if not chunk:
                raise _WorkerDiedError(self._obituary())
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("ascii")

    def _obituary(self) -> str:
        try:
            code = self.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:  # it closed its output, and lives
            self.process.kill()
            code = self.process.wait()
        self._keeper.join(timeout=1.0)
        if code >= 0:
            how = f"with exit code {code}"
        else:
            name = signal.Signals(-code).name
            how = f"by signal {name}" + (" (perhaps the machine ran out of memory)" if name == "SIGKILL" else "")
        return f"The Julia worker was ended {how}." + self.last_words()

    def last_words(self) -> str:
        """The end of the worker's log, for a message."""
        return "\nIts last lines:\n  " + "\n  ".join(list(self.log)) if self.log else ""

    def close(self) -> None:
        """End the worker, kindly when it is idle."""
        if self._owner != os.getpid():  # a forked child must not end what is its parent's
            return
        self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End the worker now."""
        self.process.kill()
        self.process.wait()
        self._release()

    def _release(self) -> None:
        self._keeper.join(timeout=1.0)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()  # type: ignore[union-attr]


class JuliaEngine:
    """Functions of the Julia package, called from Python.

    The worker starts at the first call and ends with the engine, or with this process, however that ends. One call runs
    at a time; calls from several threads wait for each other. A copy that is pickled into another process starts a
    worker of its own.

    Parameters
    ----------
    threads
        Julia threads of the worker; all cores this process may use when ``None``.
    installation
        Which Julia; :func:`find_julia` when ``None``.
    start_limit
        Seconds that the worker may take to start.
    """

    def __init__(
        self,
        threads: int | None = None,
        installation: JuliaInstallation | None = None,
        start_limit: float = 300.0,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError("threads", threads, "give at least one Julia thread, or None for all cores")
        self.threads = threads
        self.installation = installation
        self.start_limit = start_limit
        self._forget()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.threads, self.installation, self.start_limit)

    def __enter__(self) -> JuliaEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._worker: _Worker | None = None
        self._exchange: Exchange | None = None
        self._end_worker: weakref.finalize | None = None
        self._end_exchange: weakref.finalize | None = None
        self.julia_version = ""
        self.julia_threads = 0

    @property
    def pid(self) -> int | None:
        """Process number of the worker, ``None`` while there is none."""
        return self._worker.process.pid if self._worker else None

    def start(self) -> JuliaEngine:
        """Start the worker now, and not at the first call.

        Raises
        ------
        JuliaNotFoundError
            There is no usable Julia on this machine.
        JuliaError
            The worker did not come up.
        """
        if self._owner != os.getpid():  # forked: pipes and folders belong to the parent
            for end in (self._end_worker, self._end_exchange):
                if end is not None:
                    end.detach()
            self._forget()
        with self._lock:
            if self._worker is None:
                self._start()
        return self

    def _start(self) -> None:
        if self.installation is None:
            self.installation = find_julia()
        if self._exchange is None:
            self._exchange = Exchange()
            self._end_exchange = weakref.finalize(self, self._exchange.remove)
        depot = cache_folder() / "depot"
        try:
            depot.mkdir(parents=True, exist_ok=True)
            writable = os.access(depot, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        command, variables = _launch(
            self.installation,
            julia_project(),
            self.threads or len(os.sched_getaffinity(0)),
            depot if writable else self._exchange.folders[-1] / "depot",
        )
        worker = _Worker([*command, str(os.getpid())], variables)
        self._worker = worker
        self._end_worker = weakref.finalize(self, worker.close)
        try:
            line = worker.hear(self.start_limit)
        except _WorkerDiedError as problem:
            self.close()
            raise JuliaError(f"Julia did not start. {problem}") from None
        except BaseException:
            self._kill()
            raise
        if line is None:
            self._kill()
            raise JuliaError(f"Julia did not start within {self.start_limit:.0f} s." + worker.last_words())
        _, self.julia_version, threads, _ = line.split(" ")
        self.julia_threads = int(threads)

    def call(
        self, function: str, inputs: Mapping[str, Value], progress: Progress | None = None, total: int = 0
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
            Called about five times a second with (finished, ``total``). Julia then finds under ``"progress"`` the path
            of a file to which it appends one byte per finished member.
        total
            Members to do, handed on to ``progress``.

        Raises
        ------
        InputError
            A value that cannot travel.
        JuliaError
            Julia threw: its message and stack. Or the worker was ended from outside twice in a row: signal or exit
            code, and its last lines.
        """
        with self._lock:
            exchange = self.start()._exchange
            assert exchange is not None
            try:
                counter = exchange.folders[0] / "progress-members"
                values = dict(inputs) if progress is None else {**inputs, "progress": str(counter)}
                lines = [encode(key, value, exchange, i) for i, (key, value) in enumerate(values.items())]
                folders = " ".join(quote(str(folder)) for folder in exchange.folders)
                request = [f"call {quote(function)} {len(lines)} {folders}", *lines]
                report = None if progress is None else partial(_report, progress, counter, total)
                try:
                    return self._ask(request, counter, report)
                except _WorkerDiedError:
                    self._kill()
                try:
                    return self._ask(request, counter, report)
                except _WorkerDiedError as problem:
                    self._kill()
                    raise JuliaError(f"{function} was tried twice. {problem}") from None
            finally:
                exchange.clear()

    def _ask(self, request: list[str], counter: Path, report: Callable[[], None] | None) -> dict[str, Any]:
        """Send a request and wait for the reply; the inputs lie in the exchange already."""
        worker = self.start()._worker
        assert worker is not None
        counter.write_bytes(b"")
        try:
            worker.say(request)
            while (line := worker.hear(POLL_SECONDS)) is None:
                if report is not None:
                    report()
            kind, *rest = line.split(" ")
            if kind == "result":
                replies = [worker.hear(self.start_limit) or "" for _ in range(int(rest[0]))]
        except _WorkerDiedError:
            raise
        except BaseException:  # Ctrl-C, or an error in the callback: the worker is in the middle of something
            self._kill()
            raise
        if report is not None:
            report()
        if kind == "result":
            return dict(map(decode, replies))
        message, stack = map(unquote, rest)
        # Julia says why a package does not compile in its log only
        log = worker.last_words() if message.startswith("Failed to precompile") else ""
        raise JuliaError(f"{message}\n{stack.strip()}{log}")

    def close(self) -> None:
        """End the worker and remove the folders. The engine can be used again; it starts a new worker then."""
        with self._lock:
            for end in (self._end_worker, self._end_exchange):
                if end is not None:
                    end()
            self._worker = self._exchange = None

    def _kill(self) -> None:
        """End a worker that is dead, or in the middle of something; the next call starts another."""
        if self._worker is not None and self._end_worker is not None:
            self._end_worker.detach()
            self._worker.kill()
            self._worker = None


def _report(progress: Progress, counter: Path, total: int) -> None:
    progress(counter.stat().st_size, total)
