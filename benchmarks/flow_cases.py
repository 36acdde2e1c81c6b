"""The cases in which TwoPhaseFlow and OPM Flow are compared: :func:`flow_case` makes one by its name.

    buckley_leverett    a horizontal line of 400 cells, CO2 pushes brine
    section             128 × 64 cells of 25 m in the Compass slice, heterogeneous, source over 100 m, open sides
    section_capillary   the same, with a Brooks–Corey capillary pressure, entry pressure 0.1 bar
    volume              32 × 32 × 16 cells, lognormal permeability, source of four cells, open sides
    well                64 × 32 cells in the Compass slice, a well of several perforations instead of a source
    shut_in             the same with a source that stops midway
    well_schedule       the same with a well whose rate rises against a pressure limit, stops, and comes back
    volume_wells        24 × 20 × 8 cells, k_y ≠ k_x, porosity and k_v/k_h per cell, capillary pressure, two wells

All of them: Corey curves as tables, CO2 density linear and brine density quadratic in pressure, 188 steps of 10 days
(the line: 400 steps of 0.625 days). The exact solution of the line is :func:`welge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from seisflow.dynamics.two_phase.model import (
    Engine,
    Fluids,
    Rock,
    Schedule,
    Source,
    StepControl,
    TabulatedCapillarity,
    TabulatedCurves,
    TwoPhaseFlow,
    Well,
)
from seisflow.geology.section import load_section
from seisflow.grid import Grid
from seisflow.prior.gaussian_field import gaussian_field
from seisflow.prior.permeability import PermeabilityPrior
from seisflow.seeds import generator
from seisflow.units import BAR, DAY, MILLIDARCY

__all__ = ["CASES", "FlowCase", "flow_case", "tiny_case", "welge"]

CASES = (
    "buckley_leverett",
    "section",
    "section_capillary",
    "volume",
    "well",
    "shut_in",
    "well_schedule",
    "volume_wells",
)
RESIDUAL, EXPONENT, NODES = 0.1, 2.0, 46
RATE = 35.0
"""CO2 injected into the sections [kg/s]: 0.05 m³/s of 700 kg/m³."""
TIGHT = {"tolerance_residual": 1e-7, "tolerance_mass": 1e-10}
"""Newton tolerances with which steps are compared one by one."""


@dataclass(frozen=True, eq=False)
class FlowCase:
    """One case.

    Parameters
    ----------
    name
        One of :data:`CASES`.
    parts
        Arguments of ``TwoPhaseFlow``, without steps and engine.
    permeability
        Horizontal, ``grid.shape`` [m²].
    ends
        Ends of the prescribed steps [s].
    reports
        Numbers, from 1, of the steps after which to look.
    longest
        Longest step when the simulator chooses [s].
    """

    name: str
    parts: dict[str, Any]
    permeability: NDArray[np.float64]
    ends: NDArray[np.float64]
    reports: tuple[int, ...]
    longest: float = 20 * DAY

    @property
    def times(self) -> NDArray[np.float64]:
        """When to look [s]."""
        return self.ends[np.array(self.reports) - 1]

    def flow(self, engine: Engine, *, prescribed: bool = True) -> TwoPhaseFlow:
        """The dynamics, with the prescribed steps and tight tolerances, or with steps and tolerances as by default."""
        own = StepControl(maximum=self.longest)
        steps = StepControl(ends=tuple(map(float, self.ends)), **TIGHT) if prescribed else own
        return TwoPhaseFlow(**self.parts, steps=steps, engine=engine)


def _curves(nodes: int = NODES) -> TabulatedCurves:
    """Corey curves with exponents 2 and residuals 0.1 as a table up to the highest CO2 saturation, 0.9."""
    S = np.linspace(0.0, 1 - RESIDUAL, nodes)
    S_brine = (1 - S - RESIDUAL) / (1 - 2 * RESIDUAL)
    S_co2 = (S - RESIDUAL) / (1 - 2 * RESIDUAL)
    return TabulatedCurves(S, np.clip(S_brine, 0, 1) ** EXPONENT, np.clip(S_co2, 0, 1) ** EXPONENT)


def _capillarity() -> TabulatedCapillarity:
    """Brooks–Corey, 0.1 bar entry pressure, pore-size index 2, effective saturations below 0.05 cut off."""
    S = np.linspace(0.0, 1 - RESIDUAL, NODES)
    S_e = np.maximum((1 - S - RESIDUAL) / (1 - RESIDUAL), 0.05)
    return TabulatedCapillarity(S, 0.1 * BAR * S_e**-0.5)


def _fluids(**changes: Any) -> Fluids:
    fluids = {"brine_density_law": "quadratic", "co2_density_law": "linear", "relative_permeability": _curves()}
    return Fluids(**{**fluids, **changes})


def _compass(shape: tuple[int, int]) -> tuple[Grid, NDArray[np.float64]]:
    """A draw of the Compass permeability prior on a section of 3.2 km × 1.6 km."""
    grid = Grid(shape, (3200.0 / shape[0], 1600.0 / shape[1]), (300.0, 446.0), thickness=200.0)
    prior = PermeabilityPrior(load_section("compass_slice"), grid)
    return grid, prior.realisation(generator(1, "flow_vs_opm", 0, 0))


def _sources(
    grid: Grid, x: float, top: float, bottom: float, times: Sequence[float], factor: Sequence[float]
) -> list[Source]:
    """:data:`RATE` over the cells of one column whose centres lie in a range of depth."""
    ix = grid.locate((x, top))[0]
    z = grid.centres(-1)
    layers = np.flatnonzero((z >= top) & (z <= bottom))
    rates = [RATE / len(layers) * f for f in factor]
    return [Source((ix, int(k)), rates, times=times) for k in layers]


def _section(name: str, steps: int) -> FlowCase:
    large = name.startswith("section")
    grid, permeability = _compass((128, 64) if large else (64, 32))
    ends = 10 * DAY * np.arange(1, steps + 1)
    quarters = [0.0, *(float(ends[k * steps // 4 - 1]) for k in (1, 2, 3))]
    fluids = _fluids(capillarity=_capillarity()) if name == "section_capillary" else _fluids()
    parts = {"grid": grid, "rock": Rock(0.25, 0.36), "fluids": fluids, "wells": (), "schedule": None}
    if name.startswith("well"):
        changes = name == "well_schedule"
        rates = RATE / fluids.co2_density * np.array([1.0, 1.5, 0.0, 1.0] if changes else [1.0])
        limit = 150.3 * BAR if changes else None
        parts["wells"] = Well(1900.0, (1396.0, 1696.0), pressure_limit=limit)
        parts["schedule"] = Schedule(quarters[: len(rates)], rates)
    else:
        times, factor = ((0.0, quarters[2]), (1.0, 0.0)) if name == "shut_in" else ((0.0,), (1.0,))
        parts["sources"] = _sources(grid, 1900.0, 1496.0, 1596.0, times, factor)
    return FlowCase(name, parts, permeability, ends, _reports(steps))


def _volume(steps: int) -> FlowCase:
    grid = Grid((32, 32, 16), (50.0, 50.0, 10.0), (0.0, 0.0, 1000.0))
    field = gaussian_field(grid, (200.0, 200.0, 20.0), generator(1, "flow_vs_opm", 0, 1))
    sources = [Source((16, 16, k), 2.5) for k in range(11, 15)]
    parts = {"grid": grid, "rock": Rock(0.25, 0.1), "fluids": _fluids(), "wells": (), "schedule": None}
    ends = 10 * DAY * np.arange(1, steps + 1)
    return FlowCase(
        "volume", {**parts, "sources": sources}, 200 * MILLIDARCY * np.exp(1.2 * field), ends, _reports(steps)
    )


def _volume_wells(steps: int) -> FlowCase:
    grid = Grid((24, 20, 8), (50.0, 40.0, 10.0), (0.0, 0.0, 1000.0))
    field, other = (gaussian_field(grid, (200.0, 200.0, 20.0), generator(1, "flow_vs_opm", 0, k)) for k in (2, 3))
    rock = Rock(0.2 * np.exp(0.2 * other), 0.1 * np.exp(0.3 * other), ky_over_kx=0.4)
    wells = [Well((425.0, 420.0), (1030.0, 1080.0)), Well((775.0, 300.0), (1050.0, 1070.0), radius=0.15, skin=1.0)]
    ends = 10 * DAY * np.arange(1, steps + 1)
    half = float(ends[steps // 2 - 1])
    parts = {
        "grid": grid,
        "rock": rock,
        "fluids": _fluids(capillarity=_capillarity()),
        "wells": wells,
        "schedule": Schedule([0.0, half], np.array([[4.0, 0.0], [2.0, 3.0]]) / 700.0),
    }
    return FlowCase("volume_wells", parts, 200 * MILLIDARCY * np.exp(1.2 * field), ends, _reports(steps))


def _reports(steps: int) -> tuple[int, ...]:
    return (steps // 4, steps // 2, steps)


def _buckley_leverett(steps: int) -> FlowCase:
    """A line of 400 m × 1 m², φ = 0.2, all but incompressible, whose last cell keeps its pressure; 1e-6 m³/s of CO2."""
    grid = Grid((400, 1), (1.0, 1.0), (0.0, 1000.0))
    fluids = _fluids(relative_permeability=_curves(181), co2_compressibility=1e-6 / BAR)
    multiplier = np.ones(grid.shape)
    multiplier[-1] = 1e8
    parts = {
        "grid": grid,
        "rock": Rock(0.2, 1.0, lateral_boundary="closed", pore_volume_multiplier=multiplier),
        "fluids": fluids,
        "wells": (),
        "schedule": None,
        "sources": [Source((0, 0), 1e-6 * fluids.co2_density)],
    }
    ends = 54000.0 * np.arange(1, steps + 1)
    return FlowCase("buckley_leverett", parts, np.full(grid.shape, 1e-13), ends, (steps,), longest=2 * 54000.0)


def welge(case: FlowCase) -> tuple[NDArray[np.float64], float]:
    """The exact saturation of the line in its cell centres at the last report, and the place of the front [m].

    Behind the front x(S) = v t f'(S); the front's saturation S_f is where the chord from the initial state is tangent,
    f'(S_f) = f(S_f)/S_f (Welge 1952). f is that of the Corey curves.
    """
    fluids, width = case.parts["fluids"], 1 - 2 * RESIDUAL

    def mobilities(S: float) -> tuple[float, float]:
        return ((S - RESIDUAL) / width) ** 2 / fluids.co2_viscosity, ((1 - S - RESIDUAL) / width) ** 2 / (
            fluids.brine_viscosity
        )

    def fraction(S: float) -> float:
        co2, brine = mobilities(S)
        return co2 / (co2 + brine)

    def slope(S: float) -> float:
        co2, brine = mobilities(S)
        relative = 2 / (S - RESIDUAL) + 2 / (1 - S - RESIDUAL)  # of λ_n/λ_w
        return relative * co2 * brine / (co2 + brine) ** 2

    low, high = RESIDUAL + 1e-3, 1 - RESIDUAL - 1e-9
    front = brentq(lambda S: slope(S) * S - fraction(S), low, high, xtol=1e-14)
    travelled = 1e-6 / 0.2 * float(case.times[-1])
    speeds = case.parts["grid"].centres(0) / travelled
    exact = [brentq(lambda S, v=v: slope(S) - v, front, high, xtol=1e-14) if v < slope(front) else 0.0 for v in speeds]
    return np.array(exact), travelled * slope(front)


def flow_case(name: str, steps: int | None = None) -> FlowCase:
    """A case of :data:`CASES`, with its own number of steps (188, 400 for the line) or another, 4 or more."""
    if name == "buckley_leverett":
        return _buckley_leverett(400 if steps is None else steps)
    steps = 188 if steps is None else steps
    if name.startswith("volume"):
        return _volume(steps) if name == "volume" else _volume_wells(steps)
    return _section(name, steps)


def tiny_case(case: FlowCase) -> FlowCase:
    """Two steps of the same case: what has been run once is compiled."""
    return FlowCase(case.name, case.parts, case.permeability, case.ends[:2], (2,), case.longest)
