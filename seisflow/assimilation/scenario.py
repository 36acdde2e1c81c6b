r"""A twin experiment: the parts of a study, and truth and data made in silico.

The truth is one more draw from the same prior, from a random stream that no member uses, with one draw θ° of the unknowns
that holds for all surveys:  x_k° = M(x_{k-1}°, θ°),  y_k° = H(x_k°) + e_k.

Unknowns are named fields, and two lists of names say what becomes of them. Those that are *carried* start the next forecast
from the analysed ensemble; those that are *inferred* may be moved by an analysis. A field of the prior that is carried is
drawn for the first survey, and comes from the posterior afterwards. Of the others members see no more than the prior:
either each member draws them anew for every survey interval (``"redrawn"``, the published scheme), or keeps the ones it
drew first (``"kept"``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Progress
from seisflow.dynamics.base import Advanced, Dynamics
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError, SimulationError
from seisflow.observation.base import Observation
from seisflow.prior.base import Prior
from seisflow.seeds import generator
from seisflow.storage.recorder import MemoryRecorder, Recorder, Stage

__all__ = ["Scenario", "simulate_truth"]


@dataclass(frozen=True, eq=False)
class Scenario:
    """Prior, dynamics, observation and schedule of a study.

    Parameters
    ----------
    prior
        p(θ) of the unknowns.
    dynamics
        M, of the state and the unknowns.
    observation
        H and its noise.
    survey_times
        Times of the surveys [s], increasing and positive.
    members
        Ensemble size M, 2 or more.
    seed
        Root seed; every random number of a run derives from it.
    unknowns
        Fields of the prior that are not carried: ``"redrawn"`` for every survey interval, or ``"kept"``.
    max_failed_share
        Share of the members that may fail in the simulator and be replaced, before a forecast is given up.
    carried
        Fields of the analysed ensemble that start the next forecast, those of the state among them; default: the
        dynamics' state.
    inferred
        Fields that an analysis may move; default: the dynamics' state.

    Raises
    ------
    InputError
        When a number is out of range, or the next forecast would lack a part of the state.
    """

    prior: Prior
    dynamics: Dynamics
    observation: Observation
    survey_times: tuple[float, ...]
    members: int
    seed: int
    unknowns: Literal["redrawn", "kept"] = "redrawn"
    max_failed_share: float = 0.1
    carried: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times = np.asarray(self.survey_times, float)
        if times.size == 0 or not (np.diff(times, prepend=0.0) > 0).all():
            raise InputError("survey_times", self.survey_times, "give increasing times after 0")
        if self.members < 2:
            raise InputError("members", self.members, "give at least 2")
        if self.unknowns not in ("redrawn", "kept"):
            raise InputError("unknowns", self.unknowns, 'choose "redrawn" or "kept"')
        for name in ("carried", "inferred"):
            object.__setattr__(self, name, tuple(getattr(self, name)) or self.dynamics.state)
        lacking = [name for name in self.dynamics.state if name not in self.carried]
        if lacking:
            raise InputError("carried", self.carried, f"the next forecast starts from {', '.join(lacking)}, too")

    @property
    def surveys(self) -> int:
        """Number of surveys."""
        return len(self.survey_times)

    @property
    def analysed(self) -> tuple[str, ...]:
        """Fields of an analysed ensemble: those that are inferred, and those that are carried besides."""
        return self.inferred + tuple(name for name in self.carried if name not in self.inferred)

    def interval(self, survey: int) -> tuple[float, float]:
        """Start and stop of the interval that ends at a survey [s]; surveys count from 0."""
        return (0.0 if survey == 0 else self.survey_times[survey - 1]), self.survey_times[survey]

    def drawn(self, survey: int) -> tuple[str, ...]:
        """Fields that the prior draws for a survey interval: all for the first, later those that are not carried."""
        return tuple(name for name in self.prior.fields if survey == 0 or name not in self.carried)

    def draw(self, survey: int, members: Sequence[int] | NDArray, attempt: int = 0) -> Mapping[str, NDArray]:
        """The fields that the prior draws for one interval, for the given members, each ``(len(members), ...)``."""
        names = self.drawn(survey)
        if not names:
            return {}
        step = survey if self.unknowns == "redrawn" else 0
        stage = self.prior.name if attempt == 0 else f"{self.prior.name}, attempt {attempt}"
        return self.prior.draw([generator(self.seed, stage, step, int(m)) for m in members]).select(names).fields

    def starts(self, survey: int, members: Sequence[int], attempt: int, size: int) -> tuple[int, ...]:
        """Numbers of the members whose states the given members start an interval from, in an ensemble of a size.

        Their own. A member that failed, and for which nothing is drawn anew, starts from another one's, which is chosen
        afresh at every attempt.
        """
        if attempt == 0 or self.drawn(survey):
            return tuple(int(m) for m in members)
        stage = f"replacement, attempt {attempt}"
        steps = [generator(self.seed, stage, survey, int(m)).integers(1, max(size, 2)) for m in members]
        return tuple((int(m) + int(step)) % size for m, step in zip(members, steps, strict=True))

    def forecast_members(
        self,
        state: Ensemble,
        survey: int,
        members: Sequence[int],
        attempt: int = 0,
        progress: MemberProgress | None = None,
    ) -> Advanced:
        """Advance some members to a survey, with what the prior draws for them.

        Parameters
        ----------
        state
            The states at the survey before that they start from.
        survey
            Index of the survey they go to, from 0.
        members
            Their numbers, by which their unknowns are drawn.
        attempt
            How often they have failed: every attempt has draws of its own.
        progress
            Called with (finished, total) members.

        Returns
        -------
        Advanced
            Their new states, and their positions in ``members`` that failed, with the simulator's reason.
        """
        begun = Ensemble({**state.fields, **self.draw(survey, members, attempt)}, state.time)
        return self.dynamics.advance(begun, *self.interval(survey), progress)

    def forecast(self, state: Ensemble, survey: int, progress: MemberProgress | None = None) -> Stage:
        """Advance the last survey's posterior to the next, as :func:`seisflow.assimilation.members.forecast` does."""
        from seisflow.assimilation.members import forecast

        compute = partial(forecast, self, Stage(state), survey, progress=progress)
        return MemoryRecorder().fill("forecast", state.size, self.survey_times[survey], compute)

    def close(self) -> None:
        """End the worker processes of the parts; they start again when needed."""
        self.observation.close()
        self.dynamics.close()


def simulate_truth(
    scenario: Scenario,
    recorder: Recorder,
    progress: Progress | None = None,
    surveys: int | None = None,
) -> tuple[list[Ensemble], list[Ensemble]]:
    """True states and noisy data of every survey, or of the first few; data that are recorded already stay.

    Returns
    -------
    truth, observed
        One ensemble of one member per survey; the truth carries its unknowns.
    """
    unknowns = scenario.prior.draw([generator(scenario.seed, "truth")])
    state = Ensemble({**scenario.dynamics.initial_state(1).fields, **unknowns.fields}, 0.0)
    truth: list[Ensemble] = []
    observed: list[Ensemble] = []
    surveys = scenario.surveys if surveys is None else surveys
    if progress:
        progress("truth and data", 0, surveys)
    for k in range(surveys):
        state = recorder.stage(f"truth/survey_{k + 1}", partial(_true_state, scenario, state, k)).ensemble
        truth.append(state)
        observed.append(recorder.stage(f"observed/survey_{k + 1}", partial(_datum, scenario, state, k)).ensemble)
        if progress:
            progress("truth and data", k + 1, surveys)
    return truth, observed


def _true_state(scenario: Scenario, before: Ensemble, survey: int) -> Stage:
    """The truth, advanced to a survey."""
    advanced = scenario.dynamics.advance(before, *scenario.interval(survey))
    for reason in advanced.failed.values():
        raise SimulationError(
            f"the truth (seed {scenario.seed}) failed in the simulator; choose another seed. {reason}"
        )
    return Stage(advanced.ensemble)


def _datum(scenario: Scenario, truth: Ensemble, survey: int) -> Stage:
    """The noisy data of a survey."""
    return Stage(scenario.observation.observe(truth, generator(scenario.seed, "data noise", survey)))
