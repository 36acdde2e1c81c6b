r"""From a study file to the objects of a run: grid, prior, dynamics, observation, scenario."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis
from seisflow.analysis.table import Site
from seisflow.analysis.transform import LevelSetSaturation, Relative, StateTransform
from seisflow.assimilation.climatology import StudyClimatology
from seisflow.assimilation.scenario import Scenario
from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import (
    Fluids,
    TwoPhaseFlow,
)
from seisflow.errors import InputError
from seisflow.geology.section import Section, load_section
from seisflow.grid import Grid, average
from seisflow.observation.base import Observation
from seisflow.observation.joint import Joint
from seisflow.observation.seismic.noise import Repeatability
from seisflow.observation.seismic.pressure_effect import HertzMindlin, LinearPressure
from seisflow.observation.seismic.rock_physics import RockPhysics
from seisflow.observation.seismic.seismic import Seismic
from seisflow.observation.waves.imaging import Imaging
from seisflow.observation.waves.survey import Survey
from seisflow.observation.wells import Wells
from seisflow.seeds import integer_seed
from seisflow.study import Study
from seisflow.units import BAR

__all__ = ["Parts", "build", "build_analysis", "initial_pressure"]


FIELDS = ("saturation", "pressure")
"""What analyses move."""


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
    """

    scenario: Scenario
    dynamics: TwoPhaseFlow
    velocity: NDArray[np.float64]
    initial_pressure: NDArray[np.float64]
    highest_saturation: float


def _dynamics(study: Study, grid: Grid, engine: JuliaEngine) -> TwoPhaseFlow:
    fluids, injection = study.fluids.build(), study.injection
    rock = study.geology.rock(fluids.reference_pressure)
    return TwoPhaseFlow(grid, rock, fluids, injection.well(), injection.schedule(), study.solver.build(), engine=engine)


def initial_pressure(study: Study) -> NDArray[np.float64]:
    """Pressure before injection on the flow grid [Pa]; no engine is started, and the section is not read."""
    grid = study.grid.build()
    with JuliaEngine(threads=1) as engine:
        return _dynamics(study, grid, engine).initial_state(1)["pressure"][0]


def _wave_grid(study: Study, grid: Grid) -> Grid:
    """The wave grid: as wide as the flow grid, over the depths of the study, with spacings that divide both."""
    (left, right), (top, bottom) = grid.extent[0], study.seismic.depth_m
    lengths = (right - left, bottom - top)
    shape = tuple(max(1, round(length / h)) for length, h in zip(lengths, study.seismic.spacing_m, strict=True))
    spacing = tuple(length / n for length, n in zip(lengths, shape, strict=True))
    return Grid(shape, spacing, (left, top))


def _seismic(
    study: Study,
    section: Section,
    grid: Grid,
    fluids: Fluids,
    initial_pressure: NDArray,
    workers: int,
    executor: Executor | None,
) -> Seismic:
    s = study.seismic
    wave_grid = _wave_grid(study, grid)
    slowness = average(1 / section.velocity, section.grid, wave_grid)
    geometry = {"seabed": Survey.seabed, "surface": Survey.surface}[s.survey]
    survey = geometry(
        wave_grid,
        s.peak_frequency_Hz,
        s.record_length_s,
        n_sources=s.sources,
        n_receivers=s.receivers,
        source_depth=s.source_depth_m,
        receiver_depth=s.receiver_depth_m,
        interval=s.sampling_interval_s,
    )
    pressure = {
        "none": None,
        "hertz_mindlin": HertzMindlin(s.hertz_mindlin_exponent),
        "linear": LinearPressure(s.velocity_per_bar_m_per_s / BAR),
    }[s.pressure_effect]
    errors = Repeatability(position=s.position_std_m, amplitude=s.shot_amplitude_std, delay=s.shot_delay_std_s)
    return Seismic(
        grid,
        wave_grid,
        1 / slowness,
        average(section.density, section.grid, wave_grid),
        study.geology.porosity,
        survey,
        rock_physics=RockPhysics(
            mixing=s.mixing,
            brie_exponent=s.brie_exponent,
            K_brine=s.brine_modulus_GPa * 1e9,
            K_co2=s.co2_modulus_GPa * 1e9,
            K_mineral=s.mineral_modulus_GPa * 1e9,
            density_brine=fluids.brine_density,
            density_co2=fluids.co2_density,
            pressure=pressure,
        ),
        imaging=Imaging(
            condition=s.condition,
            smoothing=s.smoothing_m,
            mute_depth=s.mute_depth_m,
        ),
        shots=s.shots or None,
        encoded_shots=s.encoded_shots,
        codes=s.codes,
        reference=s.reference,
        snr=s.snr_dB,
        repeatability=None if errors == Repeatability() else errors,
        initial_pressure=initial_pressure,
        noise_images=s.noise_images,
        seed=integer_seed(study.seed, "seismic"),
        space_order=s.space_order,
        layer=s.absorbing_cells,
        free_surface=s.free_surface,
        memory=None if s.memory_GB is None else s.memory_GB * 1e9,
        workers=workers,
        executor=executor,
    )


def build_analysis(study: Study, name: str, parts: Parts) -> Analysis:
    """The analysis of a name in ``study.methods``, built where it will work.

    Raises
    ------
    InputError
        When there is no analysis of that name.
    """
    chosen = {table.name: table for table in study.changed(methods=[name]).chosen}
    return chosen[name].build(_site(study, parts))


def _site(study: Study, parts: Parts) -> Site:
    """What the study's methods are told of it."""
    grid = parts.scenario.prior.grid
    columns = [grid.locate((x, grid.centres(1)[0]))[0] for x in study.wells.x_m]
    cells = _positions(grid.centres(0), grid.centres(1))
    logs = _positions(grid.centres(0)[columns], grid.centres(1))
    saturation = LevelSetSaturation(residual_brine=study.fluids.brine_residual)

    def climatology(members: int, factor: float) -> StudyClimatology:
        return StudyClimatology(parts.scenario, members, FIELDS, factor)

    return Site(
        fields=FIELDS,
        bounds={"saturation": (0.0, parts.highest_saturation)},
        cells=cells,
        data={"image": cells, "well_saturation": logs, "well_pressure": logs},
        channels=parts.scenario.observation.channels,
        transform=StateTransform({"saturation": saturation, "pressure": Relative(parts.initial_pressure)}),
        climatology=climatology,
    )


def _positions(x: NDArray, z: NDArray) -> NDArray[np.float64]:
    """Positions ``(nx, nz, 2)`` of a tensor grid [m]."""
    return np.stack(np.meshgrid(x, z, indexing="ij"), axis=-1)


@contextmanager
def build(study: Study, workers: int | None = None, executor: Executor | None = None) -> Iterator[Parts]:
    """Build a study's objects; Julia and the wave processes end with the context.

    Parameters
    ----------
    study
        The study.
    workers
        Processes for waves and threads for flow; default: all cores.
    executor
        Where waves are simulated instead, and blocks of members are sent; the flow then takes one thread a process.

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
    prior = study.geology.prior(section, grid)
    with ExitStack() as stack:
        engine = stack.enter_context(JuliaEngine(threads=1 if executor is not None else workers))
        dynamics = _dynamics(study, grid, engine)
        initial_pressure = dynamics.initial_state(1)["pressure"][0]
        observations: list[Observation] = []
        for modality in study.surveys.modalities:
            if modality == "seismic":
                observations.append(
                    stack.enter_context(
                        _seismic(
                            study,
                            section,
                            grid,
                            dynamics.fluids,
                            initial_pressure,
                            min(workers, study.ensemble.members),
                            executor,
                        )
                    )
                )
            else:
                observations.append(
                    Wells(
                        grid,
                        study.wells.x_m,
                        initial_pressure,
                        saturation_std=study.wells.saturation_std,
                        pressure_std=study.wells.pressure_std_bar * BAR,
                    )
                )
        scenario = Scenario(
            prior,
            dynamics,
            Joint(observations),
            study.survey_times,
            study.ensemble.members,
            study.seed,
            study.ensemble.permeability,
            study.ensemble.max_failed_share,
        )
        velocity = average(section.velocity, section.grid, grid)
        yield Parts(scenario, dynamics, velocity, initial_pressure, 1 - study.fluids.brine_residual)
