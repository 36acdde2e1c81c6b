r"""``seisflow assimilate``: the next survey of a run, with data that came in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seisflow.cli.console import errors, failing_clearly
from seisflow.cli.options import Force, Log, Quiet, Run, Verbose, Workers

__all__ = ["assimilate"]


def assimilate(
    run: Run,
    survey: Annotated[int, typer.Option(help="Number of the survey, counted from 1.", show_default=False)],
    data: Annotated[
        list[Path],
        typer.Option(
            help="File with the survey's data: SEG-Y, NetCDF or zarr. Give the option once for every file.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    workers: Workers = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Log = None,
) -> None:
    """Go on with a run by one survey, with data from files.

    The files are compared with the study's survey first; nothing is computed with data that do not fit.
    """
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
                force=force,
            )
    say_where(summary, run, quiet)
