r"""Stationary Gaussian random fields.

w(x) ~ GP(0, c),   c(d) = exp(−½ Σ_a (d_a / ℓ_a)²),   unit variance.

Drawn exactly on the cell centres by circulant embedding (Dietrich & Newsam 1997, SIAM J. Sci. Comput. 18, 1088–1107): the
grid is padded to a torus long enough that the covariance has died out, where the covariance matrix is diagonal in Fourier
space with eigenvalues λ = FFT(c); then w = Re FFT⁻¹(√λ · FFT(white noise)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, next_fast_len, rfftn

from seisflow.errors import InputError
from seisflow.grid import Grid

__all__ = ["gaussian_field"]

REACH = 6.0
"""Padding in correlation lengths: exp(−½ 6²) = 1.5e-8, so the torus is not felt."""


def gaussian_field(grid: Grid, length: tuple[float, ...], generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw one field of unit variance.

    Parameters
    ----------
    grid
        Cells to draw on.
    length
        Correlation length ℓ along each axis [m], positive.
    generator
        Source of randomness.

    Returns
    -------
    NDArray
        ``grid.shape``.
    """
    if len(length) != grid.ndim or not all(value > 0 for value in length):
        raise InputError("length", length, f"give {grid.ndim} positive correlation lengths in metres")
    torus = tuple(
        next_fast_len(n + int(np.ceil(REACH * ell / h)), real=True)
        for n, ell, h in zip(grid.shape, length, grid.spacing, strict=True)
    )
    covariance = np.ones(torus)
    for axis, (n, ell, h) in enumerate(zip(torus, length, grid.spacing, strict=True)):
        distance = np.minimum(np.arange(n), n - np.arange(n)) * h / ell
        shape = [1] * len(torus)
        shape[axis] = n
        covariance = covariance * np.exp(-0.5 * distance**2).reshape(shape)
    amplitude = np.sqrt(np.clip(rfftn(covariance).real, 0.0, None))
    field = irfftn(amplitude * rfftn(generator.standard_normal(torus)), s=torus)
    return np.ascontiguousarray(field[tuple(slice(0, n) for n in grid.shape)])
