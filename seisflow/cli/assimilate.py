r"""``seisflow assimilate``: the next survey of a run, with data that came in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seisflow.cli.console import errors, failing_clearly

__all__ = ["assimilate"]


def assimilate(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    survey: Annotated[int, typer.Option(help="Number of the survey, from 1.", show_default=False)],
    data: Annotated[
        list[Path],
        typer.Option(help="SEG-Y, NetCDF or zarr with the survey's data; give it once a file.", show_default=False),
    ],
    workers: Annotated[
        int | None, typer.Option(help="Processes for waves, threads for flow; default: all cores.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only errors and where to look.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more: every stage that is kept.")] = False,
    log: Annotated[Path | None, typer.Option(help="File to add plain lines to as well.", show_default=False)] = None,
) -> None:
    """Go on with a run by one survey whose data come from files; they are compared with the survey first."""
    from seisflow.cli.summary import say_where
    from seisflow.errors import InputError
    from seisflow.runner import run_study
    from seisflow.runs.progress import ProgressDisplay
    from seisflow.study import load_study

    with failing_clearly():
        if not (run / "study.toml").is_file():
            raise InputError(
                "run", str(run), "the folder holds no run; `seisflow run STUDY --until-survey K` begins one"
            )
        with ProgressDisplay(errors, quiet, verbose, log) as display:
            summary = run_study(
                load_study(run / "study.toml"),
                run,
                display=display,
                workers=workers,
                until_survey=survey,
                data={survey: data},
            )
    say_where(summary, run, quiet)
