r"""Plume numbers that an operator asks for: mass in place and extent, as errors against a truth.

region: cells that are wet in the truth or in any member of a reference ensemble. Coverage is counted there: elsewhere truth
and members are dry, and every method is right.

mass = Σ_c φ V ρ_n(p_c) S_c over the cells of the grid as they are, without the huge pore volume by which a simulator may
mimic an open aquifer at its edges.

Front width: cells between two saturations, per length of front,

    w = |{a < S < b}| / ( Σ_c |∇ clip(S, a, b)| / (b − a) ) ,

the denominator being the length (in 3-D the area) of the level sets between a and b, averaged over levels (coarea formula),
with forward differences. 0 for a jump from below a to above b, n for a ramp with n cells between.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["DRY", "PLUME", "extent", "extent_error", "front_width", "mass", "mass_error", "probability", "region"]

DRY = 0.01
"""Saturation above which a cell counts as wet, that is as part of a plume [-]."""


PLUME = 0.05
"""Saturation above which a cell belongs to the plume that a map outlines [-]: about what an image can tell from brine."""


def probability(saturation: NDArray, threshold: float = PLUME) -> NDArray[np.float64]:
    """P(S > s): the share of the members that have more CO2 than a threshold, cell by cell, ``shape``.

    Parameters
    ----------
    saturation
        ``(M, *shape)``.
    threshold
        s [-].
    """
    return np.asarray((saturation > threshold).mean(axis=0))


def region(truth: NDArray, reference: NDArray) -> NDArray[np.bool_]:
    """The plume region: cells wet in the truth or in any member of the reference, ``shape``.

    Parameters
    ----------
    truth
        True saturation [-], ``shape``.
    reference
        Saturation of a reference ensemble [-], ``(M, *shape)``: the forecasts of the open loop where there is one.
    """
    return (truth > DRY) | (reference > DRY).any(axis=0)


def mass(saturation: NDArray, density: NDArray, pore_volume: float | NDArray) -> NDArray[np.float64]:
    """Mass of CO2 in place of every member [kg], ``(M,)``.

    Parameters
    ----------
    saturation
        ``(M, *shape)``.
    density
        CO2 density at every cell's pressure [kg/m³], the same shape.
    pore_volume
        Pore volume of a cell [m³], a number or ``shape``.
    """
    cells = saturation * density * pore_volume
    return cells.reshape(len(cells), -1).sum(axis=1)


def mass_error(masses: NDArray, true_mass: float) -> float:
    """Relative error of the mean mass in place: (mean m_i − m°) / m°, signed.

    Parameters
    ----------
    masses
        Mass of every member [kg], ``(M,)``.
    true_mass
        Mass of the truth [kg].
    """
    return float((np.mean(masses) - true_mass) / true_mass)


def extent(saturation: NDArray, spacing: float, threshold: float = DRY) -> NDArray[np.float64]:
    """Lateral extent of each plume [m]: the number of columns with S above the threshold, times the spacing.

    Parameters
    ----------
    saturation
        ``(M, x, z)``.
    spacing
        Cell size along x [m].
    """
    return (saturation > threshold).any(axis=-1).sum(axis=-1) * spacing


def extent_error(saturation: NDArray, truth: NDArray, spacing: float) -> float:
    """Error of the mean lateral extent [m], signed."""
    return float(extent(saturation, spacing).mean() - extent(truth[None], spacing)[0])


def front_width(saturation: NDArray, low: float = DRY, high: float = 0.15) -> NDArray[np.float64]:
    """Width of the front of every member [cells], ``(M,)``; NaN without a front.

    A learned or averaged state whose front is wider than that of simulated ones has been blurred.

    Parameters
    ----------
    saturation
        ``(M, *shape)``.
    low, high
        a and b: between the rounding of a dry cell and the saturation behind the shock.
    """
    if not low < high:
        raise InputError("low", low, f"give a saturation below high = {high}")
    members, cut = len(saturation), np.clip(np.asarray(saturation, np.float64), low, high)
    between = ((cut > low) & (cut < high)).reshape(members, -1).sum(axis=1)
    squares = np.zeros_like(cut)
    for axis in range(1, cut.ndim):
        squares += np.diff(cut, axis=axis, append=cut.take([-1], axis=axis)) ** 2
    length = np.sqrt(squares).reshape(members, -1).sum(axis=1) / (high - low)
    return np.divide(between, length, out=np.full(members, np.nan), where=length > 0)
