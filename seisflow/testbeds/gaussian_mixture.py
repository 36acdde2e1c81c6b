r"""Mixtures of Gaussians on vectors, with everything about them exact: density, score, draws, and the posterior.

    p(x) = Σ_k π_k N(x; m_k, C_k) ,          y = H x + e ,  e ~ N(0, R)
    p(x | y) = Σ_k π_k' N(x; m_k + K_k (y − H m_k), (I − K_k H) C_k) ,     π_k' ∝ π_k N(y; H m_k, H C_k Hᵀ + R) ,
    ∇ log p(x) = − Σ_k ρ_k(x) C_k⁻¹ (x − m_k) ,     ρ_k(x) = π_k N(x; m_k, C_k) / p(x) ,

K_k the Kalman gain of component k. Dense matrices: for oracles and small problems.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from seisflow.errors import InputError

__all__ = ["GaussianMixture"]


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of K Gaussians in n dimensions.

    Parameters
    ----------
    weights
        π_k ``(K,)``, positive; scaled to sum one.
    means
        m_k ``(K, n)``.
    covariances
        C_k ``(K, n, n)``.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def __post_init__(self) -> None:
        weights, means, C = (np.asarray(a, np.float64) for a in (self.weights, self.means, self.covariances))
        K, n = means.shape if means.ndim == 2 else (0, 0)
        if weights.shape != (K,) or C.shape != (K, n, n) or not (weights >= 0).all() or not weights.sum() > 0:
            shapes = (weights.shape, means.shape, C.shape)
            raise InputError(
                "weights, means, covariances", shapes, "give (K,) weights of 0 or more, (K, n) and (K, n, n)"
            )
        for name, value in (("weights", weights / weights.sum()), ("means", means), ("covariances", C)):
            object.__setattr__(self, name, value)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Of the mixture, ``(n,)``."""
        return self.weights @ self.means

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of the mixture, ``(n, n)``."""
        apart = self.means - self.mean
        return np.tensordot(self.weights, self.covariances + apart[:, :, None] * apart[:, None, :], axes=1)

    def _log_components(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """log π_k N(x; m_k, C_k) ``(n, K)``, and C_k⁻¹ (x − m_k) ``(n, K, D)``."""
        apart = np.asarray(x, np.float64)[:, None] - self.means
        solved = np.einsum("kij,nkj->nki", np.linalg.inv(self.covariances), apart)
        constant = np.linalg.slogdet(2 * np.pi * self.covariances)[1]
        with np.errstate(divide="ignore"):  # a component of weight zero
            return np.log(self.weights) - 0.5 * (constant + (apart * solved).sum(axis=2)), solved

    def log_prob(self, x: NDArray) -> NDArray[np.float64]:
        """log p of every row of ``(N, n)``."""
        return logsumexp(self._log_components(x)[0], axis=1)

    def score(self, x: NDArray) -> NDArray[np.float64]:
        """∇ log p at every row of ``(N, n)``."""
        logs, solved = self._log_components(x)
        return -np.einsum("nk,nki->ni", softmax(logs, axis=1), solved)

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Independent draws ``(n, D)``."""
        which = generator.choice(len(self.weights), size=n, p=self.weights)
        roots = np.linalg.cholesky(self.covariances)
        return self.means[which] + np.einsum("nij,nj->ni", roots[which], generator.standard_normal((n, self.mean.size)))

    def condition(self, H: NDArray, R: NDArray, y: NDArray) -> GaussianMixture:
        """The posterior of this module's head, for H ``(d, n)``, R ``(d, d)`` and y ``(d,)``."""
        cross = self.covariances @ H.T
        S = H @ cross + R
        innovations = y - self.means @ H.T
        gains = np.linalg.solve(S, np.swapaxes(cross, 1, 2))
        quadratic = np.einsum("ki,kij,kj->k", innovations, np.linalg.inv(S), innovations)
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights) - 0.5 * (quadratic + np.linalg.slogdet(S)[1])
        means = self.means + np.einsum("kdi,kd->ki", gains, innovations)
        return GaussianMixture(softmax(logs), means, self.covariances - cross @ gains)
