r"""The scores of a run over its surveys as one figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seisflow.report.methods import colour, label

__all__ = ["score_figure"]

SHOWN = (
    ("rmse", "RMSE of S [-]", None),
    ("crps", "CRPS of S [-]", None),
    ("ssim", "SSIM of S [-]", None),
    ("coverage_90", "90 % coverage in the plume region [-]", 0.9),
)
"""Score, its title, and the value of a perfect answer where a line marks it."""


def score_figure(summary: Mapping[str, Any]) -> Figure:
    """Scores over the surveys, one line a method.

    Parameters
    ----------
    summary
        ``survey_days`` and ``scores``, as ``summary.json`` has them; a score that is no number (None) leaves a gap.
    """
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    axes = figure.subplots(1, len(SHOWN))
    days = list(summary["survey_days"])
    for panel, (key, title, ideal) in zip(axes, SHOWN, strict=True):
        for name, steps in summary["scores"].items():
            values = np.array([step[key] for step in steps], float)
            panel.plot(days[: len(steps)], values, "o-", color=colour(name), label=label(name))
        if ideal is not None:
            panel.axhline(ideal, color="k", lw=0.8, ls=":")
            panel.set_ylim(0, 1.02)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("day", fontsize=8)
        panel.set_xticks(days)
        panel.tick_params(labelsize=7)
    axes[0].legend(fontsize=8)
    return figure
