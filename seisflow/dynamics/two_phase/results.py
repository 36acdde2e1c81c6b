"""What comes back from the simulator: a report per member, and states at many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble

__all__ = ["Attempt", "MemberReport", "Trajectory"]


class Attempt(NamedTuple):
    """One attempt at a time step."""

    time: float
    """Where it began [s]."""
    length: float
    """Its length Δt [s]."""
    newton: int
    """Newton iterations."""
    linear: int
    """Iterations of the linear solver in all of them."""
    accepted: bool
    """Whether it converged; otherwise a shorter one follows, or the member fails."""


@dataclass(frozen=True)
class MemberReport:
    """What happened to one member on its way.

    Parameters
    ----------
    converged, reason
        Whether it arrived, and why not.
    steps, cuts, newton_iterations, linear_iterations
        Steps taken, steps repeated, iterations (those of repeated steps included).
    local_iterations
        Newton iterations on the front alone, between those of the whole field.
    injected_mass, injected_brine_mass
        CO2 and brine that wells and sources injected [kg].
    brine_error, co2_error
        Change of mass in place minus mass injected [kg].
    final_time
        Time reached [s].
    bottom_hole_pressure, well_rate
        Of every well in the last step [Pa], [kg/s]; the pressure of a shut well is not-a-number.
    seconds
        Time the computation took [s].
    history
        Every attempted step, in order.
    """

    converged: bool
    reason: str
    steps: int
    cuts: int
    newton_iterations: int
    linear_iterations: int
    local_iterations: int
    injected_mass: float
    injected_brine_mass: float
    brine_error: float
    co2_error: float
    final_time: float
    bottom_hole_pressure: tuple[float, ...]
    well_rate: tuple[float, ...]
    seconds: float
    history: tuple[Attempt, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """States and masses of an ensemble at report times; not-a-number after a member has failed.

    Parameters
    ----------
    times
        Report times [s], ``(T,)``.
    saturation, pressure, co2_pressure
        S, p_w [Pa] and p_n = p_w + p_c(S) [Pa], each ``(M, T, *grid.shape)``.
    brine_mass, co2_mass
        In place [kg], cells of multiplied pore volume included, ``(M, T)``.
    brine_injected, co2_injected
        Since the start [kg], ``(M, T)``.
    brine_error, co2_error
        Change of mass in place since the start minus mass injected [kg], ``(M, T)``. They are summed from changes per
        cell: where an aquifer holds 10⁶ pore volumes, the difference of two ``brine_mass`` is less exact.
    reports
        One per member.
    maximum_saturation
        Largest saturation that each cell has had up to the last time, ``(M, *grid.shape)``, with trapping.
    """

    times: NDArray[np.float64]
    saturation: NDArray[np.float64]
    pressure: NDArray[np.float64]
    co2_pressure: NDArray[np.float64]
    brine_mass: NDArray[np.float64]
    co2_mass: NDArray[np.float64]
    brine_injected: NDArray[np.float64]
    co2_injected: NDArray[np.float64]
    brine_error: NDArray[np.float64]
    co2_error: NDArray[np.float64]
    reports: tuple[MemberReport, ...]
    maximum_saturation: NDArray[np.float64] | None = None

    def last(self) -> Ensemble:
        """The state at the last report time, from which a run can go on."""
        state = {"saturation": self.saturation[:, -1], "pressure": self.pressure[:, -1]}
        if self.maximum_saturation is not None:
            state["maximum_saturation"] = self.maximum_saturation
        return Ensemble(state, float(self.times[-1]))


def read_trajectory(
    outputs: Mapping[str, Any], times: NDArray, members: int, shape: tuple[int, ...], reports: tuple[MemberReport, ...]
) -> Trajectory:
    """The ``report_…`` arrays of ``run_case``."""

    def take(name: str, *of_cell: int) -> NDArray[np.float64]:
        return np.asarray(outputs[f"report_{name}"], np.float64).reshape(members, times.size, *of_cell)

    maximum = outputs.get("maximum_saturation")
    return Trajectory(
        times=times,
        saturation=take("saturation", *shape),
        pressure=take("pressure", *shape),
        co2_pressure=take("co2_pressure", *shape),
        brine_mass=take("brine_mass"),
        co2_mass=take("co2_mass"),
        brine_injected=take("brine_injected"),
        co2_injected=take("co2_injected"),
        brine_error=take("brine_error"),
        co2_error=take("co2_error"),
        reports=reports,
        maximum_saturation=None if maximum is None else np.asarray(maximum, np.float64).reshape(members, *shape),
    )


def read_reports(outputs: Mapping[str, Any], members: int, wells: int) -> tuple[MemberReport, ...]:
    """The named arrays of ``run_case``, one report per member."""
    reasons = str(outputs["reason"]).split("\n")
    by_well = {
        name: np.asarray(outputs[name]).reshape(members, wells) for name in ("bottom_hole_pressure", "well_rate")
    }
    histories = _read_histories(outputs, members)
    return tuple(
        MemberReport(
            converged=int(outputs["status"][m]) == 0,
            reason=reasons[m],
            steps=int(outputs["steps"][m]),
            cuts=int(outputs["cuts"][m]),
            newton_iterations=int(outputs["newton_iterations"][m]),
            linear_iterations=int(outputs["linear_iterations"][m]),
            local_iterations=int(outputs["local_iterations"][m]),
            injected_mass=float(outputs["injected_mass"][m]),
            injected_brine_mass=float(outputs["injected_brine"][m]),
            brine_error=float(outputs["brine_error"][m]),
            co2_error=float(outputs["co2_error"][m]),
            final_time=float(outputs["final_time"][m]),
            bottom_hole_pressure=tuple(map(float, by_well["bottom_hole_pressure"][m])),
            well_rate=tuple(map(float, by_well["well_rate"][m])),
            seconds=float(outputs["seconds"][m]),
            history=histories[m],
        )
        for m in range(members)
    )


def _read_histories(outputs: Mapping[str, Any], members: int) -> list[tuple[Attempt, ...]]:
    """The flat histories of ``run_case``, cut at the members."""
    columns = [
        np.asarray(outputs[f"history_{name}"]).tolist() for name in ("time", "step", "newton", "linear", "accepted")
    ]
    rows = [Attempt(t, dt, int(n), int(k), bool(ok)) for t, dt, n, k, ok in zip(*columns, strict=True)]
    ends = np.cumsum(np.asarray(outputs["history_count"])).tolist()
    return [tuple(rows[first:last]) for first, last in zip([0, *ends[:-1]], ends, strict=True)][:members]
