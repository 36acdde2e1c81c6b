r"""Study files: every physical and numerical choice of a run, in TOML, with the unit in the name of the key.

:func:`load_study` reads and checks a file; :class:`Study` is the same thing in Python. Unknown keys, wrong types,
numbers out of range, and choices that contradict each other are refused with the key's path, the value and what to do,
before any work. The defaults are the published values where there are any (``docs/study.md`` lists them).
"""

from __future__ import annotations

import json
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.units import DAY

__all__ = ["Study", "load_study"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Method = Literal["open_loop", "enkf", "flow"]
Modality = Literal["seismic", "wells"]
DensityLaw = Literal["exponential", "linear", "quadratic"]


class _Table(BaseModel):
    """One table of a study file."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True)


class GridTable(_Table):
    """Flow grid: cells of the two-phase flow and of the inferred state."""

    shape: tuple[Count, Count] = (512, 256)
    """Cells along x and z."""
    spacing_m: tuple[Positive, Positive] = (6.25, 6.25)
    """Size of a cell along x and z."""
    origin_m: tuple[Finite, Finite] = (300.0, 446.0)
    """Left end and depth of the top [m] in the section's coordinates."""
    thickness_m: Positive = 200.0
    """Extent of the section in y."""

    def build(self) -> Grid:
        """The grid object."""
        return Grid(self.shape, self.spacing_m, self.origin_m, self.thickness_m)


class GeologyTable(_Table):
    """Velocity section, and the permeability prior built from it."""

    section: str = "compass_slice"
    """``"compass_slice"`` (packaged) or the path of an ``.npz`` file, relative to the study file."""
    porosity: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Porosity φ, the same everywhere."""
    kv_over_kh: Annotated[float, Field(gt=0, le=1)] = 0.36
    """Vertical over horizontal permeability."""
    rock_compressibility_per_bar: NonNegative = 4.5e-5
    """Relative change of the pore volume per bar."""
    open_sides: bool = True
    """Lateral boundaries: open aquifer, or closed."""
    velocity_noise_std_m_per_s: NonNegative = 80.0
    """Standard deviation of the prior's velocity noise: streaks open and close."""
    velocity_noise_length_m: tuple[Positive, Positive] = (400.0, 40.0)
    """Its correlation lengths along x and z."""
    warp_std_m: tuple[NonNegative, NonNegative] = (60.0, 25.0)
    """Standard deviation of the prior's displacement along x and z: layers move."""
    warp_length_m: tuple[Positive, Positive] = (800.0, 400.0)
    """Its correlation lengths along x and z."""
    warp_taper_m: Positive = 50.0
    """Distance below the unconformity, which does not move, over which the displacement grows to its full size."""
    unconformity_velocity_m_per_s: Positive = 3500.0
    """The first depth with this velocity is the top of the reservoir."""
    seal_thickness_m: NonNegative = 50.0
    """The seal directly above it."""
    seal_permeability_mD: Positive = 1e-3  # noqa: N815 (mD is the unit's name)
    """Its permeability."""


class FluidsTable(_Table):
    """CO2 and brine; one density serves flow and rock physics."""

    co2_density_kg_per_m3: Positive = 700.0
    """At the reference pressure."""
    brine_density_kg_per_m3: Positive = 1000.0
    """At the reference pressure."""
    reference_pressure_bar: Positive = 150.0
    """Where the densities hold."""
    co2_compressibility_per_bar: NonNegative = 1e-4
    """c in ρ = ρ_ref exp(c (p − p_ref)), or as the law says."""
    brine_compressibility_per_bar: NonNegative = 1e-6
    """The same for brine."""
    co2_density_law: DensityLaw = "exponential"
    """ρ/ρ_ref with X = c (p − p_ref): ``"exponential"`` e^X, ``"linear"`` 1 + X, ``"quadratic"`` 1 + X + X²/2."""
    brine_density_law: DensityLaw = "exponential"
    """The same for brine."""
    co2_viscosity_Pa_s: Positive = 1e-4  # noqa: N815
    """Dynamic viscosity."""
    brine_viscosity_Pa_s: Positive = 1e-3  # noqa: N815
    """Dynamic viscosity."""
    relative_permeability: Literal["corey", "brooks_corey", "van_genuchten"] = "corey"
    """Curves: powers (``"corey"``), Brooks–Corey with Burdine, van Genuchten with Mualem."""
    co2_corey_exponent: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """Exponent of the relative permeability; of Corey's curves only."""
    brine_corey_exponent: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """Exponent of the relative permeability; of Corey's curves only."""
    pore_size_index: Positive = 2.0
    """λ of Brooks and Corey, in their relative permeability and capillary pressure."""
    van_genuchten_m: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """m of van Genuchten's relative permeability."""
    co2_residual: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Saturation below which CO2 does not move."""
    brine_residual: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Saturation below which brine does not move; CO2 saturation stays below 1 minus this."""
    capillary_entry_pressure_bar: NonNegative = 0.0
    """Entry pressure of the Brooks–Corey capillary pressure; 0: none."""
    land_coefficient: Positive | None = None
    """Land's C: CO2 that retreats leaves S_max/(1 + C S_max) behind; left out: no trapping. The members' S_max begins
    with their saturation at every survey, because an analysis changes their past."""


class InjectionTable(_Table):
    """The injection well."""

    x_m: Finite = 1900.0
    """Position."""
    depth_m: tuple[Finite, Finite] = (1496.0, 1596.0)
    """Top and bottom of the perforations [m]."""
    radius_m: Positive = 0.1
    """Radius of the bore."""
    rate_m3_per_s: NonNegative = 0.05
    """Volume rate at reference density."""
    start_day: NonNegative = 0.0
    """Day the injection begins."""
    stop_day: Positive | None = None
    """Day of shut-in; left out: the well injects to the end."""
    pressure_limit_bar: Positive = 250.0
    """Bottom-hole pressure that is not exceeded; the rate falls instead."""


class SolverTable(_Table):
    """Time stepping of the two-phase flow."""

    max_step_days: Positive = 20.0
    """Longest time step; it sets the accuracy in time (backward Euler, first order)."""
    linear_solver: Literal["auto", "cpr", "direct"] = "auto"
    """Preconditioned GMRES (``"cpr"``), factorisation (``"direct"``), or the former with the latter as its reserve."""


class SurveysTable(_Table):
    """When data arrive and of which kind."""

    days: Annotated[tuple[Finite, ...], Field(min_length=1)] = (480.0, 960.0, 1440.0, 1920.0)
    """Days of the surveys since the start of the study, increasing."""
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] = ("seismic", "wells")
    """What is measured at each survey."""


class SeismicTable(_Table):
    """Acquisition, waves and image."""

    spacing_m: tuple[Positive, Positive] = (6.25, 6.25)
    """Spacing of the wave grid along x and z."""
    depth_m: tuple[Finite, Finite] = (0.0, 2046.0)
    """Top and bottom of the wave model [m]."""
    survey: Literal["seabed", "surface"] = "seabed"
    """``"seabed"``: nodes on the seabed under a line of shots, exchanged by reciprocity; ``"surface"``: a few shots into
    a fixed line of receivers."""
    sources: Count = 8
    """What is fired, spread evenly over x: the seabed nodes by reciprocity, or the shots of a surface survey."""
    source_depth_m: NonNegative = 212.5
    """Their depth."""
    receivers: Count = 200
    """What records: the shot points near the surface by reciprocity, or the receivers of a surface survey."""
    receiver_depth_m: NonNegative = 12.5
    """Their depth."""
    peak_frequency_Hz: Positive = 15.0  # noqa: N815
    """Peak frequency of the Ricker wavelet."""
    record_length_s: Positive = 1.8
    """Length of a record."""
    sampling_interval_s: Positive = 0.004
    """Sampling of the records."""
    snr_dB: Finite = 28.0  # noqa: N815
    """Signal-to-noise ratio of the records: ‖noise‖ = ‖data‖ 10^(−SNR/20)."""
    encoded_shots: Count | None = None
    """Number of simultaneous-source shots that the sources are encoded into; left out: none, one shot a source."""
    space_order: Annotated[int, Field(ge=4, le=16, multiple_of=2)] = 8
    """Order of the finite differences in space."""
    absorbing_cells: Annotated[int, Field(ge=2)] = 10
    """Thickness of the absorbing layer."""
    free_surface: bool = False
    """Whether the top of the wave model is the free sea surface instead of absorbing."""
    memory_GB: Positive | None = None  # noqa: N815
    """Most memory for background wavefields in every wave process; left out: all are stored."""
    position_std_m: NonNegative = 0.0
    """Repeatability: displacement of every source and receiver between the surveys, along x."""
    shot_amplitude_std: NonNegative = 0.0
    """Repeatability: relative strength of every shot."""
    shot_delay_std_s: NonNegative = 0.0
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
    mineral_modulus_GPa: Positive = 50.0  # noqa: N815
    """Bulk modulus of the mineral."""
    brine_modulus_GPa: Positive = 2.735  # noqa: N815
    """Bulk modulus of brine."""
    co2_modulus_GPa: Positive = 0.125  # noqa: N815
    """Bulk modulus of CO2."""
    pressure_effect: Literal["none", "hertz_mindlin", "linear"] = "none"
    """What pore pressure does to the rock: nothing, to its frame's moduli (``"hertz_mindlin"``), to v_p (``"linear"``)."""
    hertz_mindlin_exponent: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """Power of the effective pressure to which the dry frame's moduli are proportional."""
    velocity_per_bar_m_per_s: Annotated[float, Field(le=0, allow_inf_nan=False)] = -0.5
    """Change of v_p per bar of pore pressure, of the linear law."""


class WellsTable(_Table):
    """Monitoring wells, logged over the whole column."""

    x_m: Annotated[tuple[Finite, ...], Field(min_length=1)] = (1900.0,)
    """Positions."""
    saturation_std: Positive = 0.02
    """Standard deviation of the saturation's noise."""
    pressure_std_bar: Positive = 0.5
    """Standard deviation of the pressure's noise."""


class EnsembleTable(_Table):
    """The ensemble."""

    members: Annotated[int, Field(ge=2)] = 128
    """Ensemble size M."""
    permeability: Literal["redrawn", "kept"] = "redrawn"
    """``"redrawn"``: every member draws K anew for every survey interval; ``"kept"``: it keeps its first."""
    max_failed_share: Share = 0.1
    """Share of members that may fail in the simulator and be replaced by fresh draws."""


class EnkfTable(_Table):
    """Stochastic ensemble Kalman filter."""

    inflation: Annotated[float, Field(ge=1)] = 1.0
    """Factor on the analysis anomalies."""


class FlowTable(_Table):
    """Conditional normalizing flow; what is left out is chosen from the field and ensemble sizes."""

    update: Literal["joint", "reference"] = "joint"
    """``"joint"``: move each member, x̂ = f⁻¹(f(x; y); y°); ``"reference"``: x = f⁻¹(z; y°), z ~ N(0, I)."""
    scales: Count | None = None
    """Multiscale levels L."""
    steps: Count | None = None
    """Flow steps K a level."""
    hidden: Count | None = None
    """Hidden channels of the coupling networks."""
    epochs: Count | None = None
    """Most passes over the training members."""
    batch_size: Count | None = None
    """Members a training step."""
    learning_rate: Positive | None = None
    """Learning rate of Adam."""
    threads: Count = 1
    """Threads of torch; more than the free cores make it many times slower."""


class Study(_Table):
    """A whole study.

    Raises
    ------
    InputError
        From :func:`load_study` and :meth:`from_dict`: the first thing that is wrong, by the path of its key.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "study"
    """Name of the study, for folders and titles."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Root of all random numbers."""
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = ("open_loop", "enkf", "flow")
    """Analyses to run, each in its own chain."""
    grid: GridTable = GridTable()
    geology: GeologyTable = GeologyTable()
    fluids: FluidsTable = FluidsTable()
    injection: InjectionTable = InjectionTable()
    solver: SolverTable = SolverTable()
    surveys: SurveysTable = SurveysTable()
    seismic: SeismicTable = SeismicTable()
    wells: WellsTable = WellsTable()
    ensemble: EnsembleTable = EnsembleTable()
    enkf: EnkfTable = EnkfTable()
    flow: FlowTable = FlowTable()

    @model_validator(mode="after")
    def _parts_agree(self) -> Study:
        grid = self.grid.build()
        (left, right), (top, bottom) = grid.extent
        days = self.surveys.days
        if days[0] <= 0:
            raise InputError("surveys.days", days, "the first survey must come after day 0, the start of the study")
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise InputError("surveys.days", days, "give the days of the surveys in increasing order")
        if days[0] <= self.injection.start_day:
            raise InputError(
                "surveys.days",
                days,
                f"the first survey must come after injection.start_day = {self.injection.start_day:g}",
            )
        stop = self.injection.stop_day
        if stop is not None and stop <= self.injection.start_day:
            raise InputError("injection.stop_day", stop, f"it must follow start_day = {self.injection.start_day:g}")
        if not left < self.injection.x_m < right:
            raise InputError("injection.x_m", self.injection.x_m, f"the grid reaches from {left:g} to {right:g} m")
        first, last = self.injection.depth_m
        if not top <= first < last <= bottom:
            raise InputError(
                "injection.depth_m", (first, last), f"give top < bottom inside the grid, {top:g} to {bottom:g} m"
            )
        for x in self.wells.x_m:
            if not left < x < right:
                raise InputError("wells.x_m", x, f"the grid reaches from {left:g} to {right:g} m")
        if self.fluids.co2_residual + self.fluids.brine_residual >= 1:
            raise InputError(
                "fluids.co2_residual", self.fluids.co2_residual, "with fluids.brine_residual it must stay below 1"
            )
        if self.fluids.co2_density_kg_per_m3 >= self.fluids.brine_density_kg_per_m3:
            raise InputError(
                "fluids.co2_density_kg_per_m3", self.fluids.co2_density_kg_per_m3, "it must be lighter than the brine"
            )
        if len(set(self.methods)) != len(self.methods):
            raise InputError("methods", self.methods, "name every method once")
        if len(set(self.surveys.modalities)) != len(self.surveys.modalities):
            raise InputError("surveys.modalities", self.surveys.modalities, "name every modality once")
        low, high = self.seismic.depth_m
        if "seismic" in self.surveys.modalities:
            if not low <= top < bottom <= high + 1e-6:
                raise InputError(
                    "seismic.depth_m",
                    (low, high),
                    f"the wave model must contain the flow grid, {top:g} to {bottom:g} m",
                )
            for key in ("source_depth_m", "receiver_depth_m"):
                depth = getattr(self.seismic, key)
                if not low <= depth <= high:
                    raise InputError(f"seismic.{key}", depth, f"the wave model reaches from {low:g} to {high:g} m")
            if self.seismic.encoded_shots is not None and self.seismic.encoded_shots > self.seismic.sources:
                raise InputError(
                    "seismic.encoded_shots",
                    self.seismic.encoded_shots,
                    f"it must not exceed seismic.sources = {self.seismic.sources}",
                )
        return self

    @property
    def survey_times(self) -> tuple[float, ...]:
        """Times of the surveys [s]."""
        return tuple(day * DAY for day in self.surveys.days)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Study:
        """A study from nested dictionaries, as TOML gives them."""
        try:
            return Study.model_validate(values)
        except ValidationError as error:
            raise _first_fault(error) from error

    def to_toml(self) -> str:
        """The study as a TOML file that :func:`load_study` reads back to the same study."""
        tables = self.model_dump(exclude_none=True)
        lines = [f"{key} = {_toml(value)}" for key, value in tables.items() if not isinstance(value, dict)]
        for key, table in tables.items():
            if isinstance(table, dict):
                lines += ["", f"[{key}]", *(f"{name} = {_toml(value)}" for name, value in table.items())]
        return "\n".join(lines) + "\n"

    def changed(self, **tables: Any) -> Study:
        """A copy with some keys changed: ``changed(seed=3, ensemble={"members": 16})``."""
        values = self.model_dump()
        for key, value in tables.items():
            values[key] = {**values[key], **value} if isinstance(value, dict) else value
        return Study.from_dict(values)


def _toml(value: Any) -> str:
    """A scalar or a list in TOML; JSON's spelling of these is TOML's too."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _first_fault(error: ValidationError) -> InputError:
    """The first fault of a study as an :class:`InputError` with the path of its key."""
    faults = error.errors()
    fault = faults[0]
    path = ".".join(str(part) for part in fault["loc"])
    inner = fault.get("ctx", {}).get("error")
    if isinstance(inner, InputError):
        return inner
    if fault["type"] == "extra_forbidden":
        table: Any = Study
        for part in fault["loc"][:-1]:
            field = getattr(table, "model_fields", {}).get(str(part))
            table = field.annotation if field is not None else None
        known = ", ".join(sorted(getattr(table, "model_fields", {})))
        return InputError(path, fault["input"], f"unknown key; the keys here are: {known}")
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    message = fault["msg"][0].lower() + fault["msg"][1:]
    return InputError(path, fault["input"], f"{message}{more}")


def load_study(file: str | Path) -> Study:
    """Read and check a study file.

    A relative ``geology.section`` is taken relative to the study file.

    Raises
    ------
    InputError
        When the file is missing, is not TOML, or a key is wrong; the message names the key.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError("study", str(path), "no such file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("study", str(path), f"this is not a TOML file: {error}") from error
    section = values.get("geology", {}).get("section") if isinstance(values.get("geology"), dict) else None
    if isinstance(section, str) and section != "compass_slice" and not Path(section).is_absolute():
        values["geology"]["section"] = str((path.parent / section).resolve())
    return Study.from_dict(values)
