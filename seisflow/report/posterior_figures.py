r"""Posteriors as figures: one method's before and after the data, and all methods beside each other and the truth.

Saturation, standard deviation and error share one colour scale each over all panels of a figure. Nothing here computes
physics or scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seisflow.grid import Grid
from seisflow.report.sections import DEVIATION, ERROR, EXAGGERATION, VALUE, plume_window, section
from seisflow.runs.methods import Methods

__all__ = ["comparison_figure", "posterior_figure"]

SMALLEST = 1e-6
"""Least width of a colour scale, for fields that are zero everywhere."""


PANEL = 3.7
"""Width of a panel without its colour bar [inches]."""


def _row_height(grid: Grid, window: tuple[float, float] | None) -> float:
    """Height of a row of panels with titles and ticks [inches], so that no white is left between rows."""
    (left, right), (top, bottom) = grid.extent[0], window or grid.extent[-1]
    return min(PANEL * EXAGGERATION * (bottom - top) / (right - left), 4.5) + 0.65


def _style(colours: str, low: float, high: float) -> dict[str, Any]:
    return {"cmap": colours, "vmin": low, "vmax": high}


def posterior_figure(
    grid: Grid, truth: NDArray | None, forecast: NDArray, posterior: NDArray, title: str, field: str = "saturation"
) -> Figure:
    """Truth, forecast mean, posterior mean, standard deviations, errors, and four posterior samples.

    Parameters
    ----------
    truth
        ``grid.shape``; saturation [-] or pressure change [bar]; None where it is not known.
    forecast, posterior
        ``(M, *grid.shape)``, the same quantity.
    """
    unit = {"saturation": "S [-]", "pressure": "bar"}[field]
    known = [] if truth is None else [truth]
    window = plume_window(grid, [*known, forecast]) if field == "saturation" else None
    figure = Figure(figsize=(14, 0.6 + 4 * _row_height(grid, window)), layout="constrained")
    axes = figure.subplots(4, 3)
    panels = _posterior_panels(truth, forecast, posterior)
    for panel, (array, name, style) in zip(axes.ravel(), panels, strict=False):
        section(figure, panel, array, grid, name, window, unit, **style)
    for panel in axes.ravel()[len(panels) :]:
        panel.set_axis_off()
    axes[-1, 0].set_xlabel("x [m]", fontsize=8)
    axes[-1, 0].set_ylabel("depth [m]", fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def _posterior_panels(
    truth: NDArray | None, forecast: NDArray, posterior: NDArray
) -> list[tuple[NDArray, str, dict[str, Any]]]:
    """Field, title and style of every panel."""
    before, after = forecast.mean(axis=0), posterior.mean(axis=0)
    std_f, std_p = forecast.std(axis=0, ddof=1), posterior.std(axis=0, ddof=1)
    known = [] if truth is None else [truth]
    chosen = np.unique(np.linspace(0, len(posterior) - 1, 4).astype(int))
    shown = [*known, before, after, *posterior[chosen]]
    value = _style(VALUE, 0.0, max(*(float(np.max(f)) for f in shown), SMALLEST))
    deviation = _style(DEVIATION, 0.0, max(float(std_f.max()), float(std_p.max()), SMALLEST))
    panels = [
        (before, "forecast mean", value),
        (after, "posterior mean", value),
        (std_f, "forecast standard deviation", deviation),
        (std_p, "posterior standard deviation", deviation),
    ]
    if truth is not None:
        error_f, error_p = before - truth, after - truth
        limit = max(float(np.abs(error_f).max()), float(np.abs(error_p).max()), SMALLEST)
        error = _style(ERROR, -limit, limit)
        gain = np.abs(error_p) - np.abs(error_f)
        panels.insert(0, (truth, "truth", value))
        panels += [
            (gain, "|posterior error| − |forecast error| (blue: better)", error),
            (error_f, "forecast mean − truth", error),
            (error_p, "posterior mean − truth", error),
        ]
    return panels + [(posterior[m], f"posterior sample {m + 1}", value) for m in chosen]


def comparison_figure(
    grid: Grid,
    truth: NDArray | None,
    posteriors: Mapping[str, NDArray],
    scores: Mapping[str, Mapping[str, float | None]],
    title: str,
    methods: Methods,
) -> Figure:
    """All methods beside the truth, where it is known, at one survey: mean, standard deviation, error of the saturation."""
    known = [] if truth is None else [truth]
    window = plume_window(grid, [*known, *posteriors.values()])
    rows = _comparison_rows(truth, posteriors, scores, methods)
    figure = Figure(figsize=(14 if known else 9.6, 0.6 + len(rows) * _row_height(grid, window)), layout="constrained")
    axes = figure.subplots(len(rows), 2 + len(known), squeeze=False)
    for row, panels in zip(axes, rows, strict=True):
        for panel, (array, name, unit, style) in zip(row, panels, strict=False):
            section(figure, panel, array, grid, name, window, unit, **style)
        for panel in row[len(panels) :]:
            panel.set_axis_off()
    for panel in axes[:, 0]:
        panel.set_ylabel("depth [m]", fontsize=8)
    for panel in axes[-1]:
        panel.set_xlabel("x [m]", fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def _comparison_rows(
    truth: NDArray | None,
    posteriors: Mapping[str, NDArray],
    scores: Mapping[str, Mapping[str, float | None]],
    methods: Methods,
) -> list[list[tuple[NDArray, str, str, dict[str, Any]]]]:
    """Field, title, unit and style of every panel, row by row: the truth, then a row a method."""
    means = {name: s.mean(axis=0) for name, s in posteriors.items()}
    stds = {name: s.std(axis=0, ddof=1) for name, s in posteriors.items()}
    highest = [float(f.max()) for f in (*means.values(), *([] if truth is None else [truth]))]
    value = _style(VALUE, 0, max(*highest, SMALLEST))
    deviation = _style(DEVIATION, 0, max(*(float(s.max()) for s in stds.values()), SMALLEST))
    rows = [] if truth is None else [[(truth, "truth", "S [-]", value)]]
    limit = 0.0 if truth is None else max(*(float(np.abs(m - truth).max()) for m in means.values()), SMALLEST)
    for name, mean in means.items():
        label = methods[name].label
        row = [
            (mean, f"{label}: mean", "S [-]", value),
            (stds[name], f"{label}: standard deviation", "[-]", deviation),
        ]
        if truth is not None:
            rmse = scores.get(name, {}).get("rmse")
            text = f"{label}: error" + ("" if rmse is None else f", RMSE {rmse:.4f}")
            row.append((mean - truth, text, "[-]", _style(ERROR, -limit, limit)))
        rows.append(row)
    return rows
