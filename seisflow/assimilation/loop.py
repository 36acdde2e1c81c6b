r"""The loop.

x_0 ← state at rest
for every survey k:
    forecast   x_k^f = M(x_{k-1}, K),  K ~ p(K)
    predict    H(x_k^f)
    analyse    x_k ~ p(x_k | y_{1:k}°)        by any :class:`~seisflow.analysis.Analysis`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seisflow.analysis.base import Analysis, Evidence
from seisflow.assimilation.executors import Crew
from seisflow.assimilation.members import forecast, predict
from seisflow.assimilation.scenario import Scenario
from seisflow.ensemble import Ensemble
from seisflow.seeds import generator
from seisflow.storage.draft import Draft
from seisflow.storage.recorder import Memory, Recorder, Stage

__all__ = ["Step", "assimilate"]

Progress = Callable[[str, int, int], None]


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
    crew: Crew | None = None,
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
    crew
        Who computes members; default: this process.

    Returns
    -------
    list[Step]
        One per survey.
    """
    recorder = recorder or Memory()
    M = scenario.members
    state = Stage(scenario.dynamics.initial_state(1))  # stands for all members
    steps = []
    for k in range(len(observed)):
        chain = "first" if k == 0 else analysis.name
        when = scenario.survey_times[k]

        def report(what: str, k: int = k) -> Callable[[int, int], None] | None:
            return (lambda done, total: progress(f"{what}, survey {k + 1}", done, total)) if progress else None

        def advance(draft: Draft, state: Stage = state, k: int = k, report: Callable = report) -> dict[str, Any]:
            return forecast(scenario, state, k, draft, crew, report("two-phase flow"))

        ahead = recorder.fill(f"{chain}/survey_{k + 1}/forecast", M, when, advance)

        def simulate(draft: Draft, ahead: Stage = ahead, k: int = k, report: Callable = report) -> dict[str, Any]:
            return predict(scenario, ahead, k, draft, crew, report("waves and images"))

        predicted = None
        if analysis.uses_data:
            predicted = recorder.fill(f"{chain}/survey_{k + 1}/predicted", M, when, simulate)

        def update(ahead: Stage = ahead, predicted: Stage | None = predicted, k: int = k) -> Stage:
            state = ahead.ensemble.select(["saturation", "pressure"])
            if predicted is None:
                return Stage(state)
            folder = recorder.scratch(f"{analysis.name}/survey_{k + 1}/posterior")
            acting = analysis if folder is None else analysis.resumable(folder)
            simulated, data = scenario.observation.refer(state, predicted.ensemble, observed[k])

            def operator(members: Ensemble) -> Ensemble:
                return scenario.observation.refer(state, scenario.observation.predict(members))[0]

            posterior = acting.update(
                state,
                Evidence(simulated, data, scenario.observation.noise, operator),
                generator(scenario.seed, f"analysis {analysis.name}", k),
                (lambda what, done, total: progress(f"{what}, survey {k + 1}", done, total)) if progress else None,
            )
            return Stage(posterior.ensemble, {"statistics": posterior.statistics}, posterior.weights)

        state = recorder.stage(f"{analysis.name}/survey_{k + 1}/posterior", update)
        steps.append(Step(ahead, predicted, state))
    return steps
