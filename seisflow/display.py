r"""Progress on a terminal (bars with the time left) or in a log (a line when something ends)."""

from __future__ import annotations

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

__all__ = ["Display"]


class Display:
    """Shows how far a run has come: ``display(what, done, total)``.

    Parameters
    ----------
    console
        Where to write; bars only when it is a terminal.
    quiet
        Show nothing.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True)
        self.quiet = quiet
        self._prefix = ""
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
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
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def section(self, name: str) -> None:
        """Name what follows (the method that runs)."""
        self._prefix = name

    def __call__(self, what: str, done: int, total: int) -> None:
        if self.quiet:
            return
        label = f"{self._prefix}: {what}" if self._prefix else what
        began = self._began.setdefault(label, time.perf_counter())
        if self._bars is not None:
            if label not in self._tasks:
                self._tasks[label] = self._bars.add_task(label, total=total)
            self._bars.update(self._tasks[label], completed=done, total=total)
        elif done == total and self._tasks.get(label) is None:
            self._tasks[label] = TaskID(0)
            self.console.print(f"{label}: {total} done in {time.perf_counter() - began:.1f} s", highlight=False)
