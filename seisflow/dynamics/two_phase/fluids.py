r"""CO2 (n) and brine (w): density, viscosity, relative permeability, capillary pressure, trapping.

    X_α = c_α (p_α − p_ref)
    ρ_α = ρ_α,ref e^{X_α}   ("exponential"),   ρ_α,ref (1 + X_α)   ("linear"),   ρ_α,ref (1 + X_α + X_α²/2)   ("quadratic")

Brine density is taken at p_w, CO2 density at p_n = p_w + p_c. Viscosities are constant. Curves are in
:mod:`~seisflow.dynamics.two_phase.curves` and :mod:`~seisflow.dynamics.two_phase.capillarity`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seisflow.dynamics.two_phase.capillarity import BrooksCorey, Capillarity, TabulatedCapillarity, VanGenuchten
from seisflow.dynamics.two_phase.checks import not_negative, positive, require
from seisflow.dynamics.two_phase.curves import (
    BrooksCoreyCurves,
    RelativePermeability,
    TabulatedCurves,
    VanGenuchtenCurves,
)
from seisflow.dynamics.two_phase.engine import Value
from seisflow.errors import InputError
from seisflow.units import BAR

__all__ = ["DensityLaw", "Fluids"]

DensityLaw = Literal["exponential", "linear", "quadratic"]

NUMBERS = (
    *("brine_density", "co2_density", "reference_pressure", "brine_compressibility", "co2_compressibility"),
    *("brine_viscosity", "co2_viscosity", "brine_exponent", "co2_exponent", "brine_residual", "co2_residual"),
    *("brine_endpoint", "co2_endpoint"),
)


@dataclass(frozen=True)
class Fluids:
    """CO2 and brine. Defaults: reference values of the published Compass studies.

    Parameters
    ----------
    brine_density, co2_density
        ρ_ref at the reference pressure [kg/m³].
    reference_pressure
        p_ref [Pa].
    brine_compressibility, co2_compressibility
        c [1/Pa].
    brine_viscosity, co2_viscosity
        μ [Pa·s].
    brine_exponent, co2_exponent
        Corey exponents n of the relative permeabilities, 1 or more; used when ``relative_permeability`` is ``None``.
    brine_residual, co2_residual
        S_wr and S_nr: what does not flow. CO2 saturations stay below 1 − S_wr.
    capillarity
        Capillary pressure model, or ``None`` for none.
    brine_density_law, co2_density_law
        How density depends on pressure: ``"exponential"``, ``"linear"`` or ``"quadratic"``.
    relative_permeability
        A model of :mod:`~seisflow.dynamics.two_phase.curves`; ``None``: Corey's, with the exponents above.
    land_coefficient
        C of Land's trapping, or ``None`` for none. A cell whose CO2 saturation has been S_max at most keeps
        S_t = S_max/(1 + C S_max) for ever (Land 1968, Calculation of imbibition relative permeability for two- and
        three-phase flow from rock properties, SPE Journal 8, 149-156, doi:10.2118/1942-PA), and CO2 flows along the
        drainage curve at its free part (Carlson 1981, Simulation of relative permeability hysteresis to the nonwetting
        phase, doi:10.2118/10157-MS). Saturations count from the drainage residual S_nr here.
    brine_endpoint, co2_endpoint
        Factors on the relative permeabilities, in (0, 1].

    Raises
    ------
    InputError
        When a value is out of its range.
    """

    brine_density: float = 1000.0
    co2_density: float = 700.0
    reference_pressure: float = 150 * BAR
    brine_compressibility: float = 1e-6 / BAR
    co2_compressibility: float = 1e-4 / BAR
    brine_viscosity: float = 1e-3
    co2_viscosity: float = 1e-4
    brine_exponent: float = 2.0
    co2_exponent: float = 2.0
    brine_residual: float = 0.1
    co2_residual: float = 0.1
    capillarity: Capillarity | None = None
    brine_density_law: DensityLaw = "exponential"
    co2_density_law: DensityLaw = "exponential"
    relative_permeability: RelativePermeability | None = None
    land_coefficient: float | None = None
    brine_endpoint: float = 1.0
    co2_endpoint: float = 1.0

    def __post_init__(self) -> None:
        for name in ("brine_density", "co2_density"):
            positive(f"fluids.{name}", getattr(self, name), " in kg/m³")
        for name in ("brine_viscosity", "co2_viscosity"):
            positive(f"fluids.{name}", getattr(self, name), " in Pa·s")
        positive("fluids.reference_pressure", self.reference_pressure, " in Pa")
        for name in ("brine_compressibility", "co2_compressibility"):
            not_negative(f"fluids.{name}", getattr(self, name), " in 1/Pa")
        for name in ("brine_exponent", "co2_exponent"):
            value = getattr(self, name)
            require(math.isfinite(value) and value >= 1, f"fluids.{name}", value, "give an exponent of 1 or more")
        for name in ("brine_residual", "co2_residual"):
            not_negative(f"fluids.{name}", getattr(self, name), "")
        total = self.brine_residual + self.co2_residual
        require(total < 1, "fluids.brine_residual + fluids.co2_residual", total, "their sum must be below 1")
        for name in ("brine_endpoint", "co2_endpoint"):
            value = getattr(self, name)
            require(0 < value <= 1, f"fluids.{name}", value, "give a factor above 0 and at most 1")
        for name in ("brine_density_law", "co2_density_law"):
            if getattr(self, name) not in ("exponential", "linear", "quadratic"):
                remedy = 'give "exponential", "linear" or "quadratic"'
                raise InputError(f"fluids.{name}", getattr(self, name), remedy)
        models = {
            "capillarity": (BrooksCorey, VanGenuchten, TabulatedCapillarity),
            "relative_permeability": (BrooksCoreyCurves, VanGenuchtenCurves, TabulatedCurves),
        }
        for name, kinds in models.items():
            model = getattr(self, name)
            if not (model is None or isinstance(model, kinds)):
                names = ", ".join(kind.__name__ for kind in kinds)
                raise InputError(f"fluids.{name}", model, f"give one of {names}, or None")
        if self.land_coefficient is not None:
            positive("fluids.land_coefficient", self.land_coefficient, ", or None for no trapping")

    @property
    def highest_saturation(self) -> float:
        """CO2 saturation at which brine stops flowing: 1 − S_wr, or what the table says."""
        curves = self.relative_permeability
        return curves.highest_saturation if isinstance(curves, TabulatedCurves) else 1 - self.brine_residual

    def brine_density_at(self, pressure: ArrayLike) -> NDArray:
        """Brine density [kg/m³] at a brine pressure [Pa]."""
        X = self.brine_compressibility * (np.asarray(pressure) - self.reference_pressure)
        return self.brine_density * _relative_density(self.brine_density_law, X)

    def co2_density_at(self, pressure: ArrayLike) -> NDArray:
        """CO2 density [kg/m³] at a CO2 pressure [Pa]."""
        X = self.co2_compressibility * (np.asarray(pressure) - self.reference_pressure)
        return self.co2_density * _relative_density(self.co2_density_law, X)

    def co2_pressure(self, saturation: NDArray, pressure: NDArray) -> NDArray:
        """p_n = p_w + p_c(S) [Pa] at CO2 saturations and brine pressures."""
        if self.capillarity is None:
            return pressure
        return pressure + self.capillarity.at(saturation, self.brine_residual)

    def relative_permeabilities(self, saturation: ArrayLike) -> tuple[NDArray, NDArray]:
        """(k_rw, k_rn) on drainage at CO2 saturations S, each with the shape of ``saturation``."""
        S, curves = np.asarray(saturation, np.float64), self.relative_permeability
        if isinstance(curves, TabulatedCurves):
            return curves.at(S)
        Se = np.clip((1 - S - self.brine_residual) / (1 - self.brine_residual - self.co2_residual), 0.0, 1.0)
        brine, co2 = (Se**self.brine_exponent, (1 - Se) ** self.co2_exponent) if curves is None else curves.values(Se)
        return self.brine_endpoint * brine, self.co2_endpoint * co2

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes the fluids."""
        numbers: dict[str, Value] = {name: float(getattr(self, name)) for name in NUMBERS}
        if self.land_coefficient is not None:
            numbers["land_coefficient"] = float(self.land_coefficient)
        return {
            **numbers,
            "brine_density_law": self.brine_density_law,
            "co2_density_law": self.co2_density_law,
            **(self.capillarity.arrays() if self.capillarity else {"capillarity": "none"}),
            **(
                self.relative_permeability.arrays()
                if self.relative_permeability
                else {"relative_permeability": "corey"}
            ),
        }


def _relative_density(law: DensityLaw, X: NDArray) -> NDArray:
    """ρ/ρ_ref at X = c (p − p_ref)."""
    if law == "exponential":
        return np.exp(X)
    return 1 + X if law == "linear" else 1 + X + 0.5 * X**2
