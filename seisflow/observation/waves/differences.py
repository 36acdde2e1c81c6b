r"""Central differences of any even order n, on the nodes of a regular grid.

    f''_i ≈ Σ_j c_j f_{i+j} / h²,    f'_i ≈ Σ_j d_j f_{i+j} / h,    |j| ≤ n/2,

with the weights that are exact for polynomials of degree n: c symmetric, d antisymmetric. The Laplacian L sums the second
differences over the axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

__all__ = ["laplacian", "laplacian_transposed", "largest_eigenvalue", "second_derivative"]


def second_derivative(order: int) -> NDArray[np.float64]:
    """Weights c of the central second difference of an even order on unit spacing, ``(order + 1,)``."""
    offsets = np.arange(-(order // 2), order // 2 + 1, dtype=float)
    powers = np.vander(offsets, increasing=True).T
    right = np.zeros(order + 1)
    right[2] = 2.0
    return np.linalg.solve(powers, right)


def laplacian(field: NDArray, spacing: tuple[float, ...], order: int, beyond: str = "nearest") -> NDArray[np.float64]:
    """The discrete Laplacian L of a field, float64; ``beyond`` its edges it is constant, or zero (``"constant"``)."""
    weights = second_derivative(order)
    field = np.asarray(field, np.float64)
    total = np.zeros_like(field)
    for axis, h in enumerate(spacing):
        total += correlate1d(field, weights / h**2, axis=axis, mode=beyond)
    return total


def laplacian_transposed(field: NDArray, spacing: tuple[float, ...], order: int) -> NDArray[np.float64]:
    """The transpose of :func:`laplacian` with constant continuation: what reached beyond an edge returns to it."""
    reach = order // 2
    wide = laplacian(np.pad(np.asarray(field, np.float64), reach), spacing, order, "constant")
    for axis in range(wide.ndim):
        line = np.moveaxis(wide, axis, 0)
        line[reach] += line[:reach].sum(axis=0)
        line[-reach - 1] += line[-reach:].sum(axis=0)
        wide = np.moveaxis(line[reach:-reach], 0, axis)
    return np.ascontiguousarray(wide)


def largest_eigenvalue(spacing: tuple[float, ...], order: int) -> float:
    """The largest eigenvalue of −L [1/m²], reached by the field that changes sign from node to node."""
    return float(np.abs(second_derivative(order)).sum() * sum(h**-2 for h in spacing))
