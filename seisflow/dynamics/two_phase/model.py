r"""Two-phase flow of CO2 (n) and brine (w): the dynamics of a storage site, solved by the Julia package TwoPhaseFlow.

    ∂/∂t(φ ρ_α S_α) + ∇·(ρ_α v_α) = q_α,   v_α = −K k_rα/μ_α (∇p_α − ρ_α g ∇z),   p_n = p_w + p_c(S_w)

State: CO2 saturation S and brine pressure p. Parameter, per member: horizontal permeability K. What the meters of a well
would say comes beside the state: the mass injected, and p_bh − p of the last step. Finite volumes, fully implicit. The parts
of a case (rock, fluids, curves, wells, steps) are in files of their own and can be imported from here.

This module describes and checks a case; the numbers are made by ``TwoPhaseFlow.run_case`` through an engine
(:class:`seisflow.dynamics.julia.engine.JuliaEngine`), whose members run in parallel and fail alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.base import Advanced, Dynamics, not_finite
from seisflow.dynamics.two_phase.capillarity import BrooksCorey, TabulatedCapillarity, VanGenuchten
from seisflow.dynamics.two_phase.case import describe_case, index_in
from seisflow.dynamics.two_phase.checks import increasing, require
from seisflow.dynamics.two_phase.curves import BrooksCoreyCurves, TabulatedCurves, VanGenuchtenCurves
from seisflow.dynamics.two_phase.engine import Engine, Value
from seisflow.dynamics.two_phase.fluids import DensityLaw, Fluids
from seisflow.dynamics.two_phase.hydrostatic import hydrostatic_column
from seisflow.dynamics.two_phase.results import Attempt, MemberReport, Trajectory, read_reports, read_trajectory
from seisflow.dynamics.two_phase.rock import Rock
from seisflow.dynamics.two_phase.stepping import StepControl
from seisflow.dynamics.two_phase.wells import Schedule, Source, Well
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError, SimulationError
from seisflow.grid import Grid
from seisflow.units import BAR

__all__ = [
    "Attempt",
    "BrooksCorey",
    "BrooksCoreyCurves",
    "DensityLaw",
    "Engine",
    "Fluids",
    "MemberReport",
    "Rock",
    "Schedule",
    "Source",
    "StepControl",
    "TabulatedCapillarity",
    "TabulatedCurves",
    "Trajectory",
    "TwoPhaseFlow",
    "VanGenuchten",
    "VanGenuchtenCurves",
    "Well",
]

PRESSURE_SWING = 100 * BAR
"""Change of pressure whose effect on brine at its residual is not taken for wrong input."""


class TwoPhaseFlow(Dynamics):
    """Two-phase flow on a grid, for ensembles with ``saturation``, ``pressure`` and ``permeability``.

    Where the fluids have a Land coefficient, an ensemble may also carry ``maximum_saturation``, the largest saturation
    each cell has had; without it the history begins with the saturation. :meth:`advance` returns it.

    Where there are wells, :meth:`advance` also returns what their meters would say: ``injected_mass`` ``(M,)``, the CO2 that
    wells and sources injected [kg], counted on from what the ensemble brings (0 without it), and ``well_overpressure``
    ``(M, wells)``, the pressure in each well at its uppermost perforation minus the brine pressure of that cell [Pa], in the
    last step; 0 in a well that takes nothing.

    Parameters
    ----------
    grid
        2-D ``(x, z)`` with a thickness, or 3-D ``(x, y, z)``; the last origin is the depth of its upper face.
    rock, fluids
        What does not differ between members.
    wells
        One well or several, or none.
    schedule
        Rates of the wells; ``None`` when there is no well.
    steps
        Time stepping; default :class:`StepControl`.
    sources
        Mass that appears in single cells, without a well.
    engine
        What runs the Julia package.

    Raises
    ------
    InputError
        When parts do not fit together: a well or a source outside the grid or in an inactive cell, rates for another
        number of wells, an infinite rate without a pressure limit, a field of the rock of another shape.
    """

    state = ("saturation", "pressure")
    remedy = "Allow smaller time steps, or check the injection rate and the pressure limit."

    def __init__(
        self,
        grid: Grid,
        rock: Rock,
        fluids: Fluids,
        wells: Well | Sequence[Well] = (),
        schedule: Schedule | None = None,
        steps: StepControl | None = None,
        sources: Source | Sequence[Source] = (),
        *,
        engine: Engine,
    ) -> None:
        self.grid = grid
        self.rock = rock
        self.fluids = fluids
        self.wells = (wells,) if isinstance(wells, Well) else tuple(wells)
        self.schedule = schedule
        self.steps = StepControl() if steps is None else steps
        self.sources = (sources,) if isinstance(sources, Source) else tuple(sources)
        self.engine = engine
        self.reports: tuple[MemberReport, ...] = ()
        """Reports of the members of the last :meth:`advance` or :meth:`forward`."""
        self._case = describe_case(grid, rock, fluids, self.wells, schedule, self.steps, self.sources)

    @property
    def injected(self) -> NDArray[np.bool_]:
        """Cells into which CO2 is brought, ``grid.shape``: those that a well perforates, and those of sources of CO2."""
        cells = [cell for well in self.wells for cell in well.cells(self.grid)]
        cells += [source.cell_in(self.grid) for source in self.sources if np.any(np.asarray(source.co2) > 0)]
        mask = np.zeros(self.grid.shape, bool)
        for cell in cells:
            mask[index_in(self.grid, cell)] = True
        return mask

    def initial_state(self, members: int) -> Ensemble:
        """The state at time 0 that stays at rest: no CO2, brine in the simulator's own hydrostatic equilibrium.

        Inactive cells have no CO2 and the pressure of their depth, too.

        Parameters
        ----------
        members
            Number of members M, all alike.
        """
        require(members >= 1, "members", members, "give at least one")
        shape = (members, *self.grid.shape)
        pressure = np.broadcast_to(hydrostatic_column(self.grid, self.fluids), shape).copy()
        return Ensemble({"saturation": np.zeros(shape), "pressure": pressure}, 0.0)

    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: MemberProgress | None = None
    ) -> Advanced:
        after, reports = self.advance_with_report(ensemble, start, stop, progress)
        given_up = {m: report.reason for m, report in enumerate(reports) if not report.converged}
        return Advanced(after, not_finite(after["saturation"]) | given_up)

    def close(self) -> None:
        self.engine.close()

    def advance_with_report(
        self,
        ensemble: Ensemble,
        start: float,
        stop: float,
        progress: MemberProgress | None = None,
        *,
        raise_on_failure: bool = False,
    ) -> tuple[Ensemble, list[MemberReport]]:
        """As :meth:`advance`, with a report per member (kept in :attr:`reports` too).

        Parameters
        ----------
        ensemble
            Fields ``saturation``, ``pressure`` [Pa] and ``permeability`` (horizontal, K_x [m²]), each
            ``(M, *grid.shape)``; others are handed on.
        start, stop
            Times [s] on the clock of the schedule.
        progress
            Called with (finished, total) members.
        raise_on_failure
            Raise when a member fails.

        Raises
        ------
        InputError
            When a field is missing, has another shape, or values that cannot be.
        SimulationError
            When a member failed, if asked for.
        """
        inputs = self._state(ensemble) | {"permeability": self._permeability(*_take(ensemble, "permeability"))}
        outputs = self._run(inputs, ensemble.size, start, stop, progress)
        failed = [f"member {m}: {report.reason}" for m, report in enumerate(self.reports) if not report.converged]
        if failed and raise_on_failure:
            raise SimulationError(f"{len(failed)} of {ensemble.size} members failed.\n" + "\n".join(failed))
        names = ["saturation", "pressure"] + (["maximum_saturation"] if self.fluids.land_coefficient else [])
        shape = (ensemble.size, *self.grid.shape)
        after = {name: np.asarray(outputs[name], np.float64).reshape(shape) for name in names}
        after |= self._metered(ensemble, after["pressure"])
        return ensemble.replace(time=float(stop), **after), list(self.reports)

    def _metered(self, before: Ensemble, pressure: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """What the meters of the wells say behind an interval; nothing without wells."""
        if not self.wells:
            return {}
        injected = np.array([report.injected_mass for report in self.reports])
        if "injected_mass" in before:
            injected += before["injected_mass"]
        bottom = np.array([report.bottom_hole_pressure for report in self.reports])
        uppermost = [well.cells(self.grid)[0] for well in self.wells]
        at = tuple(np.array([index_in(self.grid, cell) for cell in uppermost]).T)
        # A well that takes nothing is at rest with its cell: it has no pressure, or a limit below that of the cell.
        excess = np.fmax(bottom - pressure[(slice(None), *at)], 0.0)
        return {"injected_mass": injected, "well_overpressure": excess}

    def forward(
        self,
        permeability: NDArray[np.floating],
        times: Sequence[float] | NDArray,
        start: Ensemble | None = None,
        progress: MemberProgress | None = None,
    ) -> Trajectory:
        """States, masses and their errors at many times, for one permeability per member.

        Parameters
        ----------
        permeability
            K_x [m²], ``(M, *grid.shape)``.
        times
            Report times [s] on the clock of the schedule, increasing, after the start, ``(T,)``. Steps land on them;
            the last one ends the run.
        start
            Where to begin: an ensemble of M members with ``saturation`` and ``pressure``, at its own time; ``None``:
            :meth:`initial_state` at time 0.
        progress
            Called with (finished, total) members.

        Returns
        -------
        Trajectory
            Not-a-number from the failure on where a member failed; its report says why.

        Raises
        ------
        InputError
            When times do not increase or lie before the start, an array has another shape, or values that cannot be.
        """
        K = np.asarray(permeability)
        remedy = f"it must be (members, {', '.join(map(str, self.grid.shape))})"
        require(K.ndim == self.grid.ndim + 1 and K.shape[0] >= 1, "permeability.shape", K.shape, remedy)
        state = self.initial_state(K.shape[0]) if start is None else start
        remedy = f"permeability has {K.shape[0]} members: give as many"
        require(state.size == K.shape[0], "start.size", state.size, remedy)
        reports = increasing("times", times, "report times in seconds")
        require(
            reports[0] > state.time, "times", float(reports[0]), f"every time must be after the start, {state.time:g} s"
        )
        inputs = self._state(state) | {"permeability": self._permeability(K, "permeability")}
        inputs["report_times"] = reports
        outputs = self._run(inputs, K.shape[0], state.time, float(reports[-1]), progress)
        if self.fluids.land_coefficient is None:
            outputs.pop("maximum_saturation", None)
        return read_trajectory(outputs, reports, K.shape[0], self.grid.shape, self.reports)

    def masses(self, ensemble: Ensemble) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mass of brine and of CO2 in place in every member [kg], two arrays ``(M,)``.

        Cells with multiplied pore volume count with all of it, inactive ones do not.
        """
        S, p = np.asarray(ensemble["saturation"], np.float64), np.asarray(ensemble["pressure"], np.float64)
        pores = self.rock.capacity(self.grid) * np.exp(self.rock.compressibility * (p - self.rock.reference_pressure))
        S = S if self.rock.active is None else np.where(self.rock.active, S, 0.0)
        brine = pores * self.fluids.brine_density_at(p) * (1 - S)
        co2 = pores * self.fluids.co2_density_at(self.fluids.co2_pressure(S, p)) * S
        return brine.reshape(len(S), -1).sum(axis=1), co2.reshape(len(S), -1).sum(axis=1)

    def mass(self, ensemble: Ensemble) -> NDArray[np.float64]:
        """Mass of CO2 in place in every member [kg], ``(M,)``, as :meth:`masses` counts it."""
        return self.masses(ensemble)[1]

    def co2_capacity(self, pressure: NDArray) -> NDArray[np.float64]:
        """CO2 that every cell holds at saturation 1 [kg], at brine pressures ``(M, *grid.shape)`` [Pa]; the same shape.

        Cells at an open side count as they are, without the pore volume of the aquifer: CO2 there has left.
        """
        rock, p = self.rock, np.asarray(pressure, np.float64)
        pores = rock.capacity(self.grid, aquifer=False) * np.exp(rock.compressibility * (p - rock.reference_pressure))
        return pores * self.fluids.co2_density_at(p)

    def injecting(self, times: Sequence[float], masses: Sequence[float] | NDArray) -> TwoPhaseFlow:
        """The same flow whose wells inject given masses over given intervals (:meth:`Schedule.metered`), limits and all.

        Parameters
        ----------
        times
            Ends of the intervals [s], the first of which begins at 0.
        masses
            CO2 injected over each by all wells together [kg].
        """
        require(self.schedule is not None, "schedule", None, "a flow without wells injects nothing")
        schedule = self.schedule.metered(times, np.asarray(masses) / self.fluids.co2_density)  # type: ignore[union-attr]
        return TwoPhaseFlow(
            self.grid, self.rock, self.fluids, self.wells, schedule, self.steps, self.sources, engine=self.engine
        )

    def _run(
        self, inputs: dict[str, Value], members: int, start: float, stop: float, progress: MemberProgress | None
    ) -> dict[str, Any]:
        """Send a checked state to the engine; the reports are kept."""
        good = math.isfinite(start) and math.isfinite(stop) and stop > start
        require(good, "stop", stop, f"it must be after start = {start}")
        case = {**self._case, **inputs, "start": float(start), "stop": float(stop)}
        outputs = self.engine.call("run_case", case, progress, members)
        self.reports = read_reports(outputs, members, len(self.wells))
        return outputs

    def _state(self, ensemble: Ensemble) -> dict[str, Value]:
        """Saturation and pressure for the engine, checked; no CO2 in inactive cells."""
        fields: dict[str, NDArray[np.float64]] = {}
        residual = 1 - self.fluids.highest_saturation
        # immobile brine shrinks under pressure and Newton stops early: our own results must pass (Julia's bound)
        shrinking = residual * (self.rock.compressibility + self.fluids.brine_compressibility) * PRESSURE_SWING
        highest = min(1.0, 1 - residual + shrinking + 10 * float(np.max(self.steps.tolerance_residual)) + 1e-9)
        remedy = f"give values from 0 to 1 - S_wr = {1 - residual:g} (members that failed must be replaced)"
        names = ["saturation"]
        if self.fluids.land_coefficient and "maximum_saturation" in ensemble:
            names.append("maximum_saturation")
        for name in names:
            S = self._field(*_take(ensemble, name), lambda a: (a >= 0) & (a <= highest), remedy)
            fields[name] = S if self.rock.active is None else np.where(self.rock.active, S, 0.0)
        if len(names) == 2:  # an analysis may have moved the saturation beyond its history
            fields["maximum_saturation"] = np.maximum(fields["maximum_saturation"], fields["saturation"])
        remedy = "give finite pressures in Pa (members that failed must be replaced)"
        fields["pressure"] = self._field(*_take(ensemble, "pressure"), np.isfinite, remedy, everywhere=True)
        return dict(fields)

    def _permeability(self, array: NDArray[np.floating], called: str) -> NDArray[np.float64]:
        remedy = "give positive permeabilities in m²"
        return self._field(array, called, lambda a: np.isfinite(a) & (a > 0), remedy)

    def _field(
        self,
        array: NDArray[np.floating],
        called: str,
        test: Callable[[NDArray], NDArray],
        remedy: str,
        *,
        everywhere: bool = False,
    ) -> NDArray[np.float64]:
        """A field ``(M, *grid.shape)`` in float64 whose active cells (or all) pass a test."""
        values: NDArray[np.float64] = np.ascontiguousarray(array, np.float64)
        good_shape = values.shape[1:] == self.grid.shape and values.ndim == self.grid.ndim + 1
        require(good_shape, f"{called}.shape", values.shape, f"it must be {('members', *self.grid.shape)}")
        good = test(values)
        if self.rock.active is not None and not everywhere:
            good = good | ~self.rock.active
        if not good.all():
            where = tuple(int(i) for i in np.argwhere(~good)[0])
            raise InputError(f"{called}{list(where)}", float(values[where]), remedy)
        return values


def _take(ensemble: Ensemble, name: str) -> tuple[NDArray, str]:
    """A field and what an error about it calls it."""
    require(name in ensemble, "ensemble", ensemble.names, f"add the field {name!r}")
    return ensemble[name], f"ensemble[{name!r}]"
