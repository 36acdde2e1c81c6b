r"""``seisflow validate``: whether a study can be run, how large it is, and about how long it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seisflow.cli.console import failing_clearly, say

__all__ = ["validate"]


def validate(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).", show_default=False)],
    workers: Annotated[
        int | None, typer.Option(help="Cores to reckon with; default: all of this machine.", show_default=False)
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the rates on this machine: compute two members of the study.")
    ] = False,
) -> None:
    """Check a study file; say how many cells, members, shots and bytes, and about how long it takes."""
    from seisflow.runs.estimate import check_study
    from seisflow.study import load_study

    with failing_clearly():
        facts = check_study(load_study(study), workers, measure)
    for name, fact in facts.items():
        say(f"{name:<20} {fact}")
    say("the study is valid", style="green")
