r"""The command line: ``seisflow run | validate | doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import seisflow
from seisflow.config import Study, load_study
from seisflow.errors import SeisflowError
from seisflow.plotting import LABELS

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=seisflow.__doc__,
)
console = Console()
errors = Console(stderr=True)

StudyFile = Annotated[Path, typer.Argument(help="Study file (TOML).", show_default=False)]


def _fail(error: Exception) -> typer.Exit:
    errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(code=1)


def _load(study: Path, seed: int | None, members: int | None) -> Study:
    loaded = load_study(study)
    changes: dict[str, Any] = {}
    if seed is not None:
        changes["seed"] = seed
    if members is not None:
        changes["ensemble"] = {"members": members}
    return loaded.changed(**changes) if changes else loaded


@app.command()
def run(
    study: StudyFile,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME-seedN.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the study's seed.", show_default=False)] = None,
    members: Annotated[
        int | None, typer.Option(help="Instead of the study's ensemble size.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes for waves, threads for flow; default: all cores.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show only the result.")] = False,
) -> None:
    """Run a study; on a folder of an unfinished run of the same study, go on where it stopped."""
    from seisflow.display import Display
    from seisflow.runner import run_study

    try:
        chosen = _load(study, seed, members)
        folder = out or Path("runs") / f"{chosen.name}-seed{chosen.seed}"
        with Display(errors, quiet) as display:
            summary = run_study(chosen, folder, display=display, workers=workers)
    except SeisflowError as error:
        raise _fail(error) from None
    except KeyboardInterrupt:
        errors.print("stopped; the same command goes on behind the last finished stage", style="yellow")
        raise typer.Exit(code=130) from None
    _print_summary(summary)
    console.print(f"figures  {folder / 'figures'}", soft_wrap=True, highlight=False)
    console.print(f"page     {folder / 'index.html'}", soft_wrap=True, highlight=False)


@app.command()
def validate(study: StudyFile) -> None:
    """Check a study file, and say how large the study is."""
    from seisflow.build import check_study

    try:
        facts = check_study(load_study(study))
    except SeisflowError as error:
        raise _fail(error) from None
    for name, fact in facts.items():
        console.print(f"{name:<24} {fact}", highlight=False, markup=False, soft_wrap=True)
    console.print("the study is valid", style="green")


@app.command()
def doctor() -> None:
    """Check this machine: Python, torch, compiler, Devito, Julia; one line and one remedy each."""
    from seisflow.doctor import checks, render

    found = checks()
    console.print(render(found), markup=False, highlight=False, soft_wrap=True)
    if any(check.status == "fail" for check in found):
        raise typer.Exit(code=1)


@app.command()
def keys() -> None:
    """List every key of a study file, with its default and meaning."""
    from seisflow.study_keys import study_keys

    typer.echo(study_keys(), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    console.print(seisflow.__version__, highlight=False)


def _print_summary(summary: dict[str, Any]) -> None:
    """The scores at every survey and the seconds, as two tables."""
    table = Table(title=f"{summary['name']}, seed {summary['seed']}, {summary['members']} members: saturation")
    for heading in ("survey", "method", "RMSE", "SSIM", "CRPS", "90 % coverage", "plume-mass error"):
        table.add_column(heading, justify="left" if heading in ("survey", "method") else "right")
    for k, day in enumerate(summary["survey_days"]):
        for row, (name, steps) in enumerate(summary["scores"].items()):
            s = steps[k]
            table.add_row(
                f"{k + 1} (day {day:g})" if row == 0 else "",
                LABELS[name],
                f"{s['rmse']:.4f}",
                f"{s['ssim']:.3f}",
                f"{s['crps']:.5f}",
                f"{s['coverage_90']:.2f}",
                f"{s['mass_error']:+.1%}",
            )
        table.add_section()
    console.print(table)
    cost = Table(
        title="seconds per stage, all surveys (the first survey's forecast and data are shared by the methods)"
    )
    stages = ("forecast", "predicted", "posterior")
    for heading in ("method", "two-phase flow", "waves and images", "training and analysis"):
        cost.add_column(heading, justify="left" if heading == "method" else "right")
    for name, seconds in summary["stage_seconds"].items():
        cost.add_row(LABELS[name], *(f"{seconds[stage]:.1f}" for stage in stages))
    console.print(cost)
    console.print(f"seconds in all: {summary['seconds']['in all']:.0f}", highlight=False)


if __name__ == "__main__":
    app()
