r"""Vertical sections as figures draw them: colour maps, scale, colour bar, the depths of a plume; and figures as files.

Sections have x to the right and depth downwards, in metres; depth is drawn at twice the scale of x unless asked otherwise.
Panels of one figure that show the same kind of value share one colour scale; that of errors is symmetric about zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from seisflow.diagnostics.plume import DRY
from seisflow.errors import InputError
from seisflow.grid import Grid

__all__ = [
    "DEVIATION",
    "ERROR",
    "EXAGGERATION",
    "PROBABILITY",
    "VALUE",
    "colour_bar",
    "draw_field",
    "plume_window",
    "save",
    "section",
]

VALUE, DEVIATION, ERROR = "BuPu", "YlOrBr", "RdBu_r"
"""Colour maps: nothing is near white in all of them, and lightness falls evenly, or from the middle to both sides."""
PROBABILITY = ListedColormap(colormaps["Blues"](np.linspace(0, 0.6, 256)), "probability")
"""Colour map under outlines, which are dark: it ends at a middle blue."""
EXAGGERATION = 2.0
"""Scale of the depth in units of that of x, in all sections of a run."""


def draw_field(axes: Any, field: NDArray, grid: Grid, exaggeration: float = EXAGGERATION, **style: Any) -> Any:
    """Draw a field of a section; ``style`` goes to ``imshow``, whose picture is returned.

    Raises
    ------
    InputError
        When the field is not one of a 2-D grid.
    """
    if grid.ndim != 2 or np.shape(field) != grid.shape:
        raise InputError("field.shape", np.shape(field), f"give a field of a 2-D grid, {grid.shape}")
    (left, right), (top, bottom) = grid.extent
    picture = axes.imshow(
        np.asarray(field).T, extent=(left, right, bottom, top), interpolation="nearest", aspect=exaggeration, **style
    )
    axes.tick_params(labelsize=7)
    return picture


def colour_bar(figure: Any, picture: Any, axes: Any, label: str, fraction: float = 0.02) -> None:
    """A colour bar beside the axes, as wide as a fraction of them."""
    bar = figure.colorbar(picture, ax=axes, fraction=fraction, pad=0.01)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def section(
    figure: Any,
    axes: Any,
    field: NDArray,
    grid: Grid,
    title: str,
    window: tuple[float, float] | None,
    unit: str,
    **style: Any,
) -> None:
    """One field with its title and colour bar; ``style`` goes to ``imshow``, ``window`` are the depths shown."""
    picture = draw_field(axes, field, grid, **style)
    axes.set_title(title, fontsize=9)
    if window is not None:
        axes.set_ylim(window[1], window[0])
    colour_bar(figure, picture, axes, unit)


def plume_window(grid: Grid, fields: Iterable[NDArray]) -> tuple[float, float]:
    """Depths [m] that hold all plumes with a margin, so that a thin plume is not lost in the overburden.

    Parameters
    ----------
    grid
        Of the fields.
    fields
        Saturations ``grid.shape`` or ``(M, *grid.shape)``, taken one after the other.
    """
    low, high = grid.extent[-1]
    wet = np.zeros(grid.shape[-1], bool)
    for field in fields:
        wet |= (np.asarray(field).reshape(-1, *grid.shape) > DRY).any(axis=(0, 1))
    depths = grid.centres(-1)[wet]
    return (low, high) if not wet.any() else (max(low, depths.min() - 125), min(high, depths.max() + 75))


def save(figure: Figure, path: Path, dpi: int = 110) -> Path:
    """Write a figure as PNG and return its path; 300 dots per inch are fit for print."""
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = FigureCanvasAgg(figure)  # drawn once; Figure.savefig lays out and draws twice
    figure.set_dpi(dpi)
    figure.set_facecolor("white")
    canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(path, dpi=(dpi, dpi))
    return path
