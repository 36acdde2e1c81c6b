r"""A run at a glance: what was run, how far it came, and what came out."""

from __future__ import annotations

import html

from seisflow.report.scores import Scores
from seisflow.report.tables import score_table
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
        f"{study.surveys.days[-1]:g}, {html.escape(' and '.join(run.measured))}; "
        f"{' × '.join(map(str, study.grid.shape))} cells of {' × '.join(f'{h:g}' for h in study.grid.spacing_m)} m; "
        f"{source}.</p>"
        f'{state}<nav aria-label="Sections">{links}</nav></header>'
    )


def result(run: RunFolder, found: Scores) -> str:
    """Scores at the last survey that every method reached."""
    text = '<section id="result"><h2>Result</h2>'
    if not found:
        why = (
            "no truth is known"
            if run.truth(0) is None
            else "nothing is analysed yet, or the section of the study is gone"
        )
        return f"{text}<p>There are no scores: {why}.</p></section>"
    last = min(len(steps) for steps in found.values())
    day = run.study.surveys.days[last - 1]
    rows = {name: steps[last - 1] for name, steps in found.items()}
    caption = f"Saturation at survey {last} (day {day:g}) against the truth; bold: best of the column"
    return (
        text
        + score_table(caption, rows, run.methods)
        + '<p class="soft">RMSE and SSIM judge the posterior mean, CRPS the whole distribution, coverage its honesty: in a '
        "calibrated posterior, 90 % of the cells of the plume region lie inside their 90 % interval. The plume region are "
        "cells that are wet in the truth or in any open-loop member. One truth decides nothing: compare several "
        "seeds.</p></section>"
    )  # fmt: skip
