r"""What is assumed of the ground: the baseline velocity, draws from the prior of the permeability, and the true one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seisflow.grid import Grid
from seisflow.report.sections import section

__all__ = ["geology_figure"]


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
    section(figure, axes[0, 0], velocity, grid, "baseline velocity $v_p$", None, "m/s", cmap="viridis")
    shown = [(truth, "true permeability")] if truth is not None else [(None, "")]
    shown += [(draw, f"prior draw {m + 1}") for m, draw in enumerate(permeability[:4])]
    for panel, (values, title) in zip(axes.ravel()[1:], [*shown, *[(None, "")] * 4], strict=False):
        if values is None:
            panel.set_axis_off()
            continue
        section(figure, panel, np.log10(values), grid, title, None, "log10 mD", cmap="cividis", vmin=-3, vmax=4)
    for panel in axes.ravel():
        if panel.axison:
            _wells(panel, wells)
    axes[0, 0].set_ylabel("depth [m]")
    axes[0, 0].set_xlabel("x [m]   (red: injector; dashed: monitoring well)", fontsize=8)
    return figure


def _wells(axes: Any, wells: Mapping[str, Any]) -> None:
    x, top, bottom = wells["injector"]
    axes.plot([x, x], [top, bottom], color="red", lw=2.5)
    for monitor in wells["monitors"]:
        axes.axvline(monitor, color="white", lw=0.7, ls="--")
