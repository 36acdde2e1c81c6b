r"""The loop.

x_0 ← state at rest
for every survey k:
    forecast   x_k^f = M(x_{k-1}, θ),  θ ~ p(θ)
    predict    H(x_k^f)
    analyse    x_k ~ p(x_k | y_{1:k}°)        by any :class:`~seisflow.analysis.Analysis`
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from seisflow.analysis.base import Analysis, Evidence, Progress
from seisflow.assimilation.executors import LocalWorkers, Workers
from seisflow.assimilation.members import forecast, predict
from seisflow.assimilation.scenario import Scenario
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.seeds import generator
from seisflow.storage.recorder import MemoryRecorder, Recorder, Stage

__all__ = ["Step", "assimilate"]


@dataclass(frozen=True, eq=False)
class Step:
    """One survey of one analysis: the three stages as they were recorded (arrays, numbers, seconds)."""

    forecast: Stage
    predicted: Stage | None
    posterior: Stage


def assimilate(
    scenario: Scenario,
    observed: list[Ensemble],
    analysis: Analysis,
    recorder: Recorder | None = None,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> list[Step]:
    """Follow the state through all surveys with one analysis.

    Parameters
    ----------
    scenario
        Prior, dynamics, observation, schedule.
    observed
        The data y_k°, one ensemble of one member per survey.
    analysis
        How the forecast is conditioned on the data.
    recorder
        Where finished stages are kept and looked up (default: in memory). Analyses that share a recorder share the first
        survey's forecast and predicted data, which do not depend on them.
    progress
        Called as ``progress(what, done, total)``.
    workers
        Who computes members; default: this process.

    Returns
    -------
    list[Step]
        One per survey.
    """
    chain = _Chain(scenario, analysis, recorder or MemoryRecorder(), workers or LocalWorkers(), progress)
    state, steps = chain.start(), []
    for k, datum in enumerate(observed):
        ahead = chain.forecast(k, state)
        predicted = chain.predict(k, ahead) if analysis.uses_data else None
        state = chain.analyse(k, ahead, predicted, datum)
        steps.append(Step(ahead, predicted, state))
    return steps


@dataclass(frozen=True, eq=False)
class _Chain:
    """The stages of one analysis, each computed unless the recorder has it."""

    scenario: Scenario
    analysis: Analysis
    recorder: Recorder
    workers: Workers
    progress: Progress | None

    def start(self) -> Stage:
        """The state at rest; it stands for all members."""
        return Stage(self.scenario.dynamics.initial_state(1))

    def forecast(self, k: int, state: Stage) -> Stage:
        """x_k^f of all members, from the posterior of the survey before."""
        told = self._counted("forecast", k)
        compute = partial(forecast, self.scenario, state, k, workers=self.workers, progress=told)
        return self.recorder.fill(self._shared(k, "forecast"), self.scenario.members, self._time(k), compute)

    def predict(self, k: int, ahead: Stage) -> Stage:
        """H(x_k^f) of all members."""
        told = self._counted("predicted data", k)
        compute = partial(predict, self.scenario, ahead, k, workers=self.workers, progress=told)
        return self.recorder.fill(self._shared(k, "predicted"), self.scenario.members, self._time(k), compute)

    def analyse(self, k: int, ahead: Stage, predicted: Stage | None, datum: Ensemble) -> Stage:
        """x_k of all members: the forecast itself, where the analysis does not look at data."""
        compute = partial(self._posterior, k, ahead.ensemble, predicted.ensemble if predicted else None, datum)
        return self.recorder.stage(self._own(k, "posterior"), compute)

    def _posterior(self, k: int, ahead: Ensemble, predicted: Ensemble | None, datum: Ensemble) -> Stage:
        scenario = self.scenario
        if predicted is None:
            return Stage(ahead.select(scenario.analysed))
        state = ahead.select(scenario.inferred)
        simulated, data = scenario.observation.refer(ahead, predicted, datum)
        evidence = Evidence(simulated, data, scenario.observation.noise, partial(self._operator, ahead))
        random = generator(scenario.seed, f"analysis {self.analysis.name}", k)
        told = self.progress and partial(self._tell, k)
        posterior = self._resumable(k).update(state, evidence, random, told)
        added = [name for name in posterior.ensemble.names if name not in state]
        if added:  # weights or windows that travel with the members: nothing here would carry them on
            raise InputError(
                "analysis", self.analysis.name, f"it adds {', '.join(added)} to the members, which no stage keeps"
            )
        moved = Ensemble({**ahead.fields, **posterior.ensemble.fields}, ahead.time)
        return Stage(moved.select(scenario.analysed), {"statistics": posterior.statistics}, posterior.weights)

    def _operator(self, ahead: Ensemble, members: Ensemble) -> Ensemble:
        """H of any states, relative to the same reference as the predicted data of the forecast.

        What a member has beside its state, and H may need, the states take from the forecast's members, one after the other.
        """
        observation = self.scenario.observation
        beside = ahead.members([i % ahead.size for i in range(members.size)])
        whole = Ensemble({**beside.fields, **members.fields}, members.time)
        return observation.refer(ahead, observation.predict(whole))[0]

    def _resumable(self, k: int) -> Analysis:
        """The analysis, with a folder for what it needs to go on after an interruption, where there is one."""
        folder = self.recorder.scratch(self._own(k, "posterior"))
        return self.analysis if folder is None else self.analysis.resumable(folder)

    def _time(self, k: int) -> float:
        return self.scenario.survey_times[k]

    def _own(self, k: int, stage: str) -> str:
        return f"{self.analysis.name}/survey_{k + 1}/{stage}"

    def _shared(self, k: int, stage: str) -> str:
        """The name of a stage that all analyses share at the first survey."""
        return f"first/survey_1/{stage}" if k == 0 else self._own(k, stage)

    def _counted(self, what: str, k: int) -> MemberProgress | None:
        return self.progress and partial(self.progress, f"{what}, survey {k + 1}")

    def _tell(self, k: int, what: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(f"{what}, survey {k + 1}", done, total)
