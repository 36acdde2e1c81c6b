"""One running Julia worker: lines in, lines out, the end of its log; it ends with whoever started it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

from seisflow.errors import JuliaError

__all__ = ["Worker", "WorkerDiedError"]

KEPT_LINES = 30


class WorkerDiedError(Exception):
    """The worker ended by itself, or was ended from outside; carries the reason."""


class Worker:
    """A process that answers on its standard output what it is asked on its standard input.

    Its own thread starts it and reads its log until it ends. The kernel ties the life of a process to the *thread* that
    started it (``server.jl`` asks for that), so that thread must live as long as the process.

    Parameters
    ----------
    command, variables
        What to run, in which environment. The number of this process is added as the last argument.

    Raises
    ------
    JuliaError
        The program cannot be run.
    """

    process: subprocess.Popen[bytes]

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self.log: deque[str] = deque(maxlen=KEPT_LINES)
        self._owner = os.getpid()
        self._buffer = b""
        self._problem: OSError | None = None
        started = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep,
            args=([*command, str(self._owner)], variables, started),
            name="seisflow-julia",
            daemon=True,
        )
        self._keeper.start()
        started.wait()
        if self._problem is not None:
            raise JuliaError(f"{command[0]} could not be started: {self._problem}.")

    def _keep(self, command: list[str], variables: Mapping[str, str], started: threading.Event) -> None:
        pipe = subprocess.PIPE
        try:
            # a session of its own: Ctrl-C in a terminal reaches us, and we end the worker
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

    def say(self, lines: Sequence[str]) -> None:
        """Send lines; what cannot be sent is found out by the next :meth:`hear`."""
        data = memoryview(("\n".join(lines) + "\n").encode("ascii"))
        try:
            while data:
                data = data[self.process.stdin.write(data) :]  # type: ignore[union-attr]
        except BrokenPipeError:
            return

    def hear(self, seconds: float) -> str | None:
        """The next line; ``None`` if there is none within the time.

        Raises
        ------
        WorkerDiedError
            There will be none.
        """
        stream = self.process.stdout.fileno()  # type: ignore[union-attr]
        poll = select.poll()
        poll.register(stream, select.POLLIN | select.POLLHUP)
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1e3):
                return None
            chunk = os.read(stream, 1 << 16)
            if not chunk:
                raise WorkerDiedError(self._obituary())
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
            self.process.kill()
        self._bury()

    def kill(self) -> None:
        """End the worker now, in the middle of whatever it does; from any thread."""
        if self._owner == os.getpid():
            self.process.kill()

    def bury(self) -> None:
        """Take leave of a worker that was ended."""
        self.kill()
        self._bury()

    def _bury(self) -> None:
        self.process.wait()
        self._keeper.join(timeout=1.0)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()  # type: ignore[union-attr]
