r"""``seisflow export``: a run as one NetCDF file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seisflow.cli.console import failing_clearly, say
from seisflow.cli.options import Run

__all__ = ["export"]


def export(
    run: Run,
    out: Annotated[
        Path, typer.Argument(help="NetCDF file to write. A file that exists is never replaced.", show_default=False)
    ],
    stage: Annotated[
        str | None,
        typer.Option(help="Name of one stage, such as flow/survey_3/posterior. Default: all.", show_default=False),
    ] = None,
) -> None:
    """Write the arrays of a run as one NetCDF 4 file."""
    from seisflow.runs.netcdf import export_netcdf

    with failing_clearly():
        names = export_netcdf(run, out, stage)
    say(f"netcdf   {out} ({len(names)} stage{'s' if len(names) > 1 else ''}, {out.stat().st_size / 1e6:.1f} MB)")
