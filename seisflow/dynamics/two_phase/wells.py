r"""What brings CO2 into the ground: vertical wells with a schedule of rates, and sources in single cells.

    q_j = WI_j λ_t,j ρ_n,j max(0, p_bh + h_j − p_n,j)                         of perforation j [kg/s]
    h_j = h_{j−1} + ρ_n(½ (p_{j−1} + p_j)) g (z_j − z_{j−1}),  p_j = p_bh + h_j    at the start of a step
    WI = 2π √(K_x K_y) Δz / (ln(r_e/r_w) + s)
    r_e = 0.28 √(√(K_y/K_x) Δx² + √(K_x/K_y) Δy²) / ((K_y/K_x)^¼ + (K_x/K_y)^¼)

Peaceman (1983), Interpretation of well-block pressures in numerical reservoir simulation with nonsquare grid blocks and
anisotropic permeability, SPE Journal 23, 531-543, doi:10.2118/10528-PA.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.checks import increasing, positive, require
from seisflow.errors import InputError
from seisflow.grid import Grid

__all__ = ["Schedule", "Source", "Well", "equivalent_radius"]

Cell = tuple[int, int, int]


@dataclass(frozen=True)
class Well:
    """A vertical injection well with Peaceman's well index.

    Parameters
    ----------
    position
        ``(x,)`` or ``x`` on a 2-D grid, ``(x, y)`` on a 3-D one [m].
    depth
        Depth of the perforation, or the interval (top, bottom) that is perforated [m]: the cells whose centres lie in
        it, or the one cell that holds its middle.
    radius
        r_w of the bore [m].
    skin
        s, additional resistance, without unit.
    pressure_limit
        Pressure in the well, at its uppermost perforation, that injection does not exceed [Pa]; the rate falls short
        instead. ``None``: no limit. With a scheduled rate of ``inf`` the well takes what this pressure gives: pressure
        control.

    Raises
    ------
    InputError
        When a value is out of its range.
    """

    position: float | tuple[float, ...]
    depth: float | tuple[float, float]
    radius: float = 0.1
    skin: float = 0.0
    pressure_limit: float | None = None

    def __post_init__(self) -> None:
        position = tuple(float(v) for v in np.atleast_1d(self.position))
        depth = tuple(float(v) for v in np.atleast_1d(self.depth))
        if len(position) not in (1, 2) or not all(map(math.isfinite, position)):
            raise InputError(
                "well.position", self.position, "give (x,) on a 2-D grid or (x, y) on a 3-D one, in metres"
            )
        if len(depth) not in (1, 2) or not all(map(math.isfinite, depth)) or depth[0] > depth[-1]:
            raise InputError(
                "well.depth", self.depth, "give one depth or (top, bottom) with top above bottom, in metres"
            )
        positive("well.radius", self.radius, " in metres")
        require(math.isfinite(self.skin), "well.skin", self.skin, "give a finite number")
        if self.pressure_limit is not None:
            positive("well.pressure_limit", self.pressure_limit, " in Pa")
        object.__setattr__(self, "position", position)
        object.__setattr__(self, "depth", (depth[0], depth[-1]))

    def cells(self, grid: Grid) -> list[Cell]:
        """Perforated cells as (ix, iy, iz), from top to bottom; iy = 0 on a 2-D grid.

        Raises
        ------
        InputError
            When the well lies outside the grid, or has not as many coordinates as the grid needs.
        """
        position, (top, bottom) = np.atleast_1d(self.position), np.atleast_1d(self.depth)
        if len(position) != grid.ndim - 1:
            raise InputError(
                "well.position", self.position, f"give {grid.ndim - 1} horizontal coordinates on this grid"
            )
        try:
            ends = [grid.locate((*map(float, position), float(z))) for z in (top, 0.5 * (top + bottom), bottom)]
        except InputError:
            remedy = f"the well lies outside the grid, whose extent is {grid.extent} m"
            raise InputError("well.position, well.depth", (self.position, self.depth), remedy) from None
        z = grid.centres(-1)
        layers = [int(k) for k in np.flatnonzero((z >= top) & (z <= bottom))] or [ends[1][-1]]
        ix, iy = (*ends[0][:-1], 0)[:2]
        return [(ix, iy, k) for k in layers]


def equivalent_radius(grid: Grid, ky_over_kx: float) -> float:
    """Peaceman's r_e [m], the distance at which the pressure is that of the well's cell."""
    dx, dy = grid.spacing[0], grid.spacing[1] if grid.ndim == 3 else grid.thickness
    root = math.sqrt(ky_over_kx)
    return 0.28 * math.sqrt(root * dx**2 + dy**2 / root) / (math.sqrt(root) + 1 / math.sqrt(root))


@dataclass(frozen=True, eq=False)
class Schedule:
    """Injection rates that are constant from one time to the next.

    Parameters
    ----------
    times
        Start of every period [s], increasing, ``(T,)``. Nothing is injected before the first; the last has no end.
    rates
        Rate in every period [m³/s of CO2 at its reference density], ``(T,)`` for one well or ``(T, wells)``. Zero shuts
        a well; ``inf`` leaves the rate to the well's pressure limit. The mass rate is the reference density times this.

    Raises
    ------
    InputError
        When times do not increase, a rate is negative, or shapes disagree.
    """

    times: Sequence[float] | NDArray
    rates: Sequence[float] | NDArray

    def __post_init__(self) -> None:
        times = increasing("schedule.times", np.atleast_1d(self.times), "times in seconds")
        rates = np.array(np.atleast_1d(self.rates), np.float64, order="C")
        rates = rates[:, None] if rates.ndim == 1 else rates
        if rates.ndim != 2 or rates.shape[0] != times.size:
            raise InputError("schedule.rates", rates.shape, f"give one row of rates for each of the {times.size} times")
        bad = rates[~(rates >= 0)]
        if bad.size:
            raise InputError("schedule.rates", float(bad[0]), "give rates of 0 or more in m³/s (wells only inject)")
        rates.flags.writeable = False
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "rates", rates)

    def volume(self, start: float, stop: float) -> float:
        """CO2 that all wells together are to inject from one time [s] to another, at reference density [m³]."""
        planned = np.asarray(self.times)
        ends = np.append(planned[1:], np.inf)
        lengths = np.maximum(np.minimum(ends, stop) - np.maximum(planned, start), 0.0)
        rates = np.asarray(self.rates).sum(axis=1)
        return float((lengths * np.where(lengths > 0, rates, 0.0)).sum())

    def metered(self, times: Sequence[float], volumes: Sequence[float] | NDArray) -> Schedule:
        """The schedule that injects given volumes over given intervals, and goes on as planned behind them.

        Rates keep their course and their shares within an interval, times one factor. Where nothing was planned, and where
        a rate is left to the pressure limit, they are even over the interval (over the time that is left to the limit).

        Parameters
        ----------
        times
            Ends of the intervals [s], increasing, ``(K,)``; the first begins at 0.
        volumes
            CO2 injected over each by all wells together, at reference density [m³], ``(K,)``, 0 or more.

        Raises
        ------
        InputError
            When times do not increase, or a volume is negative or not finite.
        """
        ends = increasing("times", times, "ends of the intervals in seconds")
        wanted = np.asarray(volumes, np.float64)
        good = wanted.shape == ends.shape and bool((np.isfinite(wanted) & (wanted >= 0)).all())
        require(
            good and ends[0] > 0, "volumes", list(map(float, wanted)), "give 0 m³ or more for each interval after 0"
        )
        starts = np.concatenate([[0.0], ends[:-1]])
        planned = np.asarray(self.times, np.float64)
        begins = np.unique(np.concatenate([planned, [0.0], ends]))
        period = np.searchsorted(planned, begins, side="right") - 1
        rates = np.where((period >= 0)[:, None], np.asarray(self.rates)[period], 0.0)
        for start, end, volume in zip(starts, ends, wanted, strict=True):
            inside = (begins >= start) & (begins < end)
            lengths = np.diff(np.append(begins[inside], end))
            course = np.where(np.isinf(rates[inside]).any(), np.isinf(rates[inside]), rates[inside]).astype(float)
            course = course if course.any() else np.ones_like(course)
            rates[inside] = course * volume / (lengths @ course).sum()
        return Schedule(begins, rates)


@dataclass(frozen=True, eq=False)
class Source:
    """Mass that appears in one cell, without a well.

    Parameters
    ----------
    cell
        ``(ix, iz)`` on a 2-D grid, ``(ix, iy, iz)`` on a 3-D one, from 0.
    co2, brine
        Rates [kg/s], 0 or more: a number, or one per time.
    times
        From when each rate holds [s], increasing, ``(T,)``. Nothing comes before the first; the last has no end.

    Raises
    ------
    InputError
        When times do not increase, a rate is negative, or shapes disagree.
    """

    cell: tuple[int, ...]
    co2: float | Sequence[float] | NDArray
    brine: float | Sequence[float] | NDArray = 0.0
    times: Sequence[float] | NDArray = (0.0,)

    def __post_init__(self) -> None:
        cell = np.atleast_1d(self.cell)
        whole = cell.dtype.kind in "iu" and cell.shape in ((2,), (3,)) and bool((cell >= 0).all())
        require(whole, "source.cell", self.cell, "give whole numbers (ix, iz) or (ix, iy, iz), counted from 0")
        times = increasing("source.times", np.atleast_1d(self.times), "times in seconds")
        object.__setattr__(self, "cell", tuple(map(int, cell)))
        object.__setattr__(self, "times", times)
        for name in ("co2", "brine"):
            rates = np.asarray(getattr(self, name), np.float64)
            require(
                rates.shape in ((), times.shape),
                f"source.{name}",
                rates.shape,
                f"give one rate, or one per time: {times.size}",
            )
            bad = rates[~(np.isfinite(rates) & (rates >= 0))]
            require(bad.size == 0, f"source.{name}", float(bad.flat[0]) if bad.size else 0.0, "give 0 or more, in kg/s")
            rates = np.array(np.broadcast_to(rates, times.shape))
            rates.flags.writeable = False
            object.__setattr__(self, name, rates)

    def rates_at(self, times: NDArray) -> tuple[NDArray, NDArray]:
        """Rates (co2, brine) [kg/s] that hold just after each time, ``(T,)`` each."""
        own = np.asarray(self.times)
        period = np.searchsorted(own, times, side="right") - 1
        return tuple(np.where(period >= 0, np.asarray(rates)[period], 0.0) for rates in (self.co2, self.brine))  # type: ignore[return-value]

    def cell_in(self, grid: Grid) -> Cell:
        """The cell as (ix, iy, iz); :class:`InputError` when it is not one of the grid's."""
        inside = len(self.cell) == grid.ndim and all(i < n for i, n in zip(self.cell, grid.shape, strict=True))
        require(inside, "source.cell", self.cell, f"it lies outside the grid, whose shape is {grid.shape}")
        return self.cell if grid.ndim == 3 else (self.cell[0], 0, self.cell[1])  # type: ignore[return-value]
