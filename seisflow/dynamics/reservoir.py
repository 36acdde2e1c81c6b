r"""The parts of a two-phase flow case: rock, fluids, wells, schedule and time steps, each checked when it is built.

    ρ_α = ρ_α,ref exp(c_α (p_α − p_ref)),   φ = φ_0 exp(c_r (p − p_ref))
    k_rα = S_eα^n_α,   S_eα = (S_α − S_αr)/(1 − S_wr − S_nr) clamped to [0, 1],   α = brine (w), CO2 (n)

:mod:`seisflow.dynamics.two_phase` puts them together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.units import BAR, DAY

__all__ = ["BrooksCorey", "Fluids", "Rock", "Schedule", "StepControl", "Value", "VanGenuchten", "Well"]

OPEN_AQUIFER = 1e6
"""Pore-volume multiplier of lateral edge cells that stands for an open aquifer (the published choice is also huge)."""

Value = np.ndarray | str | int | float | bool
"""What can be sent to the engine."""


def require(condition: bool, argument: str, value: object, remedy: str) -> None:
    """Raise :class:`InputError` unless the condition holds."""
    if not condition:
        raise InputError(argument, value, remedy)


def _positive(argument: str, value: float, unit: str) -> None:
    require(math.isfinite(value) and value > 0, argument, value, f"give a positive value{unit}")


def _not_negative(argument: str, value: float, unit: str) -> None:
    require(math.isfinite(value) and value >= 0, argument, value, f"give a value of 0 or more{unit}")


@dataclass(frozen=True, eq=False)
class Rock:
    """The rock apart from its permeability, which every member brings along.

    Parameters
    ----------
    porosity
        φ_0 in (0, 1]: one number, or one per cell with the grid's shape.
    kv_over_kh
        Vertical over horizontal permeability.
    compressibility
        c_r of the pore space [1/Pa], about ``reference_pressure``.
    lateral_boundary
        ``"open"``: behind the lateral edge cells lies an aquifer that keeps its pressure (their pore volume is
        multiplied by 10⁶); mass is counted there too. ``"closed"``: nothing passes. Top and bottom are closed.
    reference_pressure
        Pressure at which the porosity is ``porosity`` [Pa].

    Raises
    ------
    InputError
        When a value is out of its range.
    """

    porosity: float | NDArray[np.floating] = 0.25
    kv_over_kh: float = 0.36
    compressibility: float = 0.0
    lateral_boundary: Literal["open", "closed"] = "open"
    reference_pressure: float = 150 * BAR

    def __post_init__(self) -> None:
        porosity = np.asarray(self.porosity, np.float64)
        bad = porosity[~((porosity > 0) & (porosity <= 1))]
        if bad.size:
            raise InputError("rock.porosity", float(bad[0]), "give values above 0 and at most 1")
        _positive("rock.kv_over_kh", self.kv_over_kh, "")
        _not_negative("rock.compressibility", self.compressibility, " in 1/Pa")
        _positive("rock.reference_pressure", self.reference_pressure, " in Pa")
        if self.lateral_boundary not in ("open", "closed"):
            raise InputError("rock.lateral_boundary", self.lateral_boundary, 'give "open" or "closed"')

    @property
    def edge_multiplier(self) -> float:
        """Factor on the pore volume of lateral edge cells."""
        return OPEN_AQUIFER if self.lateral_boundary == "open" else 1.0


@dataclass(frozen=True)
class BrooksCorey:
    """Capillary pressure p_c = p_e S_e^(−1/λ), S_e = (S_w − S_wr)/(1 − S_wr) (Brooks and Corey 1964).

    Parameters
    ----------
    entry_pressure
        p_e [Pa].
    pore_size_index
        λ.
    """

    entry_pressure: float
    pore_size_index: float = 2.0

    def __post_init__(self) -> None:
        _positive("capillarity.entry_pressure", self.entry_pressure, " in Pa")
        _positive("capillarity.pore_size_index", self.pore_size_index, "")

    def pressure(self, saturation: NDArray, brine_residual: float) -> NDArray:
        """p_c [Pa] at CO2 saturations; below S_e = 0.05 its tangent."""
        Se = np.minimum((1 - saturation - brine_residual) / (1 - brine_residual), 1.0)
        knot = np.maximum(Se, 0.05)
        value = self.entry_pressure * knot ** (-1 / self.pore_size_index)
        return value * (1 - (Se - knot) / (self.pore_size_index * knot))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {
            "capillarity": "brooks_corey",
            "entry_pressure": self.entry_pressure,
            "pore_size_index": self.pore_size_index,
        }


@dataclass(frozen=True)
class VanGenuchten:
    """Capillary pressure p_c = P (S_e^(−1/m) − 1)^(1−m) (van Genuchten 1980).

    Parameters
    ----------
    scale
        P [Pa].
    m
        Shape, between 0 and 1.
    """

    scale: float
    m: float = 0.5

    def __post_init__(self) -> None:
        _positive("capillarity.scale", self.scale, " in Pa")
        require(0 < self.m < 1, "capillarity.m", self.m, "give a value between 0 and 1")

    def pressure(self, saturation: NDArray, brine_residual: float) -> NDArray:
        """p_c [Pa] at CO2 saturations; outside 0.05 < S_e < 0.999 its tangents."""
        Se = np.minimum((1 - saturation - brine_residual) / (1 - brine_residual), 1.0)
        knot = np.clip(Se, 0.05, 0.999)
        base = knot ** (-1 / self.m) - 1
        slope = -self.scale * (1 - self.m) / self.m * base ** (-self.m) * knot ** (-1 / self.m - 1)
        return self.scale * base ** (1 - self.m) + slope * (Se - knot)

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {"capillarity": "van_genuchten", "capillary_scale": self.scale, "van_genuchten_m": self.m}


@dataclass(frozen=True)
class Fluids:
    """CO2 and brine. Defaults: reference values of the published Compass studies.

    Parameters
    ----------
    brine_density, co2_density
        ρ_ref at the reference pressure [kg/m³].
    reference_pressure
        p_ref [Pa].
    brine_compressibility, co2_compressibility
        c [1/Pa].
    brine_viscosity, co2_viscosity
        μ [Pa·s].
    brine_exponent, co2_exponent
        Corey exponents n of the relative permeabilities, 1 or more.
    brine_residual, co2_residual
        S_wr and S_nr: what does not flow.
    capillarity
        Capillary pressure model, or ``None`` for none.

    Raises
    ------
    InputError
        When a value is out of its range.
    """

    brine_density: float = 1000.0
    co2_density: float = 700.0
    reference_pressure: float = 150 * BAR
    brine_compressibility: float = 1e-6 / BAR
    co2_compressibility: float = 1e-4 / BAR
    brine_viscosity: float = 1e-3
    co2_viscosity: float = 1e-4
    brine_exponent: float = 2.0
    co2_exponent: float = 2.0
    brine_residual: float = 0.1
    co2_residual: float = 0.1
    capillarity: BrooksCorey | VanGenuchten | None = None

    def __post_init__(self) -> None:
        for name in ("brine_density", "co2_density"):
            _positive(f"fluids.{name}", getattr(self, name), " in kg/m³")
        for name in ("brine_viscosity", "co2_viscosity"):
            _positive(f"fluids.{name}", getattr(self, name), " in Pa·s")
        _positive("fluids.reference_pressure", self.reference_pressure, " in Pa")
        for name in ("brine_compressibility", "co2_compressibility"):
            _not_negative(f"fluids.{name}", getattr(self, name), " in 1/Pa")
        for name in ("brine_exponent", "co2_exponent"):
            value = getattr(self, name)
            require(math.isfinite(value) and value >= 1, f"fluids.{name}", value, "give an exponent of 1 or more")
        for name in ("brine_residual", "co2_residual"):
            _not_negative(f"fluids.{name}", getattr(self, name), "")
        total = self.brine_residual + self.co2_residual
        require(total < 1, "fluids.brine_residual + fluids.co2_residual", total, "their sum must be below 1")

    def brine_density_at(self, pressure: ArrayLike) -> NDArray:
        """Brine density [kg/m³] at a pressure [Pa]."""
        relative = self.brine_compressibility * (np.asarray(pressure) - self.reference_pressure)
        return self.brine_density * np.exp(relative)

    def co2_density_at(self, pressure: ArrayLike) -> NDArray:
        """CO2 density [kg/m³] at a CO2 pressure [Pa]."""
        return self.co2_density * np.exp(self.co2_compressibility * (np.asarray(pressure) - self.reference_pressure))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes the fluids."""
        numbers: dict[str, Value] = {k: v for k, v in vars(self).items() if k != "capillarity"}
        return {**numbers, **(self.capillarity.arrays() if self.capillarity else {"capillarity": "none"})}


@dataclass(frozen=True)
class Well:
    """A vertical injection well with Peaceman's well index (1983, doi:10.2118/10528-PA).

    Parameters
    ----------
    position
        ``(x,)`` or ``x`` on a 2-D grid, ``(x, y)`` on a 3-D one [m].
    depth
        Depth of the perforation, or the interval (top, bottom) that is perforated [m]: the cells whose centres lie in
        it, or the one cell that holds its middle.
    radius
        Of the bore [m].
    skin
        Additional resistance, without unit.
    pressure_limit
        Pressure in the well, at its uppermost perforation, that injection does not exceed [Pa]; the rate falls short
        instead. ``None``: no limit.

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
        _positive("well.radius", self.radius, " in metres")
        require(math.isfinite(self.skin), "well.skin", self.skin, "give a finite number")
        if self.pressure_limit is not None:
            _positive("well.pressure_limit", self.pressure_limit, " in Pa")
        object.__setattr__(self, "position", position)
        object.__setattr__(self, "depth", (depth[0], depth[-1]))

    def cells(self, grid: Grid) -> list[tuple[int, int, int]]:
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


@dataclass(frozen=True, eq=False)
class Schedule:
    """Injection rates that are constant from one time to the next.

    Parameters
    ----------
    times
        Start of every period [s], increasing, ``(T,)``. Nothing is injected before the first; the last has no end.
    rates
        Rate in every period [m³/s of CO2 at its reference density], ``(T,)`` for one well or ``(T, wells)``. Zero shuts
        a well. The mass rate is the reference density times this.

    Raises
    ------
    InputError
        When times do not increase, a rate is negative, or shapes disagree.
    """

    times: Sequence[float] | NDArray
    rates: Sequence[float] | NDArray

    def __post_init__(self) -> None:
        times, rates = np.atleast_1d(np.asarray(self.times, float)), np.atleast_1d(np.asarray(self.rates, float))
        if times.ndim != 1 or times.size == 0 or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            raise InputError("schedule.times", times.tolist(), "give times in seconds, each later than the one before")
        rates = rates[:, None] if rates.ndim == 1 else rates
        if rates.ndim != 2 or rates.shape[0] != times.size:
            raise InputError("schedule.rates", rates.shape, f"give one row of rates for each of the {times.size} times")
        bad = rates[~(np.isfinite(rates) & (rates >= 0))]
        if bad.size:
            raise InputError("schedule.rates", float(bad[0]), "give rates of 0 or more in m³/s (wells only inject)")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "rates", np.ascontiguousarray(rates))


@dataclass(frozen=True)
class StepControl:
    """How the simulator steps in time, and when it is satisfied.

    Parameters
    ----------
    initial
        First step, also after a rise of the rate [s]; ``None``: the time in which the wells fill the pore space of
        their cells.
    maximum, minimum
        Longest and shortest step [s]. The longest sets the accuracy in time: backward Euler is of first order. (On a
        64 × 64 Compass section over 480 days, relative L1 error of the saturation: 5 days 0.7 %, 10 days 1.4 %, 20
        days 3 %, 50 days 7 %.)
    growth, cut
        Factor on the step after easy steps, and after one that failed.
    max_cuts
        Failed steps after which a member is given up.
    max_newton
        Newton iterations after which a step has failed.
    max_saturation_change
        Largest change of a saturation in one Newton iteration.
    tolerance_residual
        Largest imbalance of a cell in a step, in pore volumes.
    tolerance_mass
        Largest imbalance of a phase in a step, relative to the mass injected in it.
    solver
        ``"cpr"``: GMRES with a two-stage preconditioner. ``"direct"``: sparse factorisation, to check the former.

    Raises
    ------
    InputError
        When a value is out of its range.
    """

    initial: float | None = None
    maximum: float = 20 * DAY
    minimum: float = 1.0
    growth: float = 2.0
    cut: float = 0.5
    max_cuts: int = 30
    max_newton: int = 12
    max_saturation_change: float = 0.2
    tolerance_residual: float = 1e-5
    tolerance_mass: float = 1e-9
    solver: Literal["cpr", "direct"] = "cpr"

    def __post_init__(self) -> None:
        if self.initial is not None:
            _positive("steps.initial", self.initial, " in seconds, or None")
        for name in ("maximum", "minimum", "tolerance_residual", "tolerance_mass", "max_saturation_change"):
            _positive(f"steps.{name}", getattr(self, name), "")
        require(self.minimum <= self.maximum, "steps.minimum", self.minimum, "it must not exceed steps.maximum")
        require(self.growth >= 1, "steps.growth", self.growth, "give a factor of 1 or more")
        require(0 < self.cut < 1, "steps.cut", self.cut, "give a factor between 0 and 1")
        require(self.max_cuts >= 0, "steps.max_cuts", self.max_cuts, "give 0 or more")
        require(self.max_newton >= 1, "steps.max_newton", self.max_newton, "give at least 1")
        if self.solver not in ("cpr", "direct"):
            raise InputError("steps.solver", self.solver, 'give "cpr" or "direct"')

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes the steps."""
        numbers: dict[str, Value] = {f"step_{k}": v for k, v in vars(self).items() if k not in ("initial", "solver")}
        return {**numbers, "step_initial": self.initial or 0.0, "solver": self.solver}
