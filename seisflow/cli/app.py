r"""The commands, gathered."""

from __future__ import annotations

import typer

import seisflow
from seisflow.cli.about import doctor, keys, version
from seisflow.cli.assimilate import assimilate
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
    help=seisflow.__doc__,
)
for command in (init, validate, run, assimilate, report, export, doctor, keys, version):
    app.command()(command)
