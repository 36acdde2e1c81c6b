r"""Arguments and options that several commands share, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Force", "Log", "Quiet", "Run", "StudyFile", "Verbose", "Workers"]

StudyFile = Annotated[Path, typer.Argument(help="Study file, as `seisflow init` writes one.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="Folder of the run.", show_default=False)]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Number of processes for waves, and of threads for flow. Default: one for every core.", show_default=False
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress and no tables, only errors and where the results are.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show also every part of the run as it is written.")]
Log = Annotated[
    Path | None,
    typer.Option(help="File to which all messages are added, with the time of day.", show_default=False),
]
Force = Annotated[
    bool, typer.Option("--force", help="Start even where a program, space on the disk or memory is missing.")
]
