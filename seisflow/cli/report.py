r"""``seisflow report``: the page and the figures of a run folder, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seisflow.cli.console import errors, failing_clearly, say
from seisflow.cli.options import Quiet, Run

__all__ = ["report"]


def report(
    run: Run,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to. Default: that of the run.", show_default=False)
    ] = None,
    figures: Annotated[
        Literal["none", "few", "all"],
        typer.Option(help="PNG figures to draw: few are the scores and comparisons that a run draws by itself."),
    ] = "all",
    dpi: Annotated[
        int, typer.Option(help="Resolution of the figures, dots per inch; 300 is fit for print.", min=30, max=1200)
    ] = 110,
    animation: Annotated[
        bool, typer.Option(help="Write a moving picture of the plume: GIF, and MP4 where ffmpeg is installed.")
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Write the page, the figures and a moving picture of a run.

    The run may be unfinished. The page is one file that needs no other.
    """
    from seisflow.report import write_report
    from seisflow.runs.progress import ProgressDisplay

    with failing_clearly(), ProgressDisplay(errors, quiet) as display:
        written = write_report(run, display, out=out, figures=figures, animation=animation, dpi=dpi)
    say(f"report   {written[0]}")
    if len(written) > 1:
        say(f"figures  {written[1].parent} ({len(written) - 1} files)")
