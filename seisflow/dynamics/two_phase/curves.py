r"""Relative permeabilities k_rw (brine) and k_rn (CO2).

With S_e = (S_w − S_wr)/(1 − S_wr − S_nr), clamped to [0, 1]:

    Corey           k_rw = S_e^n_w                          k_rn = (1 − S_e)^n_n        (exponents of ``Fluids``)
    Brooks–Corey    k_rw = S_e^((2+3λ)/λ)                   k_rn = (1 − S_e)² (1 − S_e^((2+λ)/λ))
    van Genuchten   k_rw = √S_e (1 − (1 − S_e^(1/m))^m)²    k_rn = √(1 − S_e) (1 − S_e^(1/m))^(2m)
    table           piecewise linear in the CO2 saturation, constant outside; residuals and endpoints are in the table

The second line is Brooks and Corey's retention curve in the integrals of Burdine (1953), the third van Genuchten's
(1980) in those of Mualem (1976).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.capillarity import table_saturations, table_values
from seisflow.dynamics.two_phase.checks import positive, require
from seisflow.dynamics.two_phase.engine import Value

__all__ = ["BrooksCoreyCurves", "RelativePermeability", "TabulatedCurves", "VanGenuchtenCurves"]


@dataclass(frozen=True)
class BrooksCoreyCurves:
    """k_rw = S_e^((2+3λ)/λ), k_rn = (1 − S_e)² (1 − S_e^((2+λ)/λ)).

    Brooks and Corey (1964), Hydraulic properties of porous media, with Burdine (1953), Relative permeability
    calculations from pore size distribution data, Transactions AIME 198, 71-78, doi:10.2118/225-G.

    Parameters
    ----------
    pore_size_index
        λ.
    """

    pore_size_index: float = 2.0

    def __post_init__(self) -> None:
        positive("relative_permeability.pore_size_index", self.pore_size_index, "")

    def values(self, effective: NDArray) -> tuple[NDArray, NDArray]:
        """(k_rw, k_rn) at effective brine saturations S_e in [0, 1]."""
        exponent = 2 / self.pore_size_index
        return effective ** (3 + exponent), (1 - effective) ** 2 * (1 - effective ** (1 + exponent))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {"relative_permeability": "brooks_corey", "curve_pore_size_index": self.pore_size_index}


@dataclass(frozen=True)
class VanGenuchtenCurves:
    """k_rw = √S_e (1 − (1 − S_e^(1/m))^m)², k_rn = √(1 − S_e) (1 − S_e^(1/m))^(2m).

    van Genuchten (1980), doi:10.2136/sssaj1980.03615995004400050002x, with Mualem (1976), A new model for predicting the
    hydraulic conductivity of unsaturated porous media, Water Resources Research 12, 513-522,
    doi:10.1029/WR012i003p00513; the CO2 curve as in Parker, Lenhard and Kuppusamy (1987), A parametric model for
    constitutive properties governing multiphase flow in porous media, Water Resources Research 23, 618-624,
    doi:10.1029/WR023i004p00618. The slope of k_rw is infinite where CO2 appears; the simulator takes a chord over the
    first 10⁻⁶ of effective saturation there.

    Parameters
    ----------
    m
        Shape, between 0 and 1.
    """

    m: float = 0.5

    def __post_init__(self) -> None:
        require(0 < self.m < 1, "relative_permeability.m", self.m, "give a value between 0 and 1")

    def values(self, effective: NDArray) -> tuple[NDArray, NDArray]:
        """(k_rw, k_rn) at effective brine saturations S_e in [0, 1]."""
        drained = 1 - effective ** (1 / self.m)
        return np.sqrt(effective) * (1 - drained**self.m) ** 2, np.sqrt(1 - effective) * drained ** (2 * self.m)

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {"relative_permeability": "van_genuchten", "curve_van_genuchten_m": self.m}


@dataclass(frozen=True, eq=False)
class TabulatedCurves:
    """Relative permeabilities from a table: piecewise linear in the CO2 saturation, constant outside.

    The residuals and endpoints of :class:`~seisflow.dynamics.two_phase.fluids.Fluids` do not apply: the table has them.

    Parameters
    ----------
    saturation
        S of CO2, increasing, within [0, 1], ``(T,)`` with T ≥ 2.
    brine, co2
        k_rw, nowhere rising, and k_rn, nowhere falling, in [0, 1], ``(T,)``.

    Raises
    ------
    InputError
        When the table is not one.
    """

    saturation: Sequence[float] | NDArray[np.floating]
    brine: Sequence[float] | NDArray[np.floating]
    co2: Sequence[float] | NDArray[np.floating]

    def __post_init__(self) -> None:
        S = table_saturations("relative_permeability.saturation", self.saturation)
        object.__setattr__(self, "saturation", S)
        for name, sign, way in (("brine", -1, "rise"), ("co2", 1, "fall")):
            argument = f"relative_permeability.{name}"
            values = table_values(argument, getattr(self, name), S.size)
            require(bool(((values >= 0) & (values <= 1)).all()), argument, values.tolist(), "give values from 0 to 1")
            remedy = f"it must not {way} with the CO2 saturation"
            require(bool((sign * np.diff(values) >= 0).all()), argument, values.tolist(), remedy)
            object.__setattr__(self, name, values)

    @property
    def highest_saturation(self) -> float:
        """The CO2 saturation at which brine stops flowing; 1 when it never does."""
        still = np.flatnonzero(np.asarray(self.brine) == 0)
        return float(self.saturation[int(still[0])]) if still.size else 1.0

    def at(self, saturation: NDArray) -> tuple[NDArray, NDArray]:
        """(k_rw, k_rn) at CO2 saturations S."""
        S = np.asarray(self.saturation)
        return np.interp(saturation, S, np.asarray(self.brine)), np.interp(saturation, S, np.asarray(self.co2))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {
            "relative_permeability": "table",
            "curve_saturation": np.asarray(self.saturation),
            "curve_brine": np.asarray(self.brine),
            "curve_co2": np.asarray(self.co2),
        }


RelativePermeability = BrooksCoreyCurves | VanGenuchtenCurves | TabulatedCurves
"""Every model of relative permeability besides Corey's, which the exponents of the fluids describe."""
