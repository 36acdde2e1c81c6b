r"""Capillary pressure p_c = p_n − p_w as a function of the CO2 saturation S.

    Brooks and Corey   p_c = p_e S_e^(−1/λ)                 S_e = (1 − S − S_wr)/(1 − S_wr), at most 1
    van Genuchten      p_c = P (S_e^(−1/m) − 1)^(1−m)
    table              piecewise linear in S, constant outside

The first two grow without bound where brine runs out (and van Genuchten's slope also where it is everywhere); they are
continued by their tangents there. Each is written twice, here and in ``julia/src/capillarity.jl``; tests compare them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.checks import increasing, number_or_field, positive, require
from seisflow.dynamics.two_phase.engine import Value

__all__ = ["BrooksCorey", "Capillarity", "TabulatedCapillarity", "VanGenuchten"]


@dataclass(frozen=True)
class BrooksCorey:
    """Capillary pressure p_c = p_e S_e^(−1/λ), S_e = (S_w − S_wr)/(1 − S_wr).

    Brooks and Corey (1964), Hydraulic properties of porous media, Colorado State University. Below S_e = 0.05 it is
    continued by its tangent.

    Parameters
    ----------
    entry_pressure
        p_e [Pa].
    pore_size_index
        λ.
    """

    entry_pressure: float
    pore_size_index: float = 2.0

    def __post_init__(self) -> None:
        positive("capillarity.entry_pressure", self.entry_pressure, " in Pa")
        positive("capillarity.pore_size_index", self.pore_size_index, "")

    def at(self, saturation: NDArray, brine_residual: float) -> NDArray:
        """p_c [Pa] at CO2 saturations S, with the shape of ``saturation``."""
        Se = np.minimum((1 - saturation - brine_residual) / (1 - brine_residual), 1.0)
        knot = np.maximum(Se, 0.05)
        value = self.entry_pressure * knot ** (-1 / self.pore_size_index)
        return value * (1 - (Se - knot) / (self.pore_size_index * knot))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {
            "capillarity": "brooks_corey",
            "entry_pressure": self.entry_pressure,
            "pore_size_index": self.pore_size_index,
        }


@dataclass(frozen=True)
class VanGenuchten:
    """Capillary pressure p_c = P (S_e^(−1/m) − 1)^(1−m), S_e = (S_w − S_wr)/(1 − S_wr).

    van Genuchten (1980), A closed-form equation for predicting the hydraulic conductivity of unsaturated soils, Soil
    Science Society of America Journal 44, 892-898, doi:10.2136/sssaj1980.03615995004400050002x. Outside
    0.05 < S_e < 0.999 it is continued by its tangents.

    Parameters
    ----------
    scale
        P [Pa].
    m
        Shape, between 0 and 1.
    """

    scale: float
    m: float = 0.5

    def __post_init__(self) -> None:
        positive("capillarity.scale", self.scale, " in Pa")
        require(0 < self.m < 1, "capillarity.m", self.m, "give a value between 0 and 1")

    def at(self, saturation: NDArray, brine_residual: float) -> NDArray:
        """p_c [Pa] at CO2 saturations S, with the shape of ``saturation``."""
        Se = np.minimum((1 - saturation - brine_residual) / (1 - brine_residual), 1.0)
        knot = np.clip(Se, 0.05, 0.999)
        base = knot ** (-1 / self.m) - 1
        slope = -self.scale * (1 - self.m) / self.m * base ** (-self.m) * knot ** (-1 / self.m - 1)
        return self.scale * base ** (1 - self.m) + slope * (Se - knot)

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {"capillarity": "van_genuchten", "capillary_scale": self.scale, "van_genuchten_m": self.m}


@dataclass(frozen=True, eq=False)
class TabulatedCapillarity:
    """Capillary pressure from a table: piecewise linear in the CO2 saturation, constant outside.

    Parameters
    ----------
    saturation
        S of CO2, increasing, within [0, 1], ``(T,)`` with T ≥ 2.
    pressure
        p_c [Pa] at these saturations, ``(T,)``, nowhere falling.

    Raises
    ------
    InputError
        When the table is not one.
    """

    saturation: Sequence[float] | NDArray[np.floating]
    pressure: Sequence[float] | NDArray[np.floating]

    def __post_init__(self) -> None:
        S = table_saturations("capillarity.saturation", self.saturation)
        values = table_values("capillarity.pressure", self.pressure, S.size)
        require(bool((np.diff(values) >= 0).all()), "capillarity.pressure", values.tolist(), "p_c must not fall with S")
        object.__setattr__(self, "saturation", S)
        object.__setattr__(self, "pressure", values)

    def at(self, saturation: NDArray, brine_residual: float) -> NDArray:
        """p_c [Pa] at CO2 saturations S, with the shape of ``saturation``; the residual does not matter."""
        return np.interp(saturation, np.asarray(self.saturation), np.asarray(self.pressure))

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes this model."""
        return {
            "capillarity": "table",
            "capillary_saturation": np.asarray(self.saturation),
            "capillary_table": np.asarray(self.pressure),
        }


Capillarity = BrooksCorey | VanGenuchten | TabulatedCapillarity
"""Every model of capillary pressure."""


def table_saturations(argument: str, values: Sequence[float] | NDArray) -> NDArray[np.float64]:
    """The CO2 saturations of a table, checked: two or more, increasing, within [0, 1]."""
    S = increasing(argument, values, "CO2 saturations")
    good = S.size >= 2 and S[0] >= 0 and S[-1] <= 1
    require(bool(good), argument, S.tolist(), "give at least two saturations between 0 and 1")
    return S


def table_values(argument: str, values: Sequence[float] | NDArray, count: int) -> NDArray[np.float64]:
    """The values of a table, checked: finite, one per saturation."""
    array = np.asarray(number_or_field(argument, values))
    require(
        array.shape == (count,), f"{argument}.shape", array.shape, f"give one value for each of the {count} saturations"
    )
    require(bool(np.isfinite(array).all()), argument, array.tolist(), "give finite values")
    return array
