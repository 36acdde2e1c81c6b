"""What an analysis is given for H: states of its own are predicted with what the forecast's members have beside theirs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.assimilation.loop import assimilate
from seisflow.assimilation.scenario import simulate_truth
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.storage.recorder import MemoryRecorder
from tests.toy import ToyObservation, toy


class Beside(ToyObservation):
    """The first column of S plus the first of K, which is no part of the state."""

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        both = ensemble["saturation"][:, 0] + ensemble["permeability"][:, 0]
        return Ensemble({"log": both.astype(np.float32)}, ensemble.time)


@dataclass(frozen=True)
class Asks(Analysis):
    """Predicts the forecast itself, and twice as many states and one."""

    name: str = "asks"
    seen: list[np.ndarray] = field(default_factory=list)

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        assert "permeability" not in forecast
        self.seen.append(evidence.predict(forecast)["log"] - evidence.predicted["log"])
        numbers = [*range(forecast.size), *range(forecast.size), 0]
        self.seen.append(evidence.predict(forecast.members(numbers))["log"] - evidence.predicted["log"][numbers])
        return Posterior(forecast)


def test_that_states_are_predicted_with_what_the_members_have_beside_theirs():
    scenario = replace(toy(5), observation=Beside())
    _, observed = simulate_truth(scenario, MemoryRecorder())
    assimilate(scenario, observed, analysis := Asks())
    assert len(analysis.seen) == 4
    assert not any(difference.any() for difference in analysis.seen)
