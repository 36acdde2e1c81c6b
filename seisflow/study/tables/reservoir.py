"""Tables of the reservoir: grid, geology, fluids, injection, time stepping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from seisflow.dynamics.two_phase.model import (
    BrooksCorey,
    BrooksCoreyCurves,
    Fluids,
    Rock,
    Schedule,
    StepControl,
    VanGenuchtenCurves,
    Well,
)
from seisflow.errors import InputError
from seisflow.geology.section import Section
from seisflow.grid import Grid
from seisflow.prior.permeability import PermeabilityPrior
from seisflow.tables import Check, Count, Finite, Length, NonNegative, Positive, Table
from seisflow.units import BAR, DAY, MILLIDARCY

__all__ = ["FluidsTable", "GeologyTable", "GridTable", "InjectionTable", "SolverTable"]

DensityLaw = Literal["exponential", "linear", "quadratic"]


class GridTable(Table):
    """Flow grid: cells of the two-phase flow and of the inferred state."""

    shape: tuple[Count, Count] = (512, 256)
    """Cells along x and z."""
    spacing_m: tuple[Length, Length] = (6.25, 6.25)
    """Size of a cell along x and z."""
    origin_m: tuple[Finite, Finite] = (300.0, 446.0)
    """Left end and depth of the top [m] in the section's coordinates."""
    thickness_m: Annotated[float, Field(gt=0, le=1e6)] = 200.0
    """Extent of the section in y."""

    def build(self) -> Grid:
        """The grid object."""
        return Grid(self.shape, self.spacing_m, self.origin_m, self.thickness_m)


class GeologyTable(Table):
    """Velocity section, and the permeability prior built from it."""

    section: str = "compass_slice"
    """``"compass_slice"`` (packaged) or the path of an ``.npz`` file, relative to the study file."""
    porosity: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Porosity φ, the same everywhere."""
    kv_over_kh: Annotated[float, Field(gt=0, le=1)] = 0.36
    """Vertical over horizontal permeability."""
    rock_compressibility_per_bar: Annotated[float, Field(ge=0, le=0.1)] = 4.5e-5
    """Relative change of the pore volume per bar."""
    open_sides: bool = True
    """Lateral boundaries: open aquifer, or closed."""
    velocity_noise_std_m_per_s: Annotated[float, Field(ge=0, le=3000)] = 80.0
    """Standard deviation of the prior's velocity noise: streaks open and close."""
    velocity_noise_length_m: tuple[Positive, Positive] = (400.0, 40.0)
    """Correlation lengths of the velocity noise along x and z."""
    warp_std_m: tuple[NonNegative, NonNegative] = (60.0, 25.0)
    """Standard deviation of the prior's displacement along x and z: layers move."""
    warp_length_m: tuple[Positive, Positive] = (800.0, 400.0)
    """Correlation lengths of the displacement along x and z."""
    warp_taper_m: Positive = 50.0
    """Distance below the unconformity, which does not move, over which the displacement grows to its full size."""
    unconformity_velocity_m_per_s: Annotated[float, Field(ge=300, le=10_000)] = 3500.0
    """The first depth with this velocity is the top of the reservoir."""
    seal_thickness_m: NonNegative = 50.0
    """Thickness of the seal directly above the reservoir."""
    seal_permeability_mD: Annotated[float, Field(ge=1e-9, le=1e6)] = 1e-3  # noqa: N815 (mD is the unit's name)
    """Permeability of the seal."""

    def prior(self, section: Section, grid: Grid) -> PermeabilityPrior:
        """p(K) on a flow grid, from a section."""
        return PermeabilityPrior(
            section,
            grid,
            noise_std=self.velocity_noise_std_m_per_s,
            noise_length=self.velocity_noise_length_m,
            warp_std=self.warp_std_m,
            warp_length=self.warp_length_m,
            warp_taper=self.warp_taper_m,
            unconformity_velocity=self.unconformity_velocity_m_per_s,
            seal_thickness=self.seal_thickness_m,
            seal_permeability=self.seal_permeability_mD * MILLIDARCY,
        )

    def rock(self, reference_pressure: float) -> Rock:
        """The rock, whose porosity holds at a pressure [Pa]."""
        return Rock(
            porosity=self.porosity,
            kv_over_kh=self.kv_over_kh,
            compressibility=self.rock_compressibility_per_bar / BAR,
            lateral_boundary="open" if self.open_sides else "closed",
            reference_pressure=reference_pressure,
        )


class FluidsTable(Table):
    """CO2 and brine; one density serves flow and rock physics."""

    co2_density_kg_per_m3: Annotated[float, Field(ge=1, le=3000)] = 700.0
    """Density of CO2 at the reference pressure."""
    brine_density_kg_per_m3: Annotated[float, Field(ge=1, le=3000)] = 1000.0
    """Density of brine at the reference pressure."""
    reference_pressure_bar: Annotated[float, Field(ge=0.5, le=3000)] = 150.0
    """Pressure at which densities and porosity hold."""
    co2_compressibility_per_bar: Annotated[float, Field(ge=0, le=0.1)] = 1e-4
    """Compressibility c of CO2 in ρ = ρ_ref exp(c (p − p_ref)), or as the law says."""
    brine_compressibility_per_bar: Annotated[float, Field(ge=0, le=0.1)] = 1e-6
    """Compressibility c of brine, likewise."""
    co2_density_law: DensityLaw = "exponential"
    """Law of the CO2 density, ρ/ρ_ref with X = c (p − p_ref): ``"exponential"`` e^X, ``"linear"`` 1 + X, ``"quadratic"``
    1 + X + X²/2."""
    brine_density_law: DensityLaw = "exponential"
    """Law of the brine density, likewise."""
    co2_viscosity_Pa_s: Annotated[float, Field(ge=1e-6, le=0.02)] = 1e-4  # noqa: N815
    """Dynamic viscosity of CO2."""
    brine_viscosity_Pa_s: Annotated[float, Field(ge=1e-6, le=0.02)] = 1e-3  # noqa: N815
    """Dynamic viscosity of brine."""
    relative_permeability: Literal["corey", "brooks_corey", "van_genuchten"] = "corey"
    """Curves: powers (``"corey"``), Brooks–Corey with Burdine, van Genuchten with Mualem."""
    co2_corey_exponent: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """Exponent of the relative permeability of CO2; of Corey's curves only."""
    brine_corey_exponent: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """Exponent of the relative permeability of brine; of Corey's curves only."""
    pore_size_index: Positive = 2.0
    """λ of Brooks and Corey, in their relative permeability and capillary pressure."""
    van_genuchten_m: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """m of van Genuchten's relative permeability."""
    co2_residual: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Saturation below which CO2 does not move."""
    brine_residual: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Saturation below which brine does not move; CO2 saturation stays below 1 minus this."""
    capillary_entry_pressure_bar: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Entry pressure of the Brooks–Corey capillary pressure; 0: none."""
    land_coefficient: Positive | None = None
    """Land's C: CO2 that retreats leaves S_max/(1 + C S_max) behind; left out: no trapping. The members' S_max begins
    with their saturation at every survey, because an analysis changes their past."""

    def checks(self) -> Iterable[Check]:
        return (self._residual_saturations, self._densities)

    def _residual_saturations(self, study: Any) -> None:
        if self.co2_residual + self.brine_residual >= 1:
            raise InputError(
                "fluids.co2_residual", self.co2_residual, "with fluids.brine_residual it must stay below 1"
            )

    def _densities(self, study: Any) -> None:
        lighter, heavier = self.co2_density_kg_per_m3, self.brine_density_kg_per_m3
        if lighter >= heavier:
            raise InputError("fluids.co2_density_kg_per_m3", lighter, "it must be lighter than the brine")

    def build(self) -> Fluids:
        """The fluids."""
        entry = self.capillary_entry_pressure_bar * BAR
        curves = {
            "corey": None,
            "brooks_corey": BrooksCoreyCurves(self.pore_size_index),
            "van_genuchten": VanGenuchtenCurves(self.van_genuchten_m),
        }
        return Fluids(
            brine_density=self.brine_density_kg_per_m3,
            co2_density=self.co2_density_kg_per_m3,
            reference_pressure=self.reference_pressure_bar * BAR,
            brine_compressibility=self.brine_compressibility_per_bar / BAR,
            co2_compressibility=self.co2_compressibility_per_bar / BAR,
            brine_viscosity=self.brine_viscosity_Pa_s,
            co2_viscosity=self.co2_viscosity_Pa_s,
            brine_exponent=self.brine_corey_exponent,
            co2_exponent=self.co2_corey_exponent,
            brine_residual=self.brine_residual,
            co2_residual=self.co2_residual,
            capillarity=BrooksCorey(entry, self.pore_size_index) if entry > 0 else None,
            brine_density_law=self.brine_density_law,
            co2_density_law=self.co2_density_law,
            relative_permeability=curves[self.relative_permeability],
            land_coefficient=self.land_coefficient,
        )


class InjectionTable(Table):
    """The injection well."""

    x_m: Finite = 1900.0
    """Position of the injection well along x."""
    depth_m: tuple[Finite, Finite] = (1496.0, 1596.0)
    """Top and bottom of the perforations [m]."""
    radius_m: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Radius of the bore."""
    rate_m3_per_s: Annotated[float, Field(ge=0, le=10)] = 0.05
    """Volume rate at reference density."""
    start_day: NonNegative = 0.0
    """Day the injection begins."""
    stop_day: Positive | None = None
    """Day of shut-in; left out: the well injects to the end."""
    pressure_limit_bar: Annotated[float, Field(ge=0.5, le=3000)] = 250.0
    """Bottom-hole pressure that is not exceeded; the rate falls instead."""

    def checks(self) -> Iterable[Check]:
        return (self._time, self._place, self._depth)

    def _time(self, study: Any) -> None:
        if self.stop_day is not None and self.stop_day <= self.start_day:
            raise InputError("injection.stop_day", self.stop_day, f"it must follow start_day = {self.start_day:g}")

    def _place(self, study: Any) -> None:
        (left, right), _ = study.grid.build().extent
        if not left < self.x_m < right:
            raise InputError("injection.x_m", self.x_m, f"the grid reaches from {left:g} to {right:g} m")

    def _depth(self, study: Any) -> None:
        _, (low, high) = study.grid.build().extent
        first, last = self.depth_m
        if not low <= first < last <= high:
            remedy = f"give top < bottom inside the grid, {low:g} to {high:g} m"
            raise InputError("injection.depth_m", (first, last), remedy)

    def well(self) -> Well:
        """The well."""
        return Well(self.x_m, self.depth_m, self.radius_m, pressure_limit=self.pressure_limit_bar * BAR)

    def schedule(self) -> Schedule:
        """Its rates over time."""
        times, rates = [self.start_day * DAY], [self.rate_m3_per_s]
        if self.stop_day is not None:
            times, rates = [*times, self.stop_day * DAY], [*rates, 0.0]
        return Schedule(times, rates)


class SolverTable(Table):
    """Time stepping of the two-phase flow."""

    max_step_days: Annotated[float, Field(gt=0, le=3650)] = 20.0
    """Longest time step; it sets the accuracy in time (backward Euler, first order)."""
    linear_solver: Literal["auto", "cpr", "direct"] = "auto"
    """Preconditioned GMRES (``"cpr"``), factorisation (``"direct"``), or the former with the latter as its reserve."""

    def build(self) -> StepControl:
        """The time stepping."""
        return StepControl(maximum=self.max_step_days * DAY, solver=self.linear_solver)
