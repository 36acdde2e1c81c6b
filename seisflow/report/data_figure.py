r"""What an analysis sees: the observed image beside predicted ones, and well logs with the forecast's range."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.report.sections import ERROR, section

__all__ = ["data_figure"]

OUTLINE = 0.05
"""Saturation whose contour is drawn over the images [-]."""


def data_figure(grid: Grid, observed: Ensemble, predicted: Ensemble, truth: NDArray | None, title: str) -> Figure:
    """What the analysis sees: the observed image beside predicted ones, and well logs with the forecast's range.

    Parameters
    ----------
    observed, predicted
        Data ensembles with any of ``image``, ``well_saturation``, ``well_pressure``.
    truth
        True saturation, contoured over the images; None where it is not known.
    """
    has_image, has_wells = "image" in observed, "well_saturation" in observed
    figure = Figure(figsize=(14, 4.4 * has_image + 3.6 * has_wells), layout="constrained")
    parts: Any = figure.subfigures(int(has_image) + int(has_wells), 1, squeeze=False)[:, 0]
    if has_image:
        _images(parts[0], grid, observed["image"][0], predicted["image"], truth)
    if has_wells:
        _logs(parts[-1], grid, observed, predicted)
    figure.suptitle(title, fontsize=11)
    return figure


def _images(figure: Any, grid: Grid, observed: NDArray, predicted: NDArray, truth: NDArray | None) -> None:
    axes = figure.subplots(1, 3)
    limit = float(np.quantile(np.abs(observed), 0.998)) or 1.0
    shown = [
        (observed, "observed image" + ("" if truth is None else f" (contour: true S = {OUTLINE})")),
        (predicted.mean(axis=0), "mean of the predicted images"),
        (predicted[0], "image of member 1, without noise"),
    ]
    for panel, (array, name) in zip(axes, shown, strict=True):
        section(figure, panel, array, grid, name, None, "image amplitude", cmap=ERROR, vmin=-limit, vmax=limit)
        panel.set_xlabel("x [m]", fontsize=8)
    if truth is not None and truth.max() > OUTLINE:
        axes[0].contour(grid.centres(0), grid.centres(1), truth.T, levels=[OUTLINE], colors="k", linewidths=0.7)
    axes[0].set_ylabel("depth [m]", fontsize=8)


def _logs(figure: Any, grid: Grid, observed: Ensemble, predicted: Ensemble) -> None:
    n, depth = observed["well_saturation"].shape[1], grid.centres(1)
    axes = figure.subplots(1, 2 * n, squeeze=False)[0]
    for w in range(n):
        for panel, key, scale, text in (
            (axes[2 * w], "well_saturation", 1.0, "saturation [-]"),
            (axes[2 * w + 1], "well_pressure", 1e-5, "pressure change [bar]"),
        ):
            low, high = np.quantile(predicted[key][:, w] * scale, [0.05, 0.95], axis=0)
            panel.fill_betweenx(depth, low, high, color="tab:blue", alpha=0.3, label="forecast 5–95 %")
            panel.plot(observed[key][0, w] * scale, depth, "k.", ms=3, label="observed")
            panel.set_ylim(depth[-1], depth[0])
            panel.set_xlabel(f"well {w + 1}: {text}", fontsize=8)
            panel.tick_params(labelsize=7)
    axes[0].legend(fontsize=7)
    axes[0].set_ylabel("depth [m]", fontsize=8)
