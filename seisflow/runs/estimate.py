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
import os
import time
from dataclasses import dataclass

import numpy as np

from seisflow.observation.files.field_data import FieldData
from seisflow.observation.joint import Joint
from seisflow.observation.seismic.seismic import Seismic
from seisflow.observation.waves.propagator import Propagator
from seisflow.runs.survey_data import planned_files
from seisflow.study import Study
from seisflow.study.build import Parts, build

__all__ = ["DOCUMENTED", "Rates", "Sizes", "check_study", "estimate", "measure", "sizes"]


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
    nodes: int
    wave_steps: int
    experiments: int
    members: int
    surveys: int
    flow_intervals: int
    images: int
    noise_images: int
    passes: float
    disk: int
    wave_memory: int
    stage_memory: int


def _seismic(parts: Parts) -> Seismic | None:
    observation = parts.scenario.observation
    listed = observation.parts if isinstance(observation, Joint) else (observation,)
    return next((part for part in listed if isinstance(part, Seismic)), None)


def _propagator(seismic: Seismic) -> Propagator:
    s = seismic._settings
    fastest = 1.02 * float(s.velocity.max())
    return Propagator(
        s.wave_grid, s.survey, fastest, space_order=s.space_order, layer=s.layer, free_surface=s.free_surface
    )


def sizes(study: Study, parts: Parts) -> Sizes:
    """The counts of a study.

    Parameters
    ----------
    study
        The study.
    parts
        Its objects; no engine is started.
    """
    grid, M, K = parts.scenario.prior.grid, study.ensemble.members, len(study.surveys.days)
    chains, informed = len(study.methods), [table for table in study.chosen if table.uses_data]
    seismic, nodes, steps, experiments, kept = _seismic(parts), 0, 0, 0, 0
    if seismic is not None:
        propagator = _propagator(seismic)
        nodes, steps = math.prod(n + 2 * propagator.layer for n in seismic.wave_grid.shape), propagator.n_steps
        experiments = seismic.encoding.n_experiments
        kept = ((steps - 1) // propagator.every + 1) * propagator.frame_bytes * experiments
        if study.seismic.memory_GB is not None:
            kept = min(kept, int(study.seismic.memory_GB * 1e9))
    wells = 2 * len(study.wells.x_m) * grid.shape[-1] * 8 if "wells" in study.surveys.modalities else 0
    datum = (4 * grid.size if seismic is not None else 0) + wells
    own = [table.simulations(M) for table in study.chosen]
    forecasts, predictions = M * (1 + chains * (K - 1)), M * (1 + len(informed) * (K - 1)) if informed else 0
    state = 2 * 8 * grid.size
    disk = forecasts * (state + 8 * grid.size) + predictions * datum + M * chains * K * state
    disk += K * (state + 8 * grid.size + datum)
    return Sizes(
        cells=grid.size,
        nodes=nodes,
        wave_steps=steps,
        experiments=experiments,
        members=M,
        surveys=K,
        flow_intervals=forecasts + K * sum(s.intervals for s in own) + K,
        images=predictions + K * sum(s.images for s in own) + K if seismic is not None else 0,
        noise_images=study.seismic.noise_images + 1 if seismic is not None and informed else 0,
        passes=K * sum(s.passes for s in own),
        disk=disk,
        wave_memory=kept,
        stage_memory=M * (3 * 8 * grid.size + datum),
    )


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
    one = found.experiments * found.nodes * found.wave_steps * rates.waves  # one wave run of all experiments
    processes = min(workers, found.members) if found.images else 0
    runs = 2 * found.images + found.noise_images + processes  # forward and back; back; the background of a process
    return {
        "two-phase flow": found.flow_intervals * found.cells * _flow_steps(study) * rates.flow * share,
        "waves and images": runs * one * share,
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
    waves, seismic = 0.0, _seismic(parts)
    if seismic is not None:
        seismic.predict(forecast.members([0]))
        begin = time.perf_counter()
        seismic.predict(forecast)
        waves = (time.perf_counter() - begin) / (4 * found.experiments * found.nodes * found.wave_steps)
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

    grid, members, passes = parts.scenario.prior.grid, 16, 0.0
    draws = np.random.default_rng(0).standard_normal((members, *grid.shape))
    forecast = Ensemble({"saturation": draws, "pressure": draws[::-1].copy()})
    data = Ensemble({"image": draws.astype(np.float32)})
    noise = DiagonalCovariance(np.ones(grid.size))
    for epochs in (1, 3):
        options = TrainingOptions(epochs=epochs)
        analysis = FlowAnalysis(
            lambda found: np.asarray(found["image"], np.float32)[:, None],
            StateTransform({"saturation": Relative(), "pressure": Relative()}),
            gaussian_training=options,
            glow_training=options,
        )
        posterior = analysis.update(forecast, Evidence(data, data.members([0]), noise), np.random.default_rng(1))
        seconds = sum(s["seconds"] for s in posterior.statistics.values() if isinstance(s, dict))
        passes = 4.0 * epochs  # as `sizes` counts them
    return seconds / (passes * members * grid.size)


def _bytes(n: float) -> str:
    for factor, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if n >= factor:
            return f"{n / factor:.3g} {name}"
    return f"{n / 1e3:.3g} kB"


def _duration(seconds: float) -> str:
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
    workers = workers or len(os.sched_getaffinity(0))
    with build(study, workers=1) as parts:
        found = sizes(study, parts)
        rates = measure(study, parts) if measured else DOCUMENTED
        seismic = _seismic(parts)
        for files in planned_files(study).values():
            FieldData.read(files, parts.scenario.observation)
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
    if seismic is not None:
        shape, spacing = by(map(str, seismic.wave_grid.shape)), by(f"{h:g}" for h in seismic.wave_grid.spacing)
        kind = "encoded shots" if study.seismic.encoded_shots else "shots"
        facts["waves"] = (
            f"{shape} nodes of {spacing} m ({found.nodes} with the absorbing layer), {found.wave_steps} time steps, "
            f"{found.experiments} {kind} a member"
        )
        facts["images"] = (
            f"{found.images} and {found.noise_images} of noise: {found.images * found.experiments} {kind} in all"
        )
    facts["disk"] = f"{_bytes(found.disk)} of arrays"
    facts["memory"] = f"{_bytes(found.stage_memory)} for the arrays of one stage" + (
        f", {_bytes(found.wave_memory)} for wavefields in each of {min(workers, found.members)} processes"
        if seismic is not None
        else ""
    )
    seconds = estimate(study, found, rates, workers)
    facts["time, about"] = f"{_duration(sum(seconds.values()))} with {workers} workers: " + ", ".join(
        f"{name} {_duration(value)}" for name, value in seconds.items() if value
    )
    facts["basis of the time"] = rates.basis
    return facts
