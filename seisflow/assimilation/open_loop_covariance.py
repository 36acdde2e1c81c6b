r"""The covariance of an open loop with members of its own, for analyses whose covariance must not come from the forecast.

    x_k = M(x_{k-1}, θ),  θ ~ p(θ),      B_k = sample covariance of the x_k,  with its image in data space from H(x_k).

The streams of these members are nobody else's, so B_k is independent of truth, data and forecast. Surveys are computed when
first asked for, and remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.assimilation.scenario import Scenario
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.seeds import integer_seed

__all__ = ["OpenLoopCovariance"]


@dataclass(frozen=True, eq=False)
class OpenLoopCovariance:
    """Prior covariance of the state at each survey time.

    Parameters
    ----------
    scenario
        Of the study.
    members
        Size of the open loop, 2 or more: the rank of B_k is one less.
    fields
        Fields that the covariance is of; default: those that the scenario infers.
    scale
        Factor on B_k.
    """

    scenario: Scenario
    members: int = 32
    fields: tuple[str, ...] = ()
    scale: float = 1.0
    _states: list[Ensemble] = field(default_factory=list, init=False, repr=False)
    _covariances: dict[int, StaticCovariance] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise InputError("members", self.members, "give at least 2")
        object.__setattr__(self, "fields", tuple(self.fields) or self.scenario.inferred)

    def __call__(self, forecast: Ensemble) -> StaticCovariance:
        """B_k and its image, at the time of a forecast.

        Raises
        ------
        InputError
            When that is not the time of a survey.
        """
        times = np.asarray(self.scenario.survey_times)
        survey = int(np.abs(times - forecast.time).argmin())
        if not np.isclose(times[survey], forecast.time):
            raise InputError("forecast.time", forecast.time, f"the surveys are at {times.tolist()} s")
        if survey not in self._covariances:
            states = self._open_loop(survey)
            predicted = self.scenario.observation.predict(states)
            self._covariances[survey] = StaticCovariance.of(states.select(self.fields), predicted, self.scale)
        return self._covariances[survey]

    def _open_loop(self, survey: int) -> Ensemble:
        seed = integer_seed(self.scenario.seed, "climatology")
        own = replace(self.scenario, seed=seed, members=self.members)
        while len(self._states) <= survey:
            done = len(self._states)
            state = self._states[-1] if done else own.dynamics.initial_state(self.members)
            if done:  # no analysis changes their past: they carry all that is not drawn anew
                own = replace(own, carried=tuple(name for name in state.names if name not in own.drawn(done)))
            self._states.append(own.forecast(state, done).ensemble)
        return self._states[survey]
