r"""``seisflow export``: a run as one NetCDF file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seisflow.cli.console import failing_clearly, say

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="NetCDF file; it must not exist.", show_default=False)],
    stage: Annotated[
        str | None, typer.Option(help="One stage only, such as flow/survey_3/posterior.", show_default=False)
    ] = None,
) -> None:
    """Write a run, or one stage of it, as a NetCDF 4 file."""
    from seisflow.runs.netcdf import export_netcdf

    with failing_clearly():
        names = export_netcdf(run, out, stage)
    say(f"netcdf   {out} ({len(names)} stage{'s' if len(names) > 1 else ''}, {out.stat().st_size / 1e6:.1f} MB)")
