r"""A twin experiment: the parts of a study, and truth and data made in silico.

The truth is one more draw from the same prior, from a random stream that no member uses, with one permeability that holds
for all surveys:  x_k° = M(x_{k-1}°, K°),  y_k° = H(x_k°) + e_k.

Members see K through the prior only. Either each member draws K anew for every survey interval (``"redrawn"``, the published
scheme), or keeps the one it drew first (``"kept"``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from seisflow.storage.recorder import Memory, Recorder, Stage

__all__ = ["Scenario", "simulate_truth"]


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

    def forecast_members(
        self,
        state: Ensemble,
        survey: int,
        members: Sequence[int],
        attempt: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Ensemble, dict[int, str]]:
        """Advance some members to a survey, K drawn from the prior.

        Parameters
        ----------
        state
            Their states at the survey before.
        survey
            Index of the survey they go to, from 0.
        members
            Their numbers, by which their permeability is drawn.
        attempt
            How often they have failed: every attempt has a permeability of its own.
        progress
            Called with (finished, total) members.

        Returns
        -------
        advanced, failed
            Their new states, and for members that failed (their numbers are not finite) the simulator's reason.
        """
        numbers = np.asarray(members)
        begun = state.replace(permeability=self.draw_permeability(survey, numbers, attempt))
        result = self.dynamics.advance(begun, *self.interval(survey), progress)
        finite = np.isfinite(result["saturation"]).reshape(len(numbers), -1).all(axis=1)
        reports = getattr(self.dynamics, "reports", ())
        failed = {}
        for i in np.flatnonzero(~finite):
            known = len(reports) == len(numbers) and not reports[i].converged
            failed[int(numbers[i])] = str(reports[i].reason) if known else "the result is not a finite number"
        return result, failed

    def forecast(self, state: Ensemble, survey: int, progress: Callable[[int, int], None] | None = None) -> Stage:
        """Advance the last survey's posterior to the next, as :func:`seisflow.assimilation.members.forecast` does."""
        from seisflow.assimilation.members import forecast

        return Memory().fill(
            "forecast",
            state.size,
            self.survey_times[survey],
            lambda draft: forecast(self, Stage(state), survey, draft, progress=progress),
        )


def simulate_truth(
    scenario: Scenario,
    recorder: Recorder,
    progress: Callable[[str, int, int], None] | None = None,
    surveys: int | None = None,
) -> tuple[list[Ensemble], list[Ensemble]]:
    """True states and noisy data of every survey, or of the first few; data that are recorded already stay.

    Returns
    -------
    truth, observed
        One ensemble of one member per survey; the truth carries its ``permeability``.
    """
    permeability = scenario.prior.ensemble([generator(scenario.seed, "truth")])
    state = scenario.dynamics.initial_state(1).replace(permeability=permeability)
    truth: list[Ensemble] = []
    observed: list[Ensemble] = []
    surveys = scenario.surveys if surveys is None else surveys
    if progress:
        progress("truth and data", 0, surveys)
    for k in range(surveys):
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
            progress("truth and data", k + 1, surveys)
    return truth, observed
