r"""How time is stepped: backward Euler, Newton's iteration, steps that grow and are cut, or steps given one by one.

Converged is a step in which every cell balances, |R_α| Δt ≤ ε_r pore volumes, and every phase as a whole,
|Σ R_α| Δt ≤ ε_m of the mass injected in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.checks import increasing, positive, require
from seisflow.dynamics.two_phase.engine import Value
from seisflow.errors import InputError
from seisflow.units import DAY

__all__ = ["StepControl"]

PLAIN = ("maximum", "minimum", "growth", "cut", "max_cuts", "max_newton", "max_local", "max_saturation_change")


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
        Cuts of one step after which a member is given up.
    max_newton
        Newton iterations after which a step has failed.
    max_local
        Newton iterations on the advancing front alone that may follow one of the whole field; 0: none.
    max_saturation_change
        Largest change of a saturation in one Newton iteration.
    tolerance_residual
        ε_r, largest imbalance of a cell in a step, in pore volumes: a number, or (brine, CO2).
    tolerance_mass
        ε_m, largest imbalance of a phase in a step, relative to the mass injected in it: a number, or (brine, CO2).
    solver
        ``"cpr"``: GMRES with a two-stage preconditioner (multigrid on a pressure equation, then incomplete
        factorisation of the whole system). ``"direct"``: sparse factorisation, slow. ``"auto"``: the former, and the
        latter for systems on which it does not converge, where that is affordable.
    linear_tolerance
        Relative residual at which GMRES stops; ``None``: 10⁻³.
    ends
        Times at which steps end [s], increasing, on the clock of the schedule: steps then end there (and where rates
        change, at report times and at the stop) and nowhere else, as long as they converge; one that fails is cut.
        Those outside of a run do not matter to it. ``None``: the steps are chosen.

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
    max_local: int = 8
    max_saturation_change: float = 0.2
    tolerance_residual: float | tuple[float, float] = 1e-5
    tolerance_mass: float | tuple[float, float] = 1e-9
    solver: Literal["auto", "cpr", "direct"] = "auto"
    linear_tolerance: float | None = None
    ends: Sequence[float] | NDArray | None = None

    def __post_init__(self) -> None:
        if self.initial is not None:
            positive("steps.initial", self.initial, " in seconds, or None")
        for name in ("maximum", "minimum", "max_saturation_change"):
            positive(f"steps.{name}", getattr(self, name), "")
        for name in ("tolerance_residual", "tolerance_mass"):
            object.__setattr__(self, name, _one_or_two(f"steps.{name}", getattr(self, name)))
        require(self.minimum <= self.maximum, "steps.minimum", self.minimum, "it must not exceed steps.maximum")
        require(self.growth >= 1, "steps.growth", self.growth, "give a factor of 1 or more")
        require(0 < self.cut < 1, "steps.cut", self.cut, "give a factor between 0 and 1")
        require(self.max_cuts >= 0, "steps.max_cuts", self.max_cuts, "give 0 or more")
        require(self.max_newton >= 1, "steps.max_newton", self.max_newton, "give at least 1")
        require(self.max_local >= 0, "steps.max_local", self.max_local, "give 0 or more")
        if self.solver not in ("auto", "cpr", "direct"):
            raise InputError("steps.solver", self.solver, 'give "auto", "cpr" or "direct"')
        if self.linear_tolerance is not None:
            remedy = "give a value between 0 and 1, or None"
            require(0 < self.linear_tolerance < 1, "steps.linear_tolerance", self.linear_tolerance, remedy)
        if self.ends is not None:
            ends = increasing("steps.ends", self.ends, "times in seconds")
            object.__setattr__(self, "ends", tuple(map(float, ends)))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes the steps."""
        inputs: dict[str, Value] = {f"step_{name}": getattr(self, name) for name in PLAIN}
        for name in ("tolerance_residual", "tolerance_mass"):
            value = getattr(self, name)
            inputs[f"step_{name}"] = np.array(value) if isinstance(value, tuple) else value
        if self.linear_tolerance is not None:
            inputs["linear_tolerance"] = self.linear_tolerance
        if self.ends is not None:
            inputs["step_ends"] = np.array(self.ends)
        return {**inputs, "step_initial": self.initial or 0.0, "solver": self.solver}


def _one_or_two(argument: str, value: float | Sequence[float]) -> float | tuple[float, float]:
    values = tuple(float(v) for v in np.atleast_1d(value))
    good = len(values) in (1, 2) and all(math.isfinite(v) and v > 0 for v in values)
    require(good, argument, value, "give one positive number, or two: (brine, CO2)")
    return values[0] if len(values) == 1 else (values[0], values[1])
