"""Observed beside predicted data as a figure; what is drawn how is told by the axes of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seisflow.diagnostics.plume import PLUME
from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.observation.data import DataField
from seisflow.report.data_kinds import display_unit, logs_of, sections_of
from seisflow.report.sections import ERROR, section

__all__ = ["data_figure", "draw_log"]


def data_figure(
    grid: Grid,
    data: Mapping[str, DataField],
    observed: Ensemble,
    predicted: Ensemble,
    truth: NDArray | None,
    title: str,
) -> Figure | None:
    """What the analysis sees: observed beside predicted sections, and logs with the forecast's range.

    Parameters
    ----------
    data
        What the fields of the data are; those that are neither sections nor logs are left out.
    observed, predicted
        Data ensembles.
    truth
        True saturation, contoured over the sections; None where it is not known.

    Returns
    -------
    Figure or None
        None where there is nothing to draw.
    """
    sections, logs = sections_of(data, grid), logs_of(data, grid)
    rows = len(sections) + bool(logs)
    if not rows:
        return None
    figure = Figure(figsize=(14, 4.4 * len(sections) + 3.6 * bool(logs)), layout="constrained")
    parts = figure.subfigures(rows, 1, squeeze=False)[:, 0]
    for part, (name, about) in zip(parts, sections.items(), strict=False):
        _draw_section(part, grid, about, observed[name][0], predicted[name], truth)
    if logs:
        _draw_logs(parts[-1], logs, observed, predicted)
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_section(
    part: Any, grid: Grid, about: DataField, observed: NDArray, predicted: NDArray, truth: NDArray | None
) -> None:
    """Observed, mean of the predicted, and one member, on one scale."""
    axes = part.subplots(1, 3)
    limit = float(np.quantile(np.abs(observed), 0.998)) or 1.0
    style = {"cmap": ERROR, "vmin": -limit, "vmax": limit}
    panels = [
        (observed, "observed" + ("" if truth is None else f" (contour: true S = {PLUME:g})")),
        (predicted.mean(axis=0), "mean of the predicted"),
        (predicted[0], "member 1, without noise"),
    ]
    unit = "" if about.unit in ("", "1") else f" [{about.unit}]"
    for panel, (array, name) in zip(axes, panels, strict=True):
        section(part, panel, array, grid, name, None, about.label + unit, **style)
        panel.set_xlabel("x [m]", fontsize=8)
    if truth is not None and truth.max() > PLUME:
        axes[0].contour(grid.centres(0), grid.centres(1), truth.T, levels=[PLUME], colors="k", linewidths=0.7)
    axes[0].set_ylabel("depth [m]", fontsize=8)


def _draw_logs(part: Any, logs: Mapping[str, DataField], observed: Ensemble, predicted: Ensemble) -> None:
    """Every log beside the range of the members'."""
    places = [(name, w) for name, about in logs.items() for w in range(about.shape[0])]
    places.sort(key=lambda place: place[1])  # place by place
    axes = part.subplots(1, len(places), squeeze=False)[0]
    for panel, (name, w) in zip(axes, places, strict=True):
        divisor, _ = display_unit(logs[name].unit)
        draw_log(panel, logs[name], w, observed[name], {"forecast": predicted[name][:, w] / divisor})
    axes[0].legend(fontsize=7)
    axes[0].set_ylabel("depth [m]", fontsize=8)


def draw_log(axes: Any, about: DataField, place: int, observed: NDArray | None, members: Mapping[str, NDArray]) -> None:
    """One log along depth: dots observed, and the range of members.

    Parameters
    ----------
    axes
        Where it is drawn.
    about, place
        The field, and which of its places, from 0.
    observed
        The datum ``(1, places, depths)``; None where there is none.
    members
        What they are → logs of all members at the place ``(M, depths)``, in the unit that is shown.
    """
    depth, (divisor, unit) = about.coordinates["z"], display_unit(about.unit)
    for (name, values), colour in zip(members.items(), ("tab:blue", "tab:orange"), strict=False):
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        axes.fill_betweenx(depth, low, high, color=colour, alpha=0.3, label=f"{name} 5–95 %")
    if observed is not None:
        axes.plot(observed[0, place] / divisor, depth, "k.", ms=3, label="observed")
    margin = 0.5 * float(np.ptp(depth)) / max(len(depth) - 1, 1)  # the outermost dots are whole
    axes.set_ylim(depth[-1] + margin, depth[0] - margin)
    axes.set_xlabel(f"{about.axes[0].name} {place + 1}: {about.label} [{unit}]", fontsize=8)
    axes.tick_params(labelsize=7)
