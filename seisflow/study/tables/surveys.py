"""Tables of the data: surveys, seismic acquisition and imaging, wells."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seisflow.dynamics.two_phase.case import index_in
from seisflow.dynamics.two_phase.model import Fluids, TwoPhaseFlow
from seisflow.errors import InputError
from seisflow.geology.section import Section
from seisflow.grid import Grid, average
from seisflow.observation.injector import Injector
from seisflow.observation.seismic.noise import Repeatability
from seisflow.observation.seismic.pressure_effect import HertzMindlin, LinearPressure
from seisflow.observation.seismic.rock_physics import RockPhysics
from seisflow.observation.seismic.seismic import Seismic
from seisflow.observation.waves.imaging import Imaging
from seisflow.observation.waves.survey import Survey
from seisflow.observation.wells import Wells
from seisflow.seeds import integer_seed
from seisflow.tables import Check, Count, Finite, Length, NonNegative, Positive, Table
from seisflow.units import BAR

__all__ = ["InjectorTable", "SeismicTable", "SurveysTable", "WellsTable"]

Modality = Literal["seismic", "wells", "injector"]


class SurveysTable(Table):
    """When data arrive and of which kind."""

    days: Annotated[tuple[Finite, ...], Field(min_length=1)] = (480.0, 960.0, 1440.0, 1920.0)
    """Days of the surveys since the start of the study, increasing."""
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] = ("seismic", "wells", "injector")
    """What is measured at each survey. With ``"injector"`` members inject what was metered between the surveys, not what was
    scheduled."""
    data: tuple[tuple[str, ...], ...] = ()
    """Files of the field's data, one list a survey, relative to the study file: SEG-Y, NetCDF or zarr, as ``docs/files.md``
    says; an empty list: to come, by ``seisflow assimilate``. Left empty as a whole: truth and data are made in silico."""

    def checks(self) -> Iterable[Check]:
        return (self._days, self._files, self._modalities)

    def _days(self, study: Any) -> None:
        days, start = self.days, study.injection.start_day
        if days[0] <= 0:
            raise InputError("surveys.days", days, "the first survey must come after day 0, the start of the study")
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise InputError("surveys.days", days, "give the days of the surveys in increasing order")
        if days[0] <= start:
            raise InputError("surveys.days", days, f"the first survey must come after injection.start_day = {start:g}")

    def _files(self, study: Any) -> None:
        if self.data and len(self.data) != len(self.days):
            remedy = f"give one list of files for each of the {len(self.days)} surveys, or none"
            raise InputError("surveys.data", self.data, remedy)

    def _modalities(self, study: Any) -> None:
        if len(set(self.modalities)) != len(self.modalities):
            raise InputError("surveys.modalities", self.modalities, "name every modality once")


@dataclass(frozen=True, eq=False)
class SurveySite:
    """Where a survey is made: what the tables of the data are told of the study when they build an observation.

    Parameters
    ----------
    section
        Velocity and density of the ground.
    grid
        Flow grid.
    porosity
        φ [-].
    dynamics
        Fluids, wells, and the mass of CO2 in place.
    initial_pressure
        Pressure before injection on the flow grid [Pa].
    seed
        Root seed of the study.
    workers
        Processes that an observation may start.
    executor
        Where members are simulated instead; None: in these processes.
    """

    section: Section
    grid: Grid
    porosity: float
    dynamics: TwoPhaseFlow
    initial_pressure: NDArray[np.float64]
    seed: int
    workers: int = 1
    executor: Executor | None = None


class SeismicTable(Table):
    """Acquisition, waves and image."""

    spacing_m: tuple[Length, Length] = (6.25, 6.25)
    """Spacing of the wave grid along x and z."""
    depth_m: tuple[Finite, Finite] = (0.0, 2046.0)
    """Top and bottom of the wave model [m]."""
    survey: Literal["seabed", "surface"] = "seabed"
    """``"seabed"``: nodes on the seabed under a line of shots, exchanged by reciprocity; ``"surface"``: a few shots into
    a fixed line of receivers."""
    sources: Count = 8
    """What is fired, spread evenly over x: the seabed nodes by reciprocity, or the shots of a surface survey."""
    source_depth_m: NonNegative = 212.5
    """Depth of the sources."""
    receivers: Count = 200
    """What records: the shot points near the surface by reciprocity, or the receivers of a surface survey."""
    receiver_depth_m: NonNegative = 12.5
    """Depth of the receivers."""
    peak_frequency_Hz: Annotated[float, Field(ge=0.01, le=10_000)] = 15.0  # noqa: N815
    """Peak frequency of the Ricker wavelet."""
    record_length_s: Annotated[float, Field(gt=0, le=200)] = 1.8
    """Length of a record."""
    sampling_interval_s: Annotated[float, Field(gt=0, le=0.1)] = 0.004
    """Sampling of the records."""
    snr_dB: Annotated[float, Field(ge=-60, le=200)] = 28.0  # noqa: N815
    """Signal-to-noise ratio of the records: ‖noise‖ = ‖data‖ 10^(−SNR/20)."""
    shots: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Which of the sources are used, counted from 0, each alone; left empty: all."""
    encoded_shots: Count | None = None
    """Number of simultaneous-source shots that the sources are encoded into; left out: none, one shot a source."""
    codes: Literal["orthogonal", "random"] = "orthogonal"
    """What fires in them: all sources with ``"orthogonal"`` weights, or each once, with a ``"random"`` sign and delay."""
    reference: Literal["baseline", "forecast_mean"] = "baseline"
    """What analyses see data relative to; ``"forecast_mean"`` takes one simulation more a survey."""
    space_order: Annotated[int, Field(ge=4, le=16, multiple_of=2)] = 8
    """Order of the finite differences in space."""
    absorbing_cells: Annotated[int, Field(ge=2)] = 10
    """Thickness of the absorbing layer."""
    free_surface: bool = False
    """Whether the top of the wave model is the free sea surface instead of absorbing."""
    memory_GB: Annotated[float, Field(gt=0, le=1e5)] | None = None  # noqa: N815
    """Most memory for background wavefields in every wave process; left out: all are stored."""
    position_std_m: NonNegative = 0.0
    """Repeatability: displacement of every source and receiver between the surveys, along x."""
    shot_amplitude_std: NonNegative = 0.0
    """Repeatability: relative strength of every shot."""
    shot_delay_std_s: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Repeatability: time of every shot."""
    smoothing_m: Positive = 60.0
    """Standard deviation of the Gaussian that smooths the baseline slowness for imaging."""
    condition: Literal["inverse_scattering", "zero_lag"] = "inverse_scattering"
    """Imaging condition."""
    mute_depth_m: NonNegative = 350.0
    """The image is muted above this depth [m]."""
    noise_images: Annotated[int, Field(ge=8)] = 32
    """Images of pure noise from which its covariance is estimated."""
    mixing: Literal["patchy", "uniform", "brie"] = "patchy"
    """How brine and CO2 share the pores."""
    brie_exponent: Annotated[float, Field(ge=1, le=40)] = 3.0
    """Exponent of Brie's law."""
    mineral_modulus_GPa: Annotated[float, Field(gt=0, le=1000)] = 50.0  # noqa: N815
    """Bulk modulus of the mineral."""
    brine_modulus_GPa: Annotated[float, Field(gt=0, le=1000)] = 2.735  # noqa: N815
    """Bulk modulus of brine."""
    co2_modulus_GPa: Annotated[float, Field(gt=0, le=1000)] = 0.125  # noqa: N815
    """Bulk modulus of CO2."""
    pressure_effect: Literal["none", "hertz_mindlin", "linear"] = "none"
    """What pore pressure does to the rock: nothing, to its frame's moduli (``"hertz_mindlin"``), to v_p (``"linear"``)."""
    hertz_mindlin_exponent: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """Power of the effective pressure to which the dry frame's moduli are proportional."""
    velocity_per_bar_m_per_s: Annotated[float, Field(le=0, allow_inf_nan=False)] = -0.5
    """Change of v_p per bar of pore pressure, of the linear law."""

    def checks(self) -> Iterable[Check]:
        checks = (
            self._depths,
            self._sea_surface,
            self._source_depth,
            self._receiver_depth,
            self._encoded,
            self._chosen,
        )
        return tuple(partial(self._where_used, check) for check in checks)

    def _where_used(self, check: Check, study: Any) -> None:
        """Make a check in a study that has seismic data."""
        if "seismic" in study.surveys.modalities:
            check(study)

    def _depths(self, study: Any) -> None:
        _, (top, bottom) = study.grid.build().extent
        low, high = self.depth_m
        if not low <= top < bottom <= high + 1e-6:
            remedy = f"the wave model must contain the flow grid, {top:g} to {bottom:g} m"
            raise InputError("seismic.depth_m", (low, high), remedy)

    def _sea_surface(self, study: Any) -> None:
        low, _ = self.depth_m
        if self.free_surface and low != 0:
            remedy = f"the sea surface is at depth 0, seismic.depth_m begins at {low:g} m"
            raise InputError("seismic.free_surface", True, remedy)

    def _source_depth(self, study: Any) -> None:
        self._inside("source_depth_m", self.source_depth_m)

    def _receiver_depth(self, study: Any) -> None:
        self._inside("receiver_depth_m", self.receiver_depth_m)

    def _inside(self, key: str, depth: float) -> None:
        low, high = self.depth_m
        if not low <= depth <= high:
            raise InputError(f"seismic.{key}", depth, f"the wave model reaches from {low:g} to {high:g} m")

    def _encoded(self, study: Any) -> None:
        if self.encoded_shots is not None and self.encoded_shots > self.sources:
            remedy = f"it must not exceed seismic.sources = {self.sources}"
            raise InputError("seismic.encoded_shots", self.encoded_shots, remedy)

    def _chosen(self, study: Any) -> None:
        if self.shots and self.encoded_shots is not None:
            raise InputError("seismic.shots", self.shots, "choose either a subset of the shots or encoded_shots")
        if len(set(self.shots)) != len(self.shots) or any(shot >= self.sources for shot in self.shots):
            raise InputError("seismic.shots", self.shots, f"name different ones from 0 to {self.sources - 1}")

    def wave_grid(self, grid: Grid) -> Grid:
        """The wave grid: as wide as the flow grid, over the depths of the study, with spacings that divide both."""
        (left, right), (top, bottom) = grid.extent[0], self.depth_m
        lengths = (right - left, bottom - top)
        shape = tuple(max(1, round(length / h)) for length, h in zip(lengths, self.spacing_m, strict=True))
        spacing = tuple(length / n for length, n in zip(lengths, shape, strict=True))
        return Grid(shape, spacing, (left, top))

    def acquisition(self, wave_grid: Grid) -> Survey:
        """Sources, receivers and wavelet."""
        geometry = {"seabed": Survey.seabed, "surface": Survey.surface}[self.survey]
        return geometry(
            wave_grid,
            self.peak_frequency_Hz,
            self.record_length_s,
            n_sources=self.sources,
            n_receivers=self.receivers,
            source_depth=self.source_depth_m,
            receiver_depth=self.receiver_depth_m,
            interval=self.sampling_interval_s,
        )

    def rock_physics(self, fluids: Fluids) -> RockPhysics:
        """From saturation and pressure to velocity and density."""
        pressure = {
            "none": None,
            "hertz_mindlin": HertzMindlin(self.hertz_mindlin_exponent),
            "linear": LinearPressure(self.velocity_per_bar_m_per_s / BAR),
        }[self.pressure_effect]
        return RockPhysics(
            mixing=self.mixing,
            brie_exponent=self.brie_exponent,
            K_brine=self.brine_modulus_GPa * 1e9,
            K_co2=self.co2_modulus_GPa * 1e9,
            K_mineral=self.mineral_modulus_GPa * 1e9,
            density_brine=fluids.brine_density,
            density_co2=fluids.co2_density,
            pressure=pressure,
        )

    def build(self, site: SurveySite) -> Seismic:
        """Seismic images as an observation."""
        wave_grid = self.wave_grid(site.grid)
        errors = Repeatability(
            position=self.position_std_m, amplitude=self.shot_amplitude_std, delay=self.shot_delay_std_s
        )
        return Seismic(
            site.grid,
            wave_grid,
            1 / average(1 / site.section.velocity, site.section.grid, wave_grid),
            average(site.section.density, site.section.grid, wave_grid),
            site.porosity,
            self.acquisition(wave_grid),
            rock_physics=self.rock_physics(site.dynamics.fluids),
            imaging=Imaging(condition=self.condition, smoothing=self.smoothing_m, mute_depth=self.mute_depth_m),
            shots=self.shots or None,
            encoded_shots=self.encoded_shots,
            codes=self.codes,
            reference=self.reference,
            snr=self.snr_dB,
            repeatability=None if errors == Repeatability() else errors,
            initial_pressure=site.initial_pressure,
            noise_images=self.noise_images,
            seed=integer_seed(site.seed, "seismic"),
            space_order=self.space_order,
            layer=self.absorbing_cells,
            free_surface=self.free_surface,
            memory=None if self.memory_GB is None else self.memory_GB * 1e9,
            workers=site.workers,
            executor=site.executor,
        )


class WellsTable(Table):
    """Monitoring wells, logged over the whole column."""

    x_m: Annotated[tuple[Finite, ...], Field(min_length=1)] = (1900.0,)
    """Positions of the wells along x."""
    saturation_std: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Standard deviation of the saturation's noise."""
    pressure_std_bar: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """Standard deviation of the pressure's noise."""

    def checks(self) -> Iterable[Check]:
        return (self._places,)

    def _places(self, study: Any) -> None:
        (left, right), _ = study.grid.build().extent
        for x in self.x_m:
            if not left < x < right:
                raise InputError("wells.x_m", x, f"the grid reaches from {left:g} to {right:g} m")

    def build(self, site: SurveySite) -> Wells:
        """Logs as an observation."""
        return Wells(
            site.grid,
            self.x_m,
            site.initial_pressure,
            saturation_std=self.saturation_std,
            pressure_std=self.pressure_std_bar * BAR,
        )


class InjectorTable(Table):
    """Meters of the injection well: mass and bottom-hole pressure."""

    mass_error: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """Relative standard deviation of the metered mass; one factor for the whole study."""
    pressure_error: Annotated[float, Field(gt=0, le=2)] = 0.3
    """Relative standard deviation of the change of the bottom-hole pressure: of the gauge, and of cells that stand for a
    well."""
    match_mass: bool = True
    """Whether the saturation of every analysed member is corrected until its mass is the metered one, within the meter's
    error. Methods whose members are simulated states leave them as they are."""

    def checks(self) -> Iterable[Check]:
        return (self._injects,)

    def _injects(self, study: Any) -> None:
        if "injector" in study.surveys.modalities and study.injection.rate_m3_per_s == 0:
            remedy = 'nothing is metered at the rate 0: leave "injector" out'
            raise InputError("surveys.modalities", study.surveys.modalities, remedy)

    def build(self, site: SurveySite) -> Injector:
        """Readings of the meters as an observation."""
        flow = site.dynamics
        return Injector(
            site.grid,
            [index_in(site.grid, well.cells(site.grid)[0]) for well in flow.wells],
            site.initial_pressure,
            flow.co2_capacity,
            mass_error=self.mass_error,
            pressure_error=self.pressure_error,
            seed=site.seed,
        )
