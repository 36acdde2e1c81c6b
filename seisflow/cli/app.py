r"""The commands, gathered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

import seisflow
from seisflow.cli.about import doctor, keys, version
from seisflow.cli.assimilate import assimilate
from seisflow.cli.console import say
from seisflow.cli.export import export
from seisflow.cli.init import init
from seisflow.cli.report import report
from seisflow.cli.run import run
from seisflow.cli.validate import validate

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Example: seisflow init study.toml && seisflow run study.toml",
)

EXAMPLES: dict[Callable[..., None], str] = {
    init: "seisflow init study.toml",
    validate: "seisflow validate study.toml --workers 16",
    run: "seisflow run study.toml --out runs/mine --workers 8",
    assimilate: "seisflow assimilate runs/mine --survey 3 --data line_3.sgy --data logs_3.nc",
    report: "seisflow report runs/mine --dpi 300",
    export: "seisflow export runs/mine mine.nc --stage flow/survey_3/posterior",
    doctor: "seisflow doctor",
    keys: "seisflow keys | less",
    version: "seisflow version",
}
"""Command → a line that uses it, the last line of its help."""
for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: {example}")(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(seisflow.__version__)
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Where the injected CO2 is, and how sure we are: ensembles of reservoir states, updated with every seismic survey.

    A study file says what is simulated, observed and compared; a run writes scores, pictures and a page into one folder.
    """
