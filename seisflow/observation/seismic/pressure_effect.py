r"""What a change of pore pressure does to the rock's frame.

Injection raises the pore pressure p, which unloads the grains: the effective pressure P = P_overburden − p falls and the
frame softens.

* :class:`HertzMindlin` : contacts of elastic spheres: the dry frame's bulk and shear moduli grow as P^(1/3) (Mindlin 1949;
  Mavko, Mukerji & Dvorkin 2009, section 5.4). Cemented sandstones are less sensitive: a smaller exponent.
* :class:`LinearPressure` : v_p changes by a fixed amount per pascal, as measured on cores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["HertzMindlin", "LinearPressure"]


@dataclass(frozen=True)
class HertzMindlin:
    """The dry frame's moduli are proportional to P^n.

    Parameters
    ----------
    exponent
        n: 1/3 for loose grains, towards 0 for cemented ones.
    """

    exponent: float = 1 / 3

    def __post_init__(self) -> None:
        if not 0 < self.exponent <= 1:
            raise InputError("pressure.exponent", self.exponent, "give a number above 0, at most 1; 1/3 is theory")

    def stiffening(self, change: NDArray, effective: NDArray) -> NDArray[np.float64]:
        """Factor on the dry frame's moduli.

        Parameters
        ----------
        change
            Change Δp of the pore pressure [Pa].
        effective
            Effective pressure P before [Pa]. At least 5 % of it is left: beyond, the rock would fracture.
        """
        return np.maximum(1 - change / effective, 0.05) ** self.exponent


@dataclass(frozen=True)
class LinearPressure:
    """v_p changes in proportion to the pore pressure.

    Parameters
    ----------
    slope
        dv_p/dp [m/s/Pa]: negative; −5e-6 is −5 m/s per MPa.
    """

    slope: float = -5e-6

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and self.slope <= 0):
            raise InputError("pressure.slope", self.slope, "give m/s per Pa, 0 or negative")
