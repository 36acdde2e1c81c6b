r"""A twin experiment: the parts of a study, and truth and data made in silico.

The truth is one more draw from the same prior, from a random stream that no member uses, with one permeability that holds
for all surveys:  x_k° = M(x_{k-1}°, K°),  y_k° = H(x_k°) + e_k.

Members see K through the prior only. Either each member draws K anew for every survey interval (``"redrawn"``, the published
scheme), or keeps the one it drew first (``"kept"``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.base import Dynamics
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SimulationError
from seisflow.observation.base import Observation
from seisflow.prior.permeability import PermeabilityPrior
from seisflow.seeds import generator
from seisflow.store import Recorder, Stage

__all__ = ["Scenario", "simulate_truth"]

RETRIES = 3
"""How often a member that failed in the simulator is given a fresh permeability."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """Prior, dynamics, observation and schedule of a study.

    Parameters
    ----------
    prior
        p(K).
    dynamics
        M, with fields ``saturation``, ``pressure`` and ``permeability``.
    observation
        H and its noise.
    survey_times
        Times of the surveys [s], increasing and positive.
    members
        Ensemble size M, 2 or more.
    seed
        Root seed; every random number of a run derives from it.
    permeability
        ``"redrawn"`` for every survey interval, or ``"kept"``.
    max_failed_share
        Share of the members that may fail in the simulator and be replaced by fresh draws, before a forecast is given up.
    """

    prior: PermeabilityPrior
    dynamics: Dynamics
    observation: Observation
    survey_times: tuple[float, ...]
    members: int
    seed: int
    permeability: Literal["redrawn", "kept"] = "redrawn"
    max_failed_share: float = 0.1

    def __post_init__(self) -> None:
        times = np.asarray(self.survey_times, float)
        if times.size == 0 or not (np.diff(times, prepend=0.0) > 0).all():
            raise InputError("survey_times", self.survey_times, "give increasing times after 0")
        if self.members < 2:
            raise InputError("members", self.members, "give at least 2")
        if self.permeability not in ("redrawn", "kept"):
            raise InputError("permeability", self.permeability, 'choose "redrawn" or "kept"')

    @property
    def surveys(self) -> int:
        """Number of surveys."""
        return len(self.survey_times)

    def interval(self, survey: int) -> tuple[float, float]:
        """Start and stop of the interval that ends at a survey [s]; surveys count from 0."""
        return (0.0 if survey == 0 else self.survey_times[survey - 1]), self.survey_times[survey]

    def draw_permeability(self, survey: int, members: NDArray, attempt: int = 0) -> NDArray[np.float64]:
        """K of the given members for one interval [m²], ``(len(members), *grid.shape)``."""
        step = survey if self.permeability == "redrawn" else 0
        stage = "permeability" if attempt == 0 else f"permeability, attempt {attempt}"
        return self.prior.ensemble([generator(self.seed, stage, step, int(m)) for m in members])

    def forecast(self, state: Ensemble, survey: int, progress: Callable[[int, int], None] | None = None) -> Stage:
        """Advance the posterior of the last survey to the next one, K drawn from the prior.

        Members that fail in the simulator are run again with a fresh K, up to the stated share; the stage's attributes
        say which.

        Raises
        ------
        SimulationError
            When more members fail than may, or one fails again and again.
        """
        start, stop = self.interval(survey)
        everyone = np.arange(state.size)
        begun = state.replace(permeability=self.draw_permeability(survey, everyone))
        result = self.dynamics.advance(begun, start, stop, progress)
        fields = {name: result[name].copy() for name in result.names}
        replaced: list[dict[str, int]] = []
        for attempt in range(1, RETRIES + 1):
            failed = everyone[~np.isfinite(fields["saturation"]).reshape(state.size, -1).all(axis=1)]
            if failed.size == 0:
                return Stage(Ensemble(fields, stop), {"replaced_members": replaced})
            if failed.size > self.max_failed_share * state.size:
                break
            replaced += [{"member": int(m), "attempt": attempt} for m in failed]
            again = begun.members(failed).replace(permeability=self.draw_permeability(survey, failed, attempt))
            rerun = self.dynamics.advance(again, start, stop)
            for name in result.names:
                fields[name][failed] = rerun[name]
        failed = everyone[~np.isfinite(fields["saturation"]).reshape(state.size, -1).all(axis=1)]
        raise SimulationError(
            f"{failed.size} of {state.size} members failed on the way to survey {survey + 1}, "
            f"{failed[:8].tolist()} among them; at most {self.max_failed_share:.0%} may. "
            "Allow smaller time steps, or check the injection rate and the pressure limit."
        )


def simulate_truth(
    scenario: Scenario, recorder: Recorder, progress: Callable[[str, int, int], None] | None = None
) -> tuple[list[Ensemble], list[Ensemble]]:
    """True states and noisy data of every survey.

    Returns
    -------
    truth, observed
        One ensemble of one member per survey; the truth carries its ``permeability``.
    """
    permeability = scenario.prior.ensemble([generator(scenario.seed, "truth")])
    state = scenario.dynamics.initial_state(1).replace(permeability=permeability)
    truth: list[Ensemble] = []
    observed: list[Ensemble] = []
    if progress:
        progress("truth and data", 0, scenario.surveys)
    for k in range(scenario.surveys):
        start, stop = scenario.interval(k)

        def advance(state: Ensemble = state, start: float = start, stop: float = stop) -> Stage:
            result = scenario.dynamics.advance(state, start, stop)
            if not np.isfinite(result["saturation"]).all():
                raise SimulationError(
                    f"the truth (seed {scenario.seed}) failed in the flow simulator; choose another seed."
                )
            return Stage(result)

        state = recorder.stage(f"truth/survey_{k + 1}", advance).ensemble

        def observe(state: Ensemble = state, k: int = k) -> Stage:
            return Stage(scenario.observation.observe(state, generator(scenario.seed, "data noise", k)))

        truth.append(state)
        observed.append(recorder.stage(f"observed/survey_{k + 1}", observe).ensemble)
        if progress:
            progress("truth and data", k + 1, scenario.surveys)
    return truth, observed
