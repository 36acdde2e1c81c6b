r"""Pictures a geophysicist expects of a seismic survey: model, shot gather, image, time-lapse difference.

Colour scales do not lie: amplitudes are symmetric about zero in a diverging map whose middle is white, panels that are to be
compared share one scale, and a scale that is clipped says at which quantile. Axes are in metres and seconds, depth and time
downwards, one scale for x and z unless asked otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.waves.survey import Survey
from seisflow.report.sections import ERROR, colour_bar, draw_field

__all__ = ["gather_figure", "image_figure", "survey_figure", "time_lapse_figure"]

AMPLITUDES = ERROR
BAR = 0.03
"""Width of the colour bars in units of that of the axes."""


def _limit(values: NDArray, clip: float) -> tuple[float, str]:
    """Half the range of a symmetric colour scale, and what to say of it."""
    if not 0 < clip <= 1:
        raise InputError("clip", clip, "give the share of amplitudes inside the colour scale, above 0 and at most 1")
    size = np.abs(np.asarray(values, float))
    limit = float(np.quantile(size, clip)) or float(size.max()) or 1.0
    return limit, "" if clip == 1 else f" (scale ends at the {100 * clip:g} % quantile)"


def _labelled(axes: Any, field: NDArray, grid: Grid, exaggeration: float, **style: Any) -> Any:
    shown = draw_field(axes, field, grid, exaggeration, **style)
    axes.set_xlabel("x [m]", fontsize=8)
    axes.set_ylabel("depth [m]", fontsize=8)
    return shown


def _points(axes: Any, survey: Survey) -> None:
    shots, spread = survey.sources, survey.receivers
    if survey.exchanged:
        shots, spread = spread, shots
    axes.plot(spread[:, 0], spread[:, -1], "v", color="white", mec="black", mew=0.5, ms=5, label="receivers", ls="none")
    axes.plot(shots[:, 0], shots[:, -1], "*", color="red", mec="black", mew=0.3, ms=6, label="shots", ls="none")
    axes.legend(fontsize=7, loc="lower left", framealpha=0.8)


def survey_figure(grid: Grid, velocity: NDArray, survey: Survey, title: str = "", exaggeration: float = 1.0) -> Figure:
    """The velocity model with the survey on it, and the wavelet with its spectrum.

    Parameters
    ----------
    grid, velocity
        The wave grid, a 2-D section, and v_p on it [m/s].
    survey
        Drawn as the field had it when it is exchanged.
    exaggeration
        Scale of the depth in units of that of x.
    """
    figure = Figure(figsize=(9.5, 7.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.4, 1])
    upper, lower = parts
    axes = upper.subplots()
    shown = _labelled(axes, velocity, grid, exaggeration, cmap="viridis")
    colour_bar(upper, shown, axes, "$v_p$ [m/s]", BAR)
    _points(axes, survey)
    axes.set_title(title or "velocity and survey", fontsize=10)
    left, right = lower.subplots(1, 2)
    reach = max(2.5 * survey.wavelet.start, 8 * survey.interval)
    fine = np.linspace(0, reach, 400)
    left.plot(fine, survey.wavelet(fine), color="tab:blue", lw=1.2)
    left.set_xlabel("time [s]", fontsize=8)
    left.set_ylabel("wavelet", fontsize=8)
    frequency = np.linspace(0, 1.2 * survey.wavelet.highest_frequency, 300)
    spectrum = np.abs(survey.wavelet.spectrum(2 * np.pi * frequency))
    right.plot(frequency, spectrum / spectrum.max(), color="tab:blue", lw=1.2)
    right.axvline(survey.wavelet.highest_frequency, color="0.4", ls=":", lw=1)
    right.set_xlabel("frequency [Hz]   (dotted: highest that counts)", fontsize=8)
    right.set_ylabel("spectrum / peak", fontsize=8)
    for panel in (left, right):
        panel.tick_params(labelsize=7)
        panel.axhline(0, color="0.8", lw=0.6, zorder=0)
    return figure


def gather_figure(survey: Survey, gathers: Mapping[str, NDArray], title: str = "", clip: float = 0.99) -> Figure:
    """Shot gathers side by side on one colour scale: traces over the receivers' x, time downwards.

    Parameters
    ----------
    survey
        Receivers and sampling.
    gathers
        Name → ``(n_samples, n_receivers)`` [Pa].
    clip
        Share of all amplitudes inside the colour scale; 1: all.
    """
    if not gathers:
        raise InputError("gathers", gathers, "give at least one")
    limit, note = _limit(np.stack(list(gathers.values())), clip)
    order = np.argsort(survey.receivers[:, 0])
    x = survey.receivers[order, 0]
    figure = Figure(figsize=(1.2 + 4.2 * len(gathers), 5.2), layout="constrained")
    panels = figure.subplots(1, len(gathers), sharey=True, squeeze=False)[0]
    for axes, (name, gather) in zip(panels, gathers.items(), strict=True):
        if np.shape(gather) != (survey.n_samples, len(x)):
            raise InputError(f"gathers[{name!r}]", np.shape(gather), f"give {(survey.n_samples, len(x))}")
        shown = axes.pcolormesh(
            x, survey.time, np.asarray(gather)[:, order], cmap=AMPLITUDES, vmin=-limit, vmax=limit, shading="nearest"
        )
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("receiver x [m]", fontsize=8)
        axes.tick_params(labelsize=7)
    panels[0].set_ylabel("time [s]", fontsize=8)
    panels[0].set_ylim(survey.time[-1], 0)
    colour_bar(figure, shown, list(panels), f"pressure [Pa]{note}", BAR)
    figure.suptitle(title, fontsize=10)
    return figure


def image_figure(
    grid: Grid,
    image: NDArray,
    title: str = "",
    *,
    outline: NDArray | None = None,
    survey: Survey | None = None,
    unit: str = "image [noise rms]",
    clip: float = 0.995,
    exaggeration: float = 1.0,
) -> Figure:
    """A seismic image with a colour scale symmetric about zero.

    Parameters
    ----------
    outline
        A saturation of the image's shape whose contour at 0.05 is drawn.
    survey
        Drawn when given and inside the section.
    """
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplots()
    limit, note = _limit(image, clip)
    shown = _labelled(axes, image, grid, exaggeration, cmap=AMPLITUDES, vmin=-limit, vmax=limit)
    colour_bar(figure, shown, axes, unit + note, BAR)
    if outline is not None and np.max(outline) > 0.05:
        axes.contour(grid.centres(0), grid.centres(1), np.asarray(outline).T, levels=[0.05], colors="k", linewidths=0.8)
    if survey is not None:
        _points(axes, survey)
    axes.set_title(title, fontsize=10)
    return figure


def time_lapse_figure(
    grid: Grid, baseline: NDArray, monitor: NDArray, title: str = "", *, unit: str = "m/s", exaggeration: float = 1.0
) -> Figure:
    """Baseline and monitor on one scale, and monitor minus baseline on a scale symmetric about zero.

    Parameters
    ----------
    baseline, monitor
        The same quantity on the grid: v_p, impedance, an image.
    unit
        Of the quantity.
    """
    figure = Figure(figsize=(16, 4.2), layout="constrained")
    panels = figure.subplots(1, 3)
    low = float(min(np.min(baseline), np.min(monitor)))
    high = float(max(np.max(baseline), np.max(monitor)))
    for axes, field, name in zip(panels, (baseline, monitor), ("baseline", "monitor"), strict=False):
        shown = _labelled(axes, field, grid, exaggeration, cmap="viridis", vmin=low, vmax=high)
        colour_bar(figure, shown, axes, unit, BAR)
        axes.set_title(name, fontsize=9)
    change = np.asarray(monitor, float) - np.asarray(baseline, float)
    limit, _ = _limit(change, 1.0)
    shown = _labelled(panels[2], change, grid, exaggeration, cmap=AMPLITUDES, vmin=-limit, vmax=limit)
    colour_bar(figure, shown, panels[2], unit, BAR)
    panels[2].set_title("monitor − baseline", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure
