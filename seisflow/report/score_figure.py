r"""The scores of a run over its surveys as one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seisflow.runs.methods import Methods

__all__ = ["SHOWN", "draw_score", "score_figure"]

SHOWN = {
    "rmse": ("RMSE of S [-]", None),
    "crps": ("CRPS of S [-]", None),
    "ssim": ("SSIM of S [-]", None),
    "coverage_90": ("90 % coverage in the plume region [-]", 0.9),
}
"""Score → its title, and the value of a perfect answer where a line marks it."""


def score_figure(summary: Mapping[str, Any], methods: Methods) -> Figure:
    """Scores over the surveys, one line a method.

    Parameters
    ----------
    summary
        ``survey_days`` and ``scores``, as ``summary.json`` has them; a score that is no number (None) leaves a gap.
    methods
        The run's methods.
    """
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    axes = figure.subplots(1, len(SHOWN))
    for panel, key in zip(axes, SHOWN, strict=True):
        draw_score(panel, key, list(summary["survey_days"]), summary["scores"], methods)
    axes[0].legend(fontsize=8)
    return figure


def draw_score(
    axes: Any,
    key: str,
    days: Sequence[float],
    scores: Mapping[str, Sequence[Mapping[str, float | None]]],
    methods: Methods,
) -> None:
    """One score over the surveys, one line a method.

    Parameters
    ----------
    axes
        Where it is drawn.
    key
        Name of the score.
    days
        Of the surveys.
    scores
        Method → its scores, survey by survey.
    methods
        The run's methods.
    """
    title, ideal = SHOWN.get(key, (key, None))
    for name, steps in scores.items():
        values = np.array([step[key] for step in steps], float)
        axes.plot(days[: len(steps)], values, "o-", color=methods[name].colour, label=methods[name].label)
    if ideal is not None:
        axes.axhline(ideal, color="k", lw=0.8, ls=":")
        axes.set_ylim(0, 1.02)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("day", fontsize=8)
    axes.set_xticks(days)
    axes.tick_params(labelsize=7)
