r"""Importance weights of an ensemble: from likelihoods to numbers of offspring.

    log w_i ← log w_i − ½ (y° − H x_i)ᵀ R⁻¹ (y° − H x_i) ,      Σ w_i = 1 .

Systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1–25) puts one comb of M teeth, shifted by one uniform
number, over the cumulated weights: member i gets ⌊M w_i⌋ or ⌈M w_i⌉ copies.

Copies are told apart by a jitter (regularised particle filter; Musso, Oudjane & Le Gland 2001)

    x_j ← x_j + h C^½ ξ_j ,     ξ_j ~ N(0, I) ,     h = r M^(−1/(n+4)) ,

C the weighted ensemble covariance, never formed: C^½ ξ is a random combination of the weighted anomalies. n is the number
of unknowns, r a factor to be chosen; members that were drawn once stay as they are.

Between cycles the weights travel with the members as the field ``log_weight`` ``(M,)``; without it they are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from seisflow.analysis.base import Evidence
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = [
    "carried",
    "jitter_duplicates",
    "log_likelihood",
    "member_weights",
    "normalise",
    "systematic_resampling",
    "weighted_anomalies",
    "without_weights",
]


def log_likelihood(evidence: Evidence) -> NDArray[np.float64]:
    """−½ (y° − H x_i)ᵀ R⁻¹ (y° − H x_i) of every member ``(M,)``; the constant of R is left out."""
    innovations = evidence.innovations
    return -0.5 * (innovations * evidence.noise.solve(innovations)).sum(axis=1)


def carried(forecast: Ensemble) -> NDArray[np.float64]:
    """Logarithms of the weights the members come with, ``(M,)``; zeros where they carry none."""
    return np.asarray(forecast["log_weight"], np.float64) if "log_weight" in forecast else np.zeros(forecast.size)


def without_weights(ensemble: Ensemble) -> Ensemble:
    """The members without the field that carries weights."""
    return ensemble.select(n for n in ensemble.names if n != "log_weight")


def normalise(log_weights: NDArray) -> NDArray[np.float64]:
    """Weights w_i ``(M,)`` that sum to one, from their logarithms up to a constant.

    Raises
    ------
    InputError
        When no weight is positive, or one is not a number.
    """
    total = logsumexp(log_weights)
    if not np.isfinite(total):
        raise InputError("log_weights", log_weights, "at least one must be finite, and none not-a-number")
    weights = np.exp(log_weights - total)
    return weights / weights.sum()


def member_weights(ensemble: Ensemble) -> NDArray[np.float64]:
    """Weights ``(M,)`` that sum to one, from those the members carry; equal where they carry none."""
    if "log_weight" not in ensemble:
        return np.full(ensemble.size, 1 / ensemble.size)
    return normalise(carried(ensemble))


def systematic_resampling(
    weights: NDArray, generator: np.random.Generator, size: int | None = None
) -> NDArray[np.int64]:
    """Indices of the chosen members ``(size,)``, ascending; ``size`` is M where not given."""
    n = len(weights) if size is None else size
    cumulated = np.cumsum(weights)
    teeth = (np.arange(n) + generator.random()) / n
    # Rounding may put the last tooth on 1 itself, behind the last member.
    return np.minimum(np.searchsorted(cumulated / cumulated[-1], teeth, side="right"), np.flatnonzero(weights)[-1])


def weighted_anomalies(X: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """A ``(M, n)`` with AᵀA the unbiased weighted covariance of the rows of X."""
    # 1 − Σ w² is the weighted form of (M − 1)/M; a single member with all the weight has no spread.
    unbiased = max(1 - (weights**2).sum(), 1e-10)
    return np.sqrt(weights / unbiased)[:, None] * (X - weights @ X)


def jitter_duplicates(
    X: NDArray, chosen: NDArray, weights: NDArray, factor: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Rows ``chosen`` of X ``(M, n)``; those drawn more than once get the jitter of this module's head.

    Parameters
    ----------
    X, weights
        Members before resampling.
    chosen
        Indices drawn.
    factor
        r; 0 for none.
    generator
        Source of ξ.
    """
    resampled = X[chosen]
    copies = np.bincount(chosen, minlength=len(X))[chosen] > 1
    if factor > 0 and copies.any():
        M, n = X.shape
        bandwidth = factor * M ** (-1 / (n + 4))
        # Members without weight have no say in C.
        heavy = weights > 1e-20 * weights.max()
        root = weighted_anomalies(X[heavy], weights[heavy])
        resampled[copies] += generator.standard_normal((int(copies.sum()), len(root))) @ (bandwidth * root)
    return resampled
