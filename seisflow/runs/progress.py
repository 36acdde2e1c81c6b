r"""Progress of a run: bars with the time left on a terminal, plain lines with a clock in a file or a batch job.

    terminal      one bar for every kind of work; what is finished stays above the bars as a line when ``verbose``
    notebook      the same bars where ipywidgets is installed, and the lines of a batch job where it is not
    file, batch   one line when something ends, and one every minute while it lasts, with the time left
    quiet         nothing but warnings and errors
    log           the lines, whatever the terminal shows, added to a file as well

While a display is open, messages of the package's own logger (``logging.getLogger("seisflow")``) go the same way: warnings
always, information when ``verbose``. So do Python's warnings. With ``messages=False`` both stay as they are.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

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

__all__ = ["ProgressDisplay", "progress_shown"]

HEARTBEAT = 60.0
"""Seconds between the lines about work that lasts, where there is no terminal."""


class _Lines(logging.Handler):
    """Log records as lines of a display."""

    def __init__(self, display: ProgressDisplay) -> None:
        super().__init__(logging.INFO if display.verbose or display.log is not None else logging.WARNING)
        self.display = display

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        grave = record.levelno >= logging.WARNING
        self.display.line(level + record.getMessage(), always=grave, shown=grave or self.display.verbose)


class ProgressDisplay:
    """Shows how far a run has come: ``display(what, done, total)``.

    Parameters
    ----------
    console
        Where to write; default: standard error. Bars only when it is a terminal, or a notebook with ipywidgets.
    quiet
        Show warnings and errors only.
    verbose
        Show information as well, such as every stage that is kept.
    log
        A file to which all lines are added, information included.
    messages
        Whether log messages of seisflow and Python's warnings become lines of this display while it is open.

    Raises
    ------
    InputError
        For both quiet and verbose, or a log file that cannot be written to.
    """

    def __init__(
        self,
        console: Console | None = None,
        quiet: bool = False,
        verbose: bool = False,
        log: Path | None = None,
        messages: bool = True,
    ) -> None:
        if quiet and verbose:
            raise InputError("verbose", True, "choose either quiet or verbose")
        self.console = console or Console(stderr=True)
        self.quiet, self.verbose, self.log, self.messages = quiet, verbose, log, messages
        self._file: TextIO | None = None
        self._usual: Any = None
        self._prefix = ""
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}
        self._ended: set[str] = set()
        self._handler = _Lines(self)
        self._level = logging.NOTSET
        self._live = self.console.is_terminal or (self.console.is_jupyter and find_spec("ipywidgets") is not None)
        self._bars = _bars(self.console) if self._live and not quiet else None

    def __enter__(self) -> ProgressDisplay:
        if self.log is not None:
            try:
                self._file = self.log.open("a", encoding="utf-8", buffering=1)  # line by line: a killed run loses none
            except OSError as error:
                raise InputError("log", str(self.log), f"it cannot be written to ({error.strerror})") from error
        if self.messages:
            self._usual, warnings.showwarning = warnings.showwarning, self._warning
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
        if self.messages:
            logger = logging.getLogger("seisflow")
            logger.removeHandler(self._handler)
            logger.setLevel(self._level)
            warnings.showwarning = self._usual
        if error is not None:
            self._note(f"ended by {type(error).__name__}: {error}")
        if self._file is not None:
            self._file.close()
            self._file = None

    def _warning(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        self.line(f"warning: {message}", always=True)

    def _note(self, text: str) -> None:
        """One line to the log file."""
        if self._file is not None:
            self._file.write(f"{_clock()}  {text}\n")

    def section(self, name: str) -> None:
        """Name what follows (the method that runs)."""
        self._prefix = name

    def line(self, text: str, always: bool = False, shown: bool = True) -> None:
        """One line, with the time of day where there is no terminal; nothing when quiet, unless ``always``.

        The log file has it in any case.
        """
        self._note(text)
        if not shown or (self.quiet and not always):
            return
        if not self._live:
            text = f"{_clock()}  {text}"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        label, now = (f"{self._prefix}: {what}" if self._prefix else what), time.perf_counter()
        began = self._began.setdefault(label, now)
        if self._bars is not None:
            if label not in self._tasks:
                self._tasks[label] = self._bars.add_task(label, total=total)
            self._bars.update(self._tasks[label], completed=done, total=total)
        if done < total and now - self._spoke.setdefault(label, now) >= HEARTBEAT:
            self._spoke[label] = now
            left = f", about {_spoken((now - began) * (total - done) / done)} left" if done else ""
            self.line(f"{label}: {done} of {total}{left}", shown=self._bars is None)
        if done == total and label not in self._ended:
            self._ended.add(label)
            text = f"{label}: {total} done in {_spoken(now - began)}"
            self.line(text, shown=self._bars is None or self.verbose)


@contextmanager
def progress_shown(display: ProgressDisplay | bool) -> Iterator[ProgressDisplay]:
    """The display of a caller, or one that is open within the block.

    Parameters
    ----------
    display
        A display that its caller opens and closes; True: one on standard error; False: one that shows nothing.
        The caller's logging and warnings stay as they are with either of the latter two.
    """
    if isinstance(display, ProgressDisplay):
        yield display
        return
    with ProgressDisplay(quiet=not display, messages=False) as own:
        yield own


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<44}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def _clock() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _spoken(seconds: float) -> str:
    """A duration as one reads it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
