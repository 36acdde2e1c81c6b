r"""``seisflow report``: the page and the figures of a run folder, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seisflow.cli.console import errors, failing_clearly, say

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: RUN.", show_default=False)] = None,
    figures: Annotated[Literal["none", "few", "all"], typer.Option(help="Which PNG figures to draw.")] = "all",
    dpi: Annotated[int, typer.Option(help="Dots per inch of the figures; 300 for print.", min=30, max=1200)] = 110,
    animation: Annotated[bool, typer.Option(help="A GIF of the plume, and an MP4 where ffmpeg is there.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only errors and where to look.")] = False,
) -> None:
    """Write one self-contained page of a run, PNG figures, and a moving picture of the plume."""
    from seisflow.report import write_report
    from seisflow.runs.progress import ProgressDisplay

    with failing_clearly(), ProgressDisplay(errors, quiet) as display:
        written = write_report(run, display, out=out, figures=figures, animation=animation, dpi=dpi)
    say(f"report   {written[0]}")
    if len(written) > 1:
        say(f"figures  {written[1].parent} ({len(written) - 1} files)")
