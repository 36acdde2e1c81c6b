r"""Figures of a run, from stored results only: nothing here computes physics or scores.

Sections have x to the right and depth downwards, in metres; depth is drawn at twice the scale of x. Saturation, standard
deviation and error share one colour scale each over all panels of a figure; the error scale is symmetric about zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from seisflow.analysis.methods import METHODS
from seisflow.grid import Grid

__all__ = [
    "COLOURS",
    "DEVIATION",
    "ERROR",
    "EXAGGERATION",
    "LABELS",
    "VALUE",
    "comparison_figure",
    "geology_figure",
    "plume_window",
    "posterior_figure",
    "save",
    "score_figure",
    "section",
]

LABELS = {table.name: table.label for table in METHODS}
VALUE, DEVIATION, ERROR = "BuPu", "YlOrBr", "RdBu_r"
"""Colour maps: nothing is near white in all of them, and lightness falls evenly, or from the middle to both sides."""
EXAGGERATION = 2.0
"""Vertical exaggeration of all sections."""
COLOURS = {table.name: table.colour for table in METHODS}


def _section(
    axes: Any, field: NDArray, grid: Grid, title: str, window: tuple[float, float] | None, **style: Any
) -> Any:
    (left, right), (top, bottom) = grid.extent
    image = axes.imshow(
        np.asarray(field).T, extent=(left, right, bottom, top), interpolation="nearest", aspect=EXAGGERATION, **style
    )
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)
    if window is not None:
        axes.set_ylim(window[1], window[0])
    return image


def _bar(figure: Figure, image: Any, axes: Any, label: str) -> None:
    bar = figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def section(
    figure: Figure,
    axes: Any,
    field: NDArray,
    grid: Grid,
    title: str,
    window: tuple[float, float] | None,
    unit: str,
    **style: Any,
) -> None:
    """One field with its colour bar; ``style`` goes to ``imshow``, ``window`` are the depths shown."""
    _bar(figure, _section(axes, field, grid, title, window, **style), axes, unit)


def plume_window(grid: Grid, fields: Sequence[NDArray]) -> tuple[float, float]:
    """Depth range that holds all plumes with a margin, so that a thin plume is not lost in the overburden."""
    wet = np.any([np.asarray(f).reshape(-1, *grid.shape).max(axis=(0, 1)) > 0.01 for f in fields], axis=0)
    if not wet.any():
        return grid.extent[1]
    depths = grid.centres(1)[wet]
    low, high = grid.extent[1]
    return max(low, depths.min() - 125), min(high, depths.max() + 75)


def geology_figure(
    grid: Grid, velocity: NDArray, permeability: NDArray, truth: NDArray | None, wells: Mapping[str, Any]
) -> Figure:
    """Baseline velocity, the true permeability (where it is known), and prior draws of it.

    Parameters
    ----------
    velocity
        On the flow grid [m/s].
    permeability
        Prior draws [mD], ``(M, *grid.shape)``; the first four are shown.
    truth
        True permeability [mD].
    wells
        ``injector`` (x, top, bottom) and ``monitors`` (x, …) [m].
    """
    figure = Figure(figsize=(14, 12), layout="constrained")
    axes = figure.subplots(3, 2)
    image = _section(axes[0, 0], velocity, grid, "baseline velocity $v_p$", None, cmap="viridis")
    _bar(figure, image, axes[0, 0], "m/s")
    style = {"cmap": "cividis", "vmin": -3, "vmax": 4}
    if truth is not None:
        image = _section(axes[0, 1], np.log10(truth), grid, "true permeability", None, **style)
        _bar(figure, image, axes[0, 1], "log10 mD")
    else:
        axes[0, 1].set_axis_off()
    for m, panel in enumerate(axes[1:].ravel()):
        if m < len(permeability):
            image = _section(panel, np.log10(permeability[m]), grid, f"prior draw {m + 1}", None, **style)
            _bar(figure, image, panel, "log10 mD")
        else:
            panel.set_axis_off()
    x, top, bottom = wells["injector"]
    for panel in axes.ravel():
        if not panel.axison:
            continue
        panel.plot([x, x], [top, bottom], color="red", lw=2.5)
        for monitor in wells["monitors"]:
            panel.axvline(monitor, color="white", lw=0.7, ls="--")
    axes[0, 0].set_ylabel("depth [m]")
    axes[0, 0].set_xlabel("x [m]   (red: injector; dashed: monitoring well)", fontsize=8)
    return figure


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
    high = max(*(float(np.max(f)) for f in [*known, forecast.mean(axis=0)]), 1e-6)
    value = {"cmap": VALUE, "vmin": 0.0, "vmax": high}
    std_f, std_p = forecast.std(axis=0, ddof=1), posterior.std(axis=0, ddof=1)
    deviation = {"cmap": DEVIATION, "vmin": 0.0, "vmax": max(float(std_f.max()), float(std_p.max()), 1e-6)}

    figure = Figure(figsize=(14, 8.5), layout="constrained")
    axes = figure.subplots(4, 3)
    panels = [
        (forecast.mean(axis=0), "forecast mean", value),
        (posterior.mean(axis=0), "posterior mean", value),
        (std_f, "forecast standard deviation", deviation),
        (std_p, "posterior standard deviation", deviation),
    ]
    if truth is not None:
        error_f, error_p = forecast.mean(axis=0) - truth, posterior.mean(axis=0) - truth
        limit = max(float(np.abs(error_f).max()), float(np.abs(error_p).max()), 1e-6)
        error = {"cmap": ERROR, "vmin": -limit, "vmax": limit}
        gain = np.abs(error_p) - np.abs(error_f)
        panels.insert(0, (truth, "truth", value))
        panels += [
            (gain, "|posterior error| − |forecast error| (blue: better)", error),
            (error_f, "forecast mean − truth", error),
            (error_p, "posterior mean − truth", error),
        ]
    chosen = np.unique(np.linspace(0, len(posterior) - 1, 4).astype(int))
    panels += [(posterior[m], f"posterior sample {m + 1}", value) for m in chosen]
    for panel, (array, name, style) in zip(axes.ravel(), panels, strict=False):
        image = _section(panel, array, grid, name, window, **style)
        _bar(figure, image, panel, unit)
    for panel in axes.ravel()[len(panels) :]:
        panel.set_axis_off()
    axes[-1, 0].set_xlabel("x [m]", fontsize=8)
    axes[-1, 0].set_ylabel("depth [m]", fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def comparison_figure(
    grid: Grid,
    truth: NDArray | None,
    posteriors: Mapping[str, NDArray],
    scores: Mapping[str, Mapping[str, float]],
    title: str,
) -> Figure:
    """All methods beside the truth, where it is known, at one survey: mean, standard deviation, error of the saturation."""
    known = [] if truth is None else [truth]
    window = plume_window(grid, [*known, *posteriors.values()])
    means = {name: s.mean(axis=0) for name, s in posteriors.items()}
    stds = {name: s.std(axis=0, ddof=1) for name, s in posteriors.items()}
    high = max(*(float(f.max()) for f in (known or means.values())), 1e-6)
    widest = max(*(float(s.max()) for s in stds.values()), 1e-6)
    value = {"cmap": VALUE, "vmin": 0, "vmax": high}
    figure = Figure(figsize=(14 if known else 9.6, 0.6 + 1.95 * (len(means) + len(known))), layout="constrained")
    axes = figure.subplots(len(means) + len(known), 2 + len(known), squeeze=False)
    if truth is not None:
        limit = max(*(float(np.abs(m - truth).max()) for m in means.values()), 1e-6)
        _bar(figure, _section(axes[0, 0], truth, grid, "truth", window, **value), axes[0, 0], "S [-]")
        axes[0, 1].set_axis_off()
        axes[0, 2].set_axis_off()
    for row, name in enumerate(means, start=len(known)):
        label = LABELS.get(name, name)
        image = _section(axes[row, 0], means[name], grid, f"{label}: mean", window, **value)
        _bar(figure, image, axes[row, 0], "S [-]")
        style = {"cmap": DEVIATION, "vmin": 0, "vmax": widest}
        image = _section(axes[row, 1], stds[name], grid, f"{label}: standard deviation", window, **style)
        _bar(figure, image, axes[row, 1], "[-]")
        if truth is not None:
            text = f"{label}: error" + (f", RMSE {scores[name]['rmse']:.4f}" if name in scores else "")
            style = {"cmap": ERROR, "vmin": -limit, "vmax": limit}
            image = _section(axes[row, 2], means[name] - truth, grid, text, window, **style)
            _bar(figure, image, axes[row, 2], "[-]")
    for panel in axes[:, 0]:
        panel.set_ylabel("depth [m]", fontsize=8)
    for panel in axes[-1]:
        panel.set_xlabel("x [m]", fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def score_figure(summary: Mapping[str, Any]) -> Figure:
    """Scores over the surveys, one line a method."""
    shown = [
        ("rmse", "RMSE of S [-]", None),
        ("crps", "CRPS of S [-]", None),
        ("ssim", "SSIM of S [-]", None),
        ("coverage_90", "90 % coverage in the plume region [-]", 0.9),
    ]
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    axes = figure.subplots(1, len(shown))
    days = list(summary["survey_days"])
    for panel, (key, label, ideal) in zip(axes, shown, strict=True):
        for name, steps in summary["scores"].items():
            panel.plot(
                days[: len(steps)], [s[key] for s in steps], "o-", color=COLOURS.get(name), label=LABELS.get(name, name)
            )
        if ideal is not None:
            panel.axhline(ideal, color="k", lw=0.8, ls=":")
            panel.set_ylim(0, 1.02)
        panel.set_title(label, fontsize=9)
        panel.set_xlabel("day", fontsize=8)
        panel.set_xticks(days)
        panel.tick_params(labelsize=7)
    axes[0].legend(fontsize=8)
    return figure


def save(figure: Figure, path: Path, dpi: int = 110) -> Path:
    """Write a figure as PNG and return its path; 300 dots per inch are fit for print."""
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = FigureCanvasAgg(figure)  # drawn once; Figure.savefig lays out and draws twice
    figure.set_dpi(dpi)
    figure.set_facecolor("white")
    canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(path, dpi=(dpi, dpi))
    return path
