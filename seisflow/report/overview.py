r"""A run at a glance: what was run, how far it came, and what came out."""

from __future__ import annotations

import html
from typing import Any

from seisflow.report.scores import Scores, against_truth
from seisflow.report.tables import PLAUSIBILITY, score_table
from seisflow.runs.reading import RunFolder

__all__ = ["head", "result"]


def head(run: RunFolder) -> str:
    """Title, what was run, how far it came, and the way through the page."""
    study = run.study
    wanted = len(run.methods) * run.surveys
    state = "" if run.finished else (
        f'<p class="notice">This run is not finished: {sum(run.done.values())} of {wanted} analyses are there ('
        + ", ".join(f"{html.escape(m.label)} {run.done.get(name, 0)} of {run.surveys}" for name, m in run.methods.items())
        + "). The page shows what there is.</p>"
    )  # fmt: skip
    twin, outside = run.truth(0) is not None, run.sources()
    source = "truth and data made in silico" if twin else "data from files, truth not known"
    if twin and outside:
        source = f"truth made in silico, data of survey {', '.join(map(str, outside))} from files"
    parts = ("result", "plume", "data", "scores", "calibration", "cost", "study")
    links = "".join(f'<a href="#{part}">{part.capitalize()}</a>' for part in parts)
    return (
        f"<header><h1>{html.escape(study.name)}: where the CO₂ is, and how sure we are</h1>"
        f'<p class="soft">Seed {study.seed}, {study.ensemble.members} members, {run.surveys} surveys until day '
        f"{study.surveys.days[-1]:g}, {html.escape(', '.join(run.measured))}; "
        f"{' × '.join(map(str, study.grid.shape))} cells of {' × '.join(f'{h:g}' for h in study.grid.spacing_m)} m; "
        f"{source}.</p>"
        f'{state}<nav aria-label="Sections">{links}</nav></header>'
    )


def result(run: RunFolder, found: Scores, opening: str = "") -> str:
    """What the page opens with, then the scores at the last survey that every method reached."""
    text = f'<section id="result"><h2>Result</h2>{opening}'
    if not found:
        return (
            f"{text}<p>There are no scores: nothing is analysed yet, or the section of the study is gone.</p></section>"
        )
    last = min(len(steps) for steps in found.values())
    day = run.study.surveys.days[last - 1]
    rows = {name: steps[last - 1] for name, steps in found.items()}
    return (
        text
        + _accuracy(run, last, day, rows, against_truth(found))
        + _plausibility(run, last, day, rows)
        + "</section>"
    )


def _accuracy(run: RunFolder, last: int, day: float, rows: dict[str, Any], twin: bool) -> str:
    """The scores against the truth."""
    if not twin:
        return (
            "<p>No truth is known, so no errors are; the misfits of the data below say how well the forecasts fit.</p>"
        )
    caption = f"Saturation at survey {last} (day {day:g}) against the truth; bold: best of the column"
    return (
        score_table(caption, rows, run.methods)
        + '<p class="soft">RMSE and SSIM judge the posterior mean, CRPS the whole distribution, coverage its honesty: in a '
        "calibrated posterior, 90 % of the cells of the plume region lie inside their 90 % interval. The plume region are "
        "cells that are wet in the truth or in any open-loop member. One truth decides nothing: compare several "
        "seeds.</p>"
    )  # fmt: skip


def _plausibility(run: RunFolder, last: int, day: float, rows: dict[str, Any]) -> str:
    """The scores that say whether such a plume and such pressures can be."""
    caption = f"Can it be so? Ghost CO₂, connected bodies and pressure at survey {last} (day {day:g})"
    listed = score_table(caption, rows, run.methods, PLAUSIBILITY)
    if not listed:  # a summary of a run before there were these scores
        return ""
    return (
        listed
        + '<p class="soft">Ghost CO₂ lies in a body that is connected neither to the injector nor to any cell that the '
        "forecast wets in some member: such a sample cannot be. Its share of the mass is told for the mean and the worst "
        "member, and how many members have any. Bodies are sets of wet cells connected by faces: in a member, in one of the "
        "forecast, in the truth. The spread ratio of the pressure p is its spread after the data over that before: above 1, "
        "the data have made it less certain; the last column is the cell where it rose most.</p>"
    )
