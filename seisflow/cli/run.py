r"""``seisflow run``: a study from its file to its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seisflow.cli.console import errors, failing_clearly

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
    study: Annotated[Path, typer.Argument(help="Study file (TOML).", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME-seedN.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the study's seed.", show_default=False)] = None,
    members: Annotated[
        int | None, typer.Option(help="Instead of the study's ensemble size.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes for waves, threads for flow; default: all cores.")
    ] = None,
    until_survey: Annotated[
        int | None,
        typer.Option(help="Stop behind this survey; the same command without it goes on.", show_default=False),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="dask.distributed scheduler whose workers compute the members, tcp://host:8786."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Compute damaged stages again, with the same result.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Start even where a program, disk space or memory is missing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only errors and where to look.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more: every stage that is kept.")] = False,
    log: Annotated[Path | None, typer.Option(help="File to add plain lines to as well.", show_default=False)] = None,
) -> None:
    """Run a study; on a folder of an unfinished run of the same study, go on where it stopped."""
    from seisflow.cli.display import Display
    from seisflow.cli.summary import say_where
    from seisflow.runner import run_study

    with failing_clearly():
        chosen = _load(study, seed, members)
        folder = out or Path("runs") / f"{chosen.name}-seed{chosen.seed}"
        with Display(errors, quiet, verbose, log) as display:
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
