r"""The sample covariance of an ensemble, localised, as a sparse matrix of full rank.

    B = diag(s) (ρ ∘ Z'ᵀ Z'/(M − 1)) diag(s) ,      Z' the anomalies in units of their deviations s,  ρ_ij = ρ(‖p_i − p_j‖),

ρ the taper of Gaspari & Cohn (:mod:`~seisflow.analysis.localization`), zero from 3.64 radii on. The product with a positive
definite taper makes B positive definite (Schur): it can be inverted where the sample covariance cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import SuperLU, splu
from scipy.spatial import cKDTree

from seisflow.analysis.localization import HALF_WIDTH, taper
from seisflow.errors import InputError

__all__ = ["LocalizedCovariance", "LocalizedPrior"]

LARGEST = 40_000_000
"""Most entries that B may have, about 0.5 GB; its factors take several times as much."""


@dataclass(frozen=True, eq=False)
class LocalizedCovariance:
    """B = diag(s) C diag(s) with a sparse positive definite C on the variables that vary; the others have variance zero.

    Parameters
    ----------
    deviation
        s ``(n,)``.
    varying
        Which variables vary, ``(n,)``.
    correlation
        C of these.
    """

    deviation: NDArray[np.float64]
    varying: NDArray[np.bool_]
    correlation: csc_matrix

    @property
    def variance(self) -> NDArray[np.float64]:
        """The diagonal of B ``(n,)``."""
        return self.deviation**2

    def apply(self, vectors: NDArray) -> NDArray[np.float64]:
        """B times every row of ``(N, n)``."""
        return self._scaled(vectors, self.deviation, lambda columns: self.correlation @ columns)

    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        """B⁻¹ times every row of ``(N, n)``; zero for variables that do not vary."""
        safe = np.where(self.varying, self.deviation, 1.0)
        return self._scaled(vectors, 1 / safe, self._factors.solve)

    def _scaled(self, vectors: NDArray, scale: NDArray, action: object) -> NDArray[np.float64]:
        columns = np.ascontiguousarray((vectors * scale)[:, self.varying].T)
        result = np.zeros(np.shape(vectors))
        result[:, self.varying] = action(columns).T  # type: ignore[operator]
        return result * scale

    @cached_property
    def _factors(self) -> SuperLU:
        return splu(self.correlation)


@dataclass(frozen=True, eq=False)
class LocalizedPrior:
    """Makes the localised covariance of an ensemble.

    Parameters
    ----------
    positions
        Where the packed variables lie, ``(n,)`` or ``(n, axes)``; fields on one grid repeat its positions.
    radius
        Distance at which the taper is about exp(−½).
    period
        Length of the ring or torus per axis; None: not periodic.
    """

    positions: NDArray[np.float64]
    radius: float
    period: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        p = np.asarray(self.positions, np.float64)
        object.__setattr__(self, "positions", p[:, None] if p.ndim == 1 else p)
        if not self.radius > 0:
            raise InputError("radius", self.radius, "give a positive distance")

    def of(self, X: NDArray) -> LocalizedCovariance:
        """B of the rows of X ``(M, n)``.

        Raises
        ------
        InputError
            When positions and variables do not fit, or B would have more than 40 million entries.
        """
        M, n = X.shape
        if n != len(self.positions) or M < 2:
            raise InputError("positions", self.positions.shape, f"there are {M} members of {n} variables")
        anomalies = X - X.mean(axis=0)
        deviation = np.sqrt((anomalies**2).sum(axis=0) / (M - 1))
        varying = deviation > 1e-12 * np.abs(X).max(axis=0)
        Z = np.ascontiguousarray((anomalies[:, varying] / deviation[varying]).T)
        tree = cKDTree(self.positions[varying], boxsize=self.period)
        reach = 2 * HALF_WIDTH * self.radius
        entries = tree.count_neighbors(tree, reach)
        if entries > LARGEST:
            raise InputError(
                "radius", self.radius, f"B would have {entries} entries; shorten it, or update fewer variables"
            )
        pairs = tree.sparse_distance_matrix(tree, reach, output_type="ndarray")
        i, j = pairs["i"], pairs["j"]
        values = np.concatenate(
            [
                np.einsum("pm,pm->p", Z[i[k : k + 500_000]], Z[j[k : k + 500_000]])
                for k in range(0, max(len(i), 1), 500_000)
            ]
        )
        values *= taper(pairs["v"], self.radius) / (M - 1)
        size = int(varying.sum())
        return LocalizedCovariance(
            np.where(varying, deviation, 0.0), varying, csc_matrix((values, (i, j)), shape=(size, size))
        )
