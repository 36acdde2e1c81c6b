r"""From a study file to the objects of a run: grid, prior, dynamics, observation, scenario."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis
from seisflow.analysis.connected import Connected
from seisflow.analysis.metered import MeteredMass
from seisflow.analysis.table import MethodTable, Site
from seisflow.analysis.transform import LevelSetSaturation, Relative, StateTransform
from seisflow.assimilation.open_loop_covariance import OpenLoopCovariance
from seisflow.assimilation.scenario import Scenario
from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import TwoPhaseFlow
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.geology.section import load_section
from seisflow.grid import Grid, average
from seisflow.observation.data import INJECTED, cell_positions
from seisflow.observation.joint import Joint
from seisflow.study import Study
from seisflow.study.own import STUDY_ALONE, OwnParts
from seisflow.study.tables.surveys import SurveySite

__all__ = ["Parts", "build", "build_analyses", "build_analysis", "driven", "initial_pressure", "limited"]


FIELDS = ("saturation", "pressure")
"""What analyses move."""
LIMITED = 1e-3
"""Share of the mass that a member may miss before its well counts as limited: far above the solver's error."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The objects of a run.

    Parameters
    ----------
    scenario
        Prior, dynamics, observation and schedule.
    dynamics
        The two-phase flow.
    velocity
        Baseline velocity on the flow grid [m/s], for figures.
    initial_pressure
        Pressure before injection on the flow grid [Pa].
    highest_saturation
        1 − S_wr.
    own
        The user's own among them.
    """

    scenario: Scenario
    dynamics: TwoPhaseFlow
    velocity: NDArray[np.float64]
    initial_pressure: NDArray[np.float64]
    highest_saturation: float
    own: OwnParts = STUDY_ALONE


def _dynamics(study: Study, grid: Grid, engine: JuliaEngine) -> TwoPhaseFlow:
    fluids, injection = study.fluids.build(), study.injection
    rock = study.geology.rock(fluids.reference_pressure)
    return TwoPhaseFlow(grid, rock, fluids, injection.well(), injection.schedule(), study.solver.build(), engine=engine)


def driven(parts: Parts, observed: Sequence[Ensemble]) -> Parts:
    """The parts with wells that inject what was metered over the intervals between the surveys; others are as they were.

    Rates are those of the schedule times one factor an interval; a member whose well meets its pressure limit injects less.
    Without metered mass among the data the schedule stays.

    Parameters
    ----------
    parts
        The parts of the study.
    observed
        Data of the first surveys, one ensemble of one member each.

    Raises
    ------
    InputError
        When the metered mass falls from one survey to the next.
    """
    scenario, name = parts.scenario, _metered(parts)
    if name is None or not observed:
        return parts
    totals = [float(np.exp(datum[name]).item()) for datum in observed]
    masses = np.diff(totals, prepend=0.0)
    if (masses < 0).any():
        k = int(np.flatnonzero(masses < 0)[0])
        remedy = f"survey {k + 1} must not be below survey {k}: give the mass injected since the start [kg]"
        raise InputError("injected_mass", totals[k], remedy)
    dynamics = parts.dynamics.injecting(scenario.survey_times[: len(totals)], masses)
    return replace(parts, dynamics=dynamics, scenario=replace(scenario, dynamics=dynamics))


def limited(parts: Parts, forecast: Ensemble, survey: int) -> int:
    """How many members of a forecast to a survey (from 0) injected less than they should: their wells met the limit."""
    flow = parts.dynamics
    if flow.schedule is None or "injected_mass" not in forecast:
        return 0
    wanted = flow.fluids.co2_density * flow.schedule.volume(*parts.scenario.interval(survey))
    return int((np.asarray(forecast["injected_mass"]) < (1 - LIMITED) * wanted).sum())


def _metered(parts: Parts) -> str | None:
    """The data field that is the metered mass; None where there is none."""
    data = parts.scenario.observation.data
    return next((name for name, about in data.items() if about.quantity == INJECTED), None)


def _matching(analysis: Analysis, study: Study, parts: Parts) -> Analysis:
    """The analysis with the mass of its members made the metered one, where that is metered and asked for."""
    datum, flow = _metered(parts), parts.dynamics
    if datum is None or not study.injector.match_mass:
        return analysis
    grid, rock = flow.grid, flow.rock
    outlets = rock.capacity(grid) > rock.capacity(grid, aquifer=False)
    return MeteredMass(
        analysis,
        datum,
        study.injector.mass_error,
        flow.co2_capacity,
        LevelSetSaturation(residual_brine=study.fluids.brine_residual),
        outlets if outlets.any() else None,
    )


def initial_pressure(study: Study) -> NDArray[np.float64]:
    """Pressure before injection on the flow grid [Pa]; no engine is started, and the section is not read."""
    grid = study.grid.build()
    with JuliaEngine(threads=1) as engine:
        return _dynamics(study, grid, engine).initial_state(1)["pressure"][0]


def build_analyses(study: Study, parts: Parts) -> list[Analysis]:
    """The analyses of a run: those of the study's methods, and the user's own behind them.

    Raises
    ------
    InputError
        When one of them cannot work at this study.
    """
    site = _site(study, parts)
    return [
        part if isinstance(part, Analysis) else _built(part, site, study, parts)
        for part in (*study.chosen, *parts.own.analyses)
    ]


def _built(table: MethodTable, site: Site, study: Study, parts: Parts) -> Analysis:
    if study.ensemble.members < table.least_members:
        remedy = f"{table.name} needs at least {table.least_members} members"
        raise InputError("ensemble.members", study.ensemble.members, remedy)
    analysis = table.build(site)
    if analysis.name != table.name:
        raise InputError(
            f"{table.name}.build", analysis.name, f"give the analysis the name of its table, {table.name!r}"
        )
    if not (table.uses_data and table.moves_state):
        return analysis
    return _matching(Connected(analysis, parts.dynamics.injected), study, parts)


def build_analysis(study: Study, name: str, parts: Parts) -> Analysis:
    """The analysis of a name in ``study.methods``, built where it will work.

    Raises
    ------
    InputError
        When there is no analysis of that name.
    """
    chosen = {table.name: table for table in study.changed(methods=[name]).chosen}
    return _built(chosen[name], _site(study, parts), study, parts)


def _site(study: Study, parts: Parts) -> Site:
    """What the study's methods are told of it."""
    saturation = LevelSetSaturation(residual_brine=study.fluids.brine_residual)

    def climatology(members: int, factor: float) -> OpenLoopCovariance:
        return OpenLoopCovariance(parts.scenario, members, FIELDS, factor)

    return Site(
        fields=FIELDS,
        bounds={"saturation": (0.0, parts.highest_saturation)},
        cells=cell_positions(parts.dynamics.grid),
        data=parts.scenario.observation.data,
        channels=parts.scenario.observation.channels,
        transform=StateTransform({"saturation": saturation, "pressure": Relative(parts.initial_pressure)}),
        climatology=climatology,
    )


def _observation(study: Study, site: SurveySite) -> Joint:
    return Joint([getattr(study, modality).build(site) for modality in study.surveys.modalities])


@contextmanager
def build(
    study: Study, workers: int | None = None, executor: Executor | None = None, own: OwnParts = STUDY_ALONE
) -> Iterator[Parts]:
    """Build a study's objects; Julia and the wave processes end with the context.

    Parameters
    ----------
    study
        The study.
    workers
        Processes for waves and threads for flow; default: all cores.
    executor
        Where waves are simulated instead, and blocks of members are sent; the flow then takes one thread a process.
    own
        Parts of the user's own, which take the place of the study's.

    Raises
    ------
    InputError
        When the study's parts do not fit together or its section cannot be read, before any engine starts.
    """
    if workers is not None and workers < 1:
        raise InputError("workers", workers, "give at least 1")
    workers = workers or len(os.sched_getaffinity(0))
    grid = study.grid.build()
    section = load_section(study.geology.section)
    prior = own.checked_prior(grid) or study.geology.prior(section, grid)
    with ExitStack() as stack:
        engine = stack.enter_context(JuliaEngine(threads=1 if executor is not None else workers))
        dynamics = _dynamics(study, grid, engine)
        initial_pressure = dynamics.initial_state(1)["pressure"][0]
        site = SurveySite(
            section,
            grid,
            study.geology.porosity,
            dynamics,
            initial_pressure,
            study.seed,
            min(workers, study.ensemble.members),
            executor,
        )
        observation = own.observation or _observation(study, site)
        stack.callback(observation.close)
        scenario = Scenario(
            prior,
            dynamics,
            observation,
            study.survey_times,
            study.ensemble.members,
            study.seed,
            study.ensemble.permeability,
            study.ensemble.max_failed_share,
        )
        velocity = average(section.velocity, section.grid, grid)
        yield Parts(scenario, dynamics, velocity, initial_pressure, 1 - study.fluids.brine_residual, own)
