r"""``seisflow run``: a study from its file to its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seisflow.cli.console import errors, failing_clearly
from seisflow.cli.options import Force, Log, Quiet, StudyFile, Verbose, Workers

if TYPE_CHECKING:
    from seisflow.study import Study

__all__ = ["run"]


def _load(file: Path, seed: int | None, members: int | None) -> Study:
    from seisflow.study import load_study

    loaded = load_study(file)
    changes: dict[str, Any] = {}
    if seed is not None:
        changes["seed"] = seed
    if members is not None:
        changes["ensemble"] = {"members": members}
    return loaded.changed(**changes) if changes else loaded


def run(
    study: StudyFile,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. Default: runs/NAME-seedSEED.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Root of all random numbers, 0 or more. Default: the study's.", show_default=False),
    ] = None,
    members: Annotated[
        int | None, typer.Option(help="Number of ensemble members. Default: the study's.", show_default=False)
    ] = None,
    workers: Workers = None,
    until_survey: Annotated[
        int | None,
        typer.Option(
            help="Number of the survey, from 1, to stop behind. Default: the last. "
            "The same command without it goes on.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a dask scheduler whose workers compute the members, as tcp://host:8786. "
            "Default: this machine computes them.",
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Compute damaged parts of the run again, with the same result.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Log = None,
) -> None:
    """Run a study, from its file to scores, pictures and a page.

    On the folder of an unfinished run of the same study it goes on where that stopped.
    """
    from seisflow.cli.summary import say_where
    from seisflow.runner import run_study
    from seisflow.runs.progress import ProgressDisplay

    with failing_clearly():
        chosen = _load(study, seed, members)
        folder = out or Path("runs") / f"{chosen.name}-seed{chosen.seed}"
        with ProgressDisplay(errors, quiet, verbose, log) as display:
            summary = run_study(
                chosen,
                folder,
                display=display,
                workers=workers,
                scheduler=scheduler,
                repair=repair,
                until_survey=until_survey,
                force=force,
            )
    say_where(summary, folder, quiet)
