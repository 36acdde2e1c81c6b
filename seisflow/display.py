r"""Progress of a run: bars with the time left on a terminal, plain lines with a clock in a file or a batch job.

    terminal      one bar for every kind of work; what is finished stays above the bars as a line when ``verbose``
    file, batch   one line when something ends, and one every minute while it lasts, with the time left
    quiet         nothing but warnings and errors

Messages of the package's own logger (``logging.getLogger("seisflow")``) go the same way while a display is open: warnings
always, information when ``verbose``.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from seisflow.errors import InputError

__all__ = ["Display"]

HEARTBEAT = 60.0
"""Seconds between the lines about work that lasts, where there is no terminal."""


class _Lines(logging.Handler):
    """Log records as lines of a display."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.INFO if display.verbose else logging.WARNING)
        self.display = display

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        self.display.line(level + record.getMessage(), always=record.levelno >= logging.WARNING)


class Display:
    """Shows how far a run has come: ``display(what, done, total)``.

    Parameters
    ----------
    console
        Where to write; bars only when it is a terminal.
    quiet
        Show warnings and errors only.
    verbose
        Show information as well, such as every stage that is kept.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False, verbose: bool = False) -> None:
        if quiet and verbose:
            raise InputError("verbose", True, "choose either quiet or verbose")
        self.console = console or Console(stderr=True)
        self.quiet, self.verbose = quiet, verbose
        self._prefix = ""
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}
        self._ended: set[str] = set()
        self._handler = _Lines(self)
        self._level = logging.NOTSET
        self._bars: Progress | None = None
        if not quiet and self.console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description:<44}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.console,
            )

    def __enter__(self) -> Display:
        logger = logging.getLogger("seisflow")
        self._level = logger.level
        logger.setLevel(self._handler.level)
        logger.addHandler(self._handler)
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        logger = logging.getLogger("seisflow")
        logger.removeHandler(self._handler)
        logger.setLevel(self._level)

    def section(self, name: str) -> None:
        """Name what follows (the method that runs)."""
        self._prefix = name

    def line(self, text: str, always: bool = False) -> None:
        """One line, with the time of day where there is no terminal; nothing when quiet, unless ``always``."""
        if self.quiet and not always:
            return
        if not self.console.is_terminal:
            text = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        if self.quiet:
            return
        label, now = (f"{self._prefix}: {what}" if self._prefix else what), time.perf_counter()
        began = self._began.setdefault(label, now)
        if self._bars is not None:
            if label not in self._tasks:
                self._tasks[label] = self._bars.add_task(label, total=total)
            self._bars.update(self._tasks[label], completed=done, total=total)
        elif done < total and now - self._spoke.setdefault(label, now) >= HEARTBEAT:
            self._spoke[label] = now
            left = f", about {_spoken((now - began) * (total - done) / done)} left" if done else ""
            self.line(f"{label}: {done} of {total}{left}")
        if done == total and label not in self._ended:
            self._ended.add(label)
            if self._bars is None or self.verbose:
                self.line(f"{label}: {total} done in {_spoken(now - began)}")


def _spoken(seconds: float) -> str:
    """A duration as one reads it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
