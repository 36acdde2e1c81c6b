r"""Where commands write: results to standard output, progress and errors to standard error; and how a command fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from seisflow.errors import SeisflowError

__all__ = ["console", "errors", "failing_clearly", "say"]

console = Console()
errors = Console(stderr=True)


def say(text: str, style: str | None = None) -> None:
    """One line to standard output, as it is: not wrapped, not coloured by what it holds."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn an error that seisflow raises on purpose into exit code 1 and a line a fault, an interrupt into 130."""
    try:
        yield
    except SeisflowError as error:
        for fault in getattr(error, "faults", (error,)):
            errors.print(f"error: {fault}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(code=1) from None
    except KeyboardInterrupt:
        errors.print("stopped; the same command goes on behind the last finished stage", style="yellow")
        raise typer.Exit(code=130) from None
