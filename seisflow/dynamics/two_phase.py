r"""Two-phase flow of CO2 (n) and brine (w): the dynamics of a storage site, solved by the Julia package TwoPhaseFlow.

    ∂/∂t(φ ρ_α S_α) + ∇·(ρ_α v_α) = q_α,   v_α = −K k_rα/μ_α (∇p_α − ρ_α g ∇z),   p_n = p_w + p_c(S_w)

State: CO2 saturation S and brine pressure p. Parameter, per member: horizontal permeability K. Finite volumes, fully
implicit. The parts of a case are in :mod:`seisflow.dynamics.reservoir` and can be imported from here.

This module describes and checks a case; the numbers are made by ``TwoPhaseFlow.run_case`` through an engine
(:class:`seisflow.dynamics.julia.JuliaEngine`), whose members run in parallel and fail alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.base import Dynamics
from seisflow.dynamics.reservoir import (
    BrooksCorey,
    Fluids,
    Rock,
    Schedule,
    StepControl,
    Value,
    VanGenuchten,
    Well,
    require,
)
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SimulationError
from seisflow.grid import Grid
from seisflow.units import ATMOSPHERE, GRAVITY

__all__ = [
    "BrooksCorey",
    "Engine",
    "Fluids",
    "MemberReport",
    "Rock",
    "Schedule",
    "StepControl",
    "TwoPhaseFlow",
    "VanGenuchten",
    "Well",
]


class Engine(Protocol):
    """What calls a function of the Julia package on named arrays (:class:`seisflow.dynamics.julia.JuliaEngine`)."""

    def call(
        self, function: str, inputs: Mapping[str, Value], progress: Callable[[int, int], None] | None, total: int, /
    ) -> dict[str, Any]:
        """Call ``function`` with the inputs and return its named results; ``progress(done, total)`` counts members."""


@dataclass(frozen=True)
class MemberReport:
    """What happened to one member on its way.

    Parameters
    ----------
    converged, reason
        Whether it arrived, and why not.
    steps, cuts, newton_iterations, linear_iterations
        Steps taken, steps repeated, iterations (those of repeated steps included).
    injected_mass
        CO2 that the wells injected [kg].
    brine_error, co2_error
        Change of mass in place minus mass injected [kg].
    final_time
        Time reached [s].
    bottom_hole_pressure, well_rate
        Of every well in the last step [Pa], [kg/s]; the pressure of a shut well is not-a-number.
    seconds
        Time the computation took [s].
    """

    converged: bool
    reason: str
    steps: int
    cuts: int
    newton_iterations: int
    linear_iterations: int
    injected_mass: float
    brine_error: float
    co2_error: float
    final_time: float
    bottom_hole_pressure: tuple[float, ...]
    well_rate: tuple[float, ...]
    seconds: float


class TwoPhaseFlow(Dynamics):
    """Two-phase flow on a grid, for ensembles with ``saturation``, ``pressure`` and ``permeability``.

    Parameters
    ----------
    grid
        2-D ``(x, z)`` with a thickness, or 3-D ``(x, y, z)``; the last origin is the depth of its upper face.
    rock, fluids
        What does not differ between members.
    wells
        One well or several.
    schedule
        Rates of the wells.
    steps
        Time stepping; default :class:`StepControl`.
    engine
        What runs the Julia package.

    Raises
    ------
    InputError
        When parts do not fit together: a well outside the grid, rates for another number of wells, a porosity of
        another shape.
    """

    def __init__(
        self,
        grid: Grid,
        rock: Rock,
        fluids: Fluids,
        wells: Well | Sequence[Well],
        schedule: Schedule,
        steps: StepControl | None = None,
        *,
        engine: Engine,
    ) -> None:
        self.grid = grid
        self.rock = rock
        self.fluids = fluids
        self.wells = (wells,) if isinstance(wells, Well) else tuple(wells)
        self.schedule = schedule
        self.steps = StepControl() if steps is None else steps
        self.engine = engine
        self.reports: tuple[MemberReport, ...] = ()
        """Reports of the members of the last :meth:`advance`."""
        porosity = np.shape(rock.porosity)
        require(porosity in ((), grid.shape), "rock.porosity.shape", porosity, f"give one number or shape {grid.shape}")
        rates = np.shape(schedule.rates)
        remedy = f"give one column of rates for each of the {len(self.wells)} wells"
        require(not self.wells or rates[1] == len(self.wells), "schedule.rates", rates, remedy)
        self._case = self._describe()

    def _describe(self) -> dict[str, Value]:
        """Inputs of ``run_case`` that do not change between calls."""
        grid, shape = self.grid, self.grid.shape
        flat = grid.ndim == 2
        case: dict[str, Value] = {
            "shape": np.array((shape[0], 1, shape[1]) if flat else shape, np.int64),
            "spacing": np.array((grid.spacing[0], grid.thickness, grid.spacing[1]) if flat else grid.spacing, float),
            "top": grid.origin[-1],
            "gravity": GRAVITY,
            "porosity": np.ascontiguousarray(self.rock.porosity, np.float64).reshape(-1),
            "kv_over_kh": self.rock.kv_over_kh,
            "rock_compressibility": self.rock.compressibility,
            "rock_reference_pressure": self.rock.reference_pressure,
            "edge_multiplier": self.rock.edge_multiplier,
            **self.fluids.arrays(),
            **self.steps.arrays(),
        }
        if self.wells:
            cells = [well.cells(grid) for well in self.wells]
            limits = [math.inf if well.pressure_limit is None else well.pressure_limit for well in self.wells]
            case |= {
                "well_cells": np.array([cell for of_well in cells for cell in of_well], np.int64),
                "well_of_cell": np.array([w for w, of_well in enumerate(cells) for _ in of_well], np.int64),
                "well_radius": np.array([well.radius for well in self.wells], float),
                "well_skin": np.array([well.skin for well in self.wells], float),
                "well_pressure_limit": np.array(limits, float),
                "schedule_times": np.asarray(self.schedule.times),
                "schedule_rates": np.asarray(self.schedule.rates),
            }
        return case

    def initial_state(self, members: int) -> Ensemble:
        """The state at time 0 that stays at rest: no CO2, brine in equilibrium.

        The pressure solves the discrete balance of the simulator, p_{k+1} − p_k = ½ (ρ_k + ρ_{k+1}) g Δz, hanging on
        the atmosphere at depth 0, so that nothing moves when nothing is injected. With brine of constant density it
        is the atmosphere plus ρ g z.

        Parameters
        ----------
        members
            Number of members M, all alike.
        """
        require(members >= 1, "members", members, "give at least one")
        column = np.empty(self.grid.shape[-1])
        above, height = ATMOSPHERE, self.grid.origin[-1] + 0.5 * self.grid.spacing[-1]
        for k in range(column.size):
            head = 0.5 * GRAVITY * height
            upper = float(self.fluids.brine_density_at(above))
            below = above + 2 * head * upper
            for _ in range(50):  # a contraction with factor ½ c ρ g Δz ≪ 1
                following = above + head * (upper + float(self.fluids.brine_density_at(below)))
                if abs(following - below) <= np.spacing(following):
                    break
                below = following
            column[k] = above = below
            height = self.grid.spacing[-1]
        shape = (members, *self.grid.shape)
        return Ensemble({"saturation": np.zeros(shape), "pressure": np.broadcast_to(column, shape).copy()}, 0.0)

    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: Callable[[int, int], None] | None = None
    ) -> Ensemble:
        return self.advance_with_report(ensemble, start, stop, progress)[0]

    def advance_with_report(
        self,
        ensemble: Ensemble,
        start: float,
        stop: float,
        progress: Callable[[int, int], None] | None = None,
        *,
        raise_on_failure: bool = False,
    ) -> tuple[Ensemble, list[MemberReport]]:
        """As :meth:`advance`, with a report per member (kept in :attr:`reports` too).

        Parameters
        ----------
        ensemble
            Fields ``saturation``, ``pressure`` [Pa] and ``permeability`` (horizontal [m²]), each ``(M, *grid.shape)``;
            others are handed on.
        start, stop
            Times [s] on the clock of the schedule.
        progress
            Called with (finished, total) members.
        raise_on_failure
            Raise when a member fails, instead of returning not-a-number for it.

        Raises
        ------
        InputError
            When a field is missing, has another shape, or values that cannot be.
        SimulationError
            When a member failed, if asked for.
        """
        fields = self._check(ensemble, start, stop)
        inputs: dict[str, Value] = {**self._case, **fields, "start": float(start), "stop": float(stop)}
        outputs = self.engine.call("run_case", inputs, progress, ensemble.size)
        reports = _reports(outputs, ensemble.size, len(self.wells))
        self.reports = tuple(reports)
        failed = [f"member {m}: {report.reason}" for m, report in enumerate(reports) if not report.converged]
        if failed and raise_on_failure:
            raise SimulationError(f"{len(failed)} of {ensemble.size} members failed.\n" + "\n".join(failed))
        shape = (ensemble.size, *self.grid.shape)
        after = {name: np.asarray(outputs[name], np.float64).reshape(shape) for name in ("saturation", "pressure")}
        return ensemble.replace(time=float(stop), **after), reports

    def _check(self, ensemble: Ensemble, start: float, stop: float) -> dict[str, NDArray[np.float64]]:
        require(
            math.isfinite(start) and math.isfinite(stop) and stop > start,
            "stop",
            stop,
            f"it must be after start = {start}",
        )
        shape = (ensemble.size, *self.grid.shape)
        fields = {}
        for name in ("saturation", "pressure", "permeability"):
            require(name in ensemble, "ensemble", ensemble.names, f"add the field {name!r}")
            array = np.ascontiguousarray(ensemble[name], np.float64)
            require(array.shape == shape, f"ensemble[{name!r}].shape", array.shape, f"it must be {shape}")
            fields[name] = array
        allowed: dict[str, tuple[Callable[[NDArray], NDArray], str]] = {
            "saturation": (lambda a: (a >= 0) & (a <= 1), "give values between 0 and 1"),
            "pressure": (np.isfinite, "give finite pressures in Pa (replace members that failed before)"),
            "permeability": (lambda a: np.isfinite(a) & (a > 0), "give positive permeabilities in m²"),
        }
        for name, (test, remedy) in allowed.items():
            good = test(fields[name])
            if not good.all():
                where = tuple(int(i) for i in np.argwhere(~good)[0])
                raise InputError(f"ensemble[{name!r}]{list(where)}", float(fields[name][where]), remedy)
        return fields

    def mass(self, ensemble: Ensemble) -> NDArray[np.float64]:
        """Mass of CO2 in place in every member [kg], ``(M,)``, edge cells with their multiplied pore volume included."""
        S, p = np.asarray(ensemble["saturation"], np.float64), np.asarray(ensemble["pressure"], np.float64)
        capillarity = self.fluids.capillarity
        p_co2 = p if capillarity is None else p + capillarity.pressure(S, self.fluids.brine_residual)
        edge = np.zeros(self.grid.shape, bool)
        for axis in range(self.grid.ndim - 1):
            if axis == 0 or self.grid.shape[axis] > 1:  # a slab one cell thick has no edges in y
                np.moveaxis(edge, axis, 0)[[0, -1]] = True
        volume = self.grid.cell_volume * np.asarray(self.rock.porosity, np.float64)
        volume = volume * np.where(edge, self.rock.edge_multiplier, 1.0)
        pores = volume * np.exp(self.rock.compressibility * (p - self.rock.reference_pressure))
        cells = pores * self.fluids.co2_density_at(p_co2) * S
        return cells.reshape(len(cells), -1).sum(axis=1)


def _reports(outputs: Mapping[str, Any], members: int, wells: int) -> list[MemberReport]:
    """The named arrays of ``run_case``, one report per member."""
    reasons = str(outputs["reason"]).split("\n")
    by_well = {
        name: np.asarray(outputs[name]).reshape(members, wells) for name in ("bottom_hole_pressure", "well_rate")
    }
    return [
        MemberReport(
            converged=int(outputs["status"][m]) == 0,
            reason=reasons[m],
            steps=int(outputs["steps"][m]),
            cuts=int(outputs["cuts"][m]),
            newton_iterations=int(outputs["newton_iterations"][m]),
            linear_iterations=int(outputs["linear_iterations"][m]),
            injected_mass=float(outputs["injected_mass"][m]),
            brine_error=float(outputs["brine_error"][m]),
            co2_error=float(outputs["co2_error"][m]),
            final_time=float(outputs["final_time"][m]),
            bottom_hole_pressure=tuple(map(float, by_well["bottom_hole_pressure"][m])),
            well_rate=tuple(map(float, by_well["well_rate"][m])),
            seconds=float(outputs["seconds"][m]),
        )
        for m in range(members)
    ]
