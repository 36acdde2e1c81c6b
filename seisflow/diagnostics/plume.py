r"""Plume numbers that an operator asks for: mass in place and extent, as errors against a truth.

mass(S, p) = Σ_c φ_c V ρ_n(p_c) S_c is computed by the dynamics, since it knows the densities; here are its errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["extent", "extent_error", "mass_error"]


def mass_error(mass: NDArray, true_mass: float) -> float:
    """Relative error of the mean mass in place: (mean m_i − m°) / m°, signed.

    Parameters
    ----------
    mass
        Mass of every member [kg], ``(M,)``.
    true_mass
        Mass of the truth [kg].
    """
    return float((np.mean(mass) - true_mass) / true_mass)


def extent(saturation: NDArray, spacing: float, threshold: float = 0.01) -> NDArray[np.float64]:
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
