r"""The scores and the seconds of a run as tables on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from seisflow.cli.console import console, say
from seisflow.runs.methods import Methods
from seisflow.runs.reading import RunFolder

__all__ = ["print_summary", "say_where"]

COLUMNS = (
    ("rmse", "RMSE", "{:.4f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("crps", "CRPS", "{:.5f}"),
    ("coverage_90", "90 % coverage", "{:.2f}"),
    ("mass_error", "plume-mass error", "{:+.1%}"),
)
"""Score against the truth, its heading, and how it is spelt."""
PLAUSIBILITY = (
    ("ghost_share", "ghost CO2", "{:.1%}"),
    ("bodies", "bodies", "{:.1f}"),
    ("pressure_crps_wells_bar", "well p CRPS [bar]", "{:.3f}"),
    ("pressure_spread_ratio_wells", "p spread ratio", "{:.2f}"),
)
"""The same of the scores that say whether a posterior can be so."""


def print_summary(summary: dict[str, Any], methods: Methods) -> None:
    """The scores at every survey, and the seconds of every stage."""
    run = f"{summary['name']}, seed {summary['seed']}, {summary['members']} members"
    _print_scores(f"{run}: saturation", summary, methods, COLUMNS)
    _print_scores("can it be so? ghosts, bodies, pressure at wells", summary, methods, PLAUSIBILITY)
    cost = Table(
        title="seconds per stage, all surveys (the first survey's forecast and data are shared by the methods)"
    )
    stages = ("forecast", "predicted", "posterior")
    for heading in ("method", "two-phase flow", "waves and images", "training and analysis"):
        cost.add_column(heading, justify="left" if heading == "method" else "right")
    for name, seconds in summary["stage_seconds"].items():
        cost.add_row(methods[name].label, *(f"{seconds[stage]:.1f}" for stage in stages))
    console.print(cost)
    console.print(f"seconds in all: {summary['seconds']['in all']:.0f}", highlight=False)


def _print_scores(
    title: str, summary: dict[str, Any], methods: Methods, columns: tuple[tuple[str, str, str], ...]
) -> None:
    """The scores of some columns at every survey; "–" is no number, and columns that no method has are left out."""
    steps_of = list(summary["scores"].values())
    there = [column for column in columns if any(column[0] in step for steps in steps_of for step in steps)]
    if not there:
        return
    table = Table(title=title)
    for heading in ("survey", "method", *(heading for _, heading, _ in there)):
        table.add_column(heading, justify="left" if heading in ("survey", "method") else "right")
    for k, day in enumerate(summary["survey_days"]):
        for row, (name, steps) in enumerate(summary["scores"].items()):
            if k >= len(steps):
                continue
            s = steps[k]
            table.add_row(
                f"{k + 1} (day {day:g})" if row == 0 else "",
                methods[name].label,
                *("–" if s.get(key) is None else form.format(s[key]) for key, _, form in there),
            )
        table.add_section()
    console.print(table)


def say_where(summary: dict[str, Any], folder: Path, quiet: bool) -> None:
    """What came out of a run, where to look, and what comes next where surveys are left."""
    if not quiet:
        print_summary(summary, RunFolder(folder).methods)
    say(f"report   {folder / 'index.html'}")
    say(f"figures  {folder / 'figures'}")
    say(f"arrays   {folder / 'stages.zarr'}")
    done, surveys = summary["surveys"], len(summary["survey_days"])
    if done < surveys:
        twin = any("rmse" in step for steps in summary["scores"].values() for step in steps)
        after = "" if not twin else "; or `seisflow run`, which makes its data in silico"
        say(
            f"next     survey {done + 1} of {surveys}: seisflow assimilate {folder} --survey {done + 1} --data FILE{after}"
        )
