r"""``seisflow validate``: whether a study can be run, how large it is, and about how long it takes."""

from __future__ import annotations

from typing import Annotated

import typer

from seisflow.cli.console import failing_clearly, say
from seisflow.cli.options import StudyFile

__all__ = ["validate"]


def validate(
    study: StudyFile,
    workers: Annotated[
        int | None,
        typer.Option(help="Number of cores to reckon with. Default: all of this machine.", show_default=False),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure the speed of this machine first, on two members: about a minute."),
    ] = False,
) -> None:
    """Check a study file, and say how large and how long a run is."""
    from seisflow.runs.estimate import check_study
    from seisflow.study import load_study

    with failing_clearly():
        facts = check_study(load_study(study), workers, measure)
    for name, fact in facts.items():
        say(f"{name:<20} {fact}")
    say("the study is valid", style="green")
