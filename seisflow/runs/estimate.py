r"""How large a study is, and about how long it takes: ``seisflow validate``.

Everything that can be built without starting an engine is built, so a study that passes has parts that fit together. Counts
are exact. Bytes on disk are those of the arrays; networks and the report come on top. Seconds are an estimate,

    flow       member intervals × cells × time steps × rate,      spread over the workers
    waves      images × experiments × wave runs × nodes × time steps × rate,      spread over the workers
    networks   passes × members × cells × rate, an upper bound: training may stop early

with rates (:class:`Rates`) that were measured once on one machine, or are measured on this one by computing a few members of
the study itself (:func:`measure`). Dense algebra of the Kalman and particle methods, figures and files come on top; they are
small beside these for fields of this kind.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from seisflow.assimilation.executors import BLOCK_BYTES, MEMBERS_PER_WORKER
from seisflow.observation.base import Work
from seisflow.observation.files.field_data import read_files
from seisflow.runs.resources import cores, worded
from seisflow.runs.survey_data import planned_files
from seisflow.study import Study
from seisflow.study.build import Parts, build

__all__ = ["DOCUMENTED", "Rates", "Sizes", "check_study", "duration", "estimate", "measure", "memory_held", "sizes"]


@dataclass(frozen=True)
class Rates:
    """Seconds of one core for one unit of work.

    Parameters
    ----------
    flow
        For one cell and one time step of the two-phase flow [s].
    waves
        For one node and one time step of one wave run [s].
    networks
        For one cell of one member in one epoch [s].
    basis
        Where the rates come from, for the reader.
    """

    flow: float
    waves: float
    networks: float
    basis: str


DOCUMENTED = Rates(
    2.1e-6,
    1.1e-9,
    1.6e-6,
    "rates of one core of an x86-64 server, measured once (docs/benchmarks.md); yours may differ twofold",
)


@dataclass(frozen=True)
class Sizes:
    """Counts of a study; every one is exact but ``passes``, the most that trainings may take."""

    cells: int
    members: int
    surveys: int
    flow_intervals: int
    waves: tuple[Work, ...]
    passes: float
    disk: int
    stage_memory: int

    @property
    def wave_memory(self) -> int:
        """Bytes that every process keeps for waves."""
        return sum(work.memory for work in self.waves)


def sizes(study: Study, parts: Parts, surveys: int | None = None) -> Sizes:
    """The counts of a study.

    Parameters
    ----------
    study
        The study.
    parts
        Its objects; no engine is started.
    surveys
        The last survey that counts, from 1; default: all.
    """
    grid, M, K = parts.dynamics.grid, study.ensemble.members, surveys or len(study.surveys.days)
    observation = parts.scenario.observation
    methods = (*study.chosen, *parts.own.analyses)
    chains, informed = len(methods), sum(method.uses_data for method in methods)
    own = [method.simulations(M) for method in methods]
    forecasts, predictions = M * (1 + chains * (K - 1)), M * (1 + informed * (K - 1)) if informed else 0
    waves = observation.work(predictions + K * sum(s.images for s in own) + K, noise=informed > 0)
    datum = sum(field.nbytes for field in observation.data.values())
    state = 2 * 8 * grid.size
    disk = forecasts * (state + 8 * grid.size) + predictions * datum + M * chains * K * state
    disk += K * (state + 8 * grid.size + datum)
    return Sizes(
        cells=grid.size,
        members=M,
        surveys=K,
        flow_intervals=forecasts + K * sum(s.intervals for s in own) + K,
        waves=waves,
        passes=K * sum(s.passes for s in own),
        disk=disk,
        stage_memory=M * (3 * 8 * grid.size + datum),
    )


def memory_held(study: Study, parts: Parts, found: Sizes, workers: int, elsewhere: bool = False) -> dict[str, float]:
    """Bytes that a run holds at once, by what holds them.

    A lower bound: interpreter, libraries and Julia's own matrices come on top.

    Parameters
    ----------
    study, parts, found
        The study, its objects and its counts.
    workers
        Cores that work on members.
    elsewhere
        Whether other machines simulate the waves.
    """
    M, held = found.members, {}
    processes = min(workers, M)
    if found.waves and not elsewhere:
        held[f"for wavefields in {processes} processes"] = float(processes * found.wave_memory)
    block = max(BLOCK_BYTES, MEMBERS_PER_WORKER * workers * found.stage_memory / M)
    held["for members under way"] = min(float(found.stage_memory), block)
    data = sum(math.prod(field.shape) for field in parts.scenario.observation.data.values())
    methods = (*study.chosen, *parts.own.analyses)
    wholes = {f"for the analysis {m.label or m.name}": m.memory(M, 2 * found.cells, data) for m in methods}
    wholes["for the scores"] = 4 * 8 * M * found.cells  # one field: itself, sorted, weighted, its distance to the truth
    largest = max(wholes, key=lambda name: wholes[name])
    return held | {largest: float(wholes[largest])}


def _flow_steps(study: Study) -> float:
    """Time steps of the flow in a mean interval."""
    return study.surveys.days[-1] / len(study.surveys.days) / study.solver.max_step_days


def estimate(study: Study, found: Sizes, rates: Rates, workers: int) -> dict[str, float]:
    """Seconds of every part of a run.

    Parameters
    ----------
    study, found
        The study and its counts.
    rates
        Seconds of one core for one unit.
    workers
        Cores that work on members.
    """
    share = 1 / min(workers, found.members)
    node_steps = sum(work.total(min(workers, found.members)) for work in found.waves)
    return {
        "two-phase flow": found.flow_intervals * found.cells * _flow_steps(study) * rates.flow * share,
        "waves and images": node_steps * rates.waves * share,
        "networks": found.passes * found.members * found.cells * rates.networks,
    }


def measure(study: Study, parts: Parts) -> Rates:
    """Rates of this machine: two members of the study through the flow and the waves, and short trainings.

    What compiles on the first call is not counted.

    Raises
    ------
    SimulationError, JuliaError
        When an engine fails on these members: so would the run.
    """
    scenario, found = parts.scenario, sizes(study, parts)
    start = scenario.dynamics.initial_state(2)
    scenario.forecast(start, 0)
    begin = time.perf_counter()
    forecast = scenario.forecast(start, 0).ensemble
    interval = study.surveys.days[0] / study.solver.max_step_days
    flow = (time.perf_counter() - begin) / (2 * found.cells * interval)
    waves = 0.0
    if found.waves:
        scenario.observation.predict(forecast.members([0]))
        begin = time.perf_counter()
        scenario.observation.predict(forecast)
        two = sum(work.total(0) for work in scenario.observation.work(2))
        waves = (time.perf_counter() - begin) / two
    networks = _measure_networks(parts) if found.passes else 0.0
    return Rates(flow, waves, networks, "two members of this study, computed on this machine just now")


def _measure_networks(parts: Parts) -> float:
    """Seconds of a cell of a member in an epoch, from a short training on random fields, after one that is not counted."""
    from seisflow.analysis.base import Evidence
    from seisflow.analysis.learned.flow import FlowAnalysis  # imports torch
    from seisflow.analysis.transform import Relative, StateTransform
    from seisflow.covariance import DiagonalCovariance
    from seisflow.ensemble import Ensemble
    from seisflow.learning.training.options import TrainingOptions

    grid, members, passes = parts.dynamics.grid, 16, 0.0
    draws = np.random.default_rng(0).standard_normal((members, *grid.shape))
    forecast = Ensemble({"saturation": draws, "pressure": draws[::-1].copy()})
    data = Ensemble({"data": draws.astype(np.float32)})
    noise = DiagonalCovariance(np.ones(grid.size))
    for epochs in (1, 3):
        options = TrainingOptions(epochs=epochs)
        analysis = FlowAnalysis(
            lambda found: np.asarray(found["data"], np.float32)[:, None],
            StateTransform({"saturation": Relative(), "pressure": Relative()}),
            gaussian_training=options,
            glow_training=options,
        )
        posterior = analysis.update(forecast, Evidence(data, data.members([0]), noise), np.random.default_rng(1))
        seconds = sum(s["seconds"] for s in posterior.statistics.values() if isinstance(s, dict))
        passes = analysis.simulations(members).passes
    return seconds / (passes * members * grid.size)


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def check_study(study: Study, workers: int | None = None, measured: bool = False) -> dict[str, str]:
    """Build a study's parts, and say how large it is and about how long it takes.

    Parameters
    ----------
    study
        The study.
    workers
        Cores that will work on it; default: all that this process may use.
    measured
        Measure the rates here, with the engines, instead of taking the documented ones: about a minute for a small study.

    Returns
    -------
    dict
        Name → fact, for a terminal.

    Raises
    ------
    InputError
        When the parts do not fit together, or a file of data does not fit its survey.
    """
    workers = workers or cores()
    with build(study, workers=1) as parts:
        found = sizes(study, parts)
        rates = measure(study, parts) if measured else DOCUMENTED
        for files in planned_files(study).values():
            read_files(files, parts.scenario.observation)
    grid, K = study.grid, len(study.surveys.days)
    by = " × ".join
    facts = {
        "study": f"{study.name}, seed {study.seed}, methods {', '.join(study.methods)}",
        "flow grid": f"{by(map(str, grid.shape))} cells of {by(f'{h:g}' for h in grid.spacing_m)} m, {found.cells} in all",
        "ensemble": f"{found.members} members, {K} surveys" + (" until day " + f"{study.surveys.days[-1]:g}"),
        "flow simulations": f"{found.flow_intervals} member intervals in {len(study.methods)} chains, the truth's with them",
    }
    if study.surveys.data:
        there = [str(k) for k, files in enumerate(study.surveys.data, start=1) if files]
        facts["data"] = f"from files that fit, of {len(there)} of {K} surveys: {', '.join(there) or 'none yet'}"
    for number, work in enumerate(found.waves):
        which = "" if number == 0 else f" {number + 1}"
        shots = f"{work.members * work.experiments} {work.experiment} in all"
        facts[f"waves{which}"] = work.text
        facts[f"images{which}"] = f"{work.members} and {work.noise} of noise: {shots}"
    facts["disk"] = f"{worded(found.disk)} of arrays"
    held = memory_held(study, parts, found, workers)
    facts["memory, at least"] = f"{worded(sum(held.values()))}: " + ", ".join(
        f"{worded(size)} {name}" for name, size in held.items()
    )
    seconds = estimate(study, found, rates, workers)
    facts["time, about"] = f"{duration(sum(seconds.values()))} with {workers} workers: " + ", ".join(
        f"{name} {duration(value)}" for name, value in seconds.items() if value
    )
    facts["basis of the time"] = rates.basis
    return facts
