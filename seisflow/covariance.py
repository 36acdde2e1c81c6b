r"""Covariances that no filter has to form as a matrix.

Two Gaussian covariances R on packed vectors of length D, each with what an analysis needs: ``sample`` draws
e ~ N(0, R), ``solve`` applies R⁻¹, ``variance`` is its diagonal, ``scaled`` is γ R.

* :class:`DiagonalCovariance` : R = diag(v).
* :class:`LowRankCovariance` : R = (1 − α) E Eᵀ / n + α diag(v), from n stored draws E (D × n) of the noise, v their
  variance, α a shrinkage towards the diagonal that makes R invertible (Ledoit & Wolf 2004, J. Multivariate Analysis
  88, 365–411). R⁻¹ by the Woodbury identity: with D = α diag(v), L = √((1 − α)/n) E,
  R⁻¹ = D⁻¹ − D⁻¹ L (I + Lᵀ D⁻¹ L)⁻¹ Lᵀ D⁻¹.
* :class:`BlockCovariance` : independent blocks, one per modality.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from seisflow.errors import InputError

__all__ = ["BlockCovariance", "Covariance", "DiagonalCovariance", "LowRankCovariance"]


class Covariance(ABC):
    """A Gaussian covariance on vectors of length ``size``."""

    @property
    @abstractmethod
    def variance(self) -> NDArray[np.float64]:
        """The diagonal, ``(D,)``."""

    @abstractmethod
    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw ``n`` vectors from N(0, R), shape ``(n, D)``."""

    @abstractmethod
    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        """R⁻¹ applied to every row of ``(n, D)``."""

    @abstractmethod
    def scaled(self, factor: float) -> Covariance:
        """γ R for a factor γ > 0 on the variances."""

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        return self.variance.size


@dataclass(frozen=True, eq=False)
class DiagonalCovariance(Covariance):
    """R = diag(v) with positive variances v ``(D,)``."""

    diagonal: NDArray[np.float64]

    def __post_init__(self) -> None:
        v = np.asarray(self.diagonal, np.float64)
        object.__setattr__(self, "diagonal", v)
        if v.ndim != 1 or not (np.isfinite(v).all() and (v > 0).all()):
            raise InputError("diagonal", v, "give a vector of positive variances")

    @property
    def variance(self) -> NDArray[np.float64]:
        return self.diagonal

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        return generator.standard_normal((n, self.size)) * np.sqrt(self.diagonal)

    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        return np.asarray(vectors) / self.diagonal

    def scaled(self, factor: float) -> DiagonalCovariance:
        return DiagonalCovariance(_positive(factor) * self.diagonal)


@dataclass(frozen=True, eq=False)
class LowRankCovariance(Covariance):
    """Covariance from stored draws of the noise, shrunk towards its diagonal.

    Parameters
    ----------
    draws
        n independent draws of the noise, ``(n, D)``, mean zero.
    shrinkage
        Weight α of the diagonal part, in (0, 1].
    """

    draws: NDArray[np.float64]
    shrinkage: float = 0.1

    def __post_init__(self) -> None:
        draws = np.asarray(self.draws, np.float64)
        object.__setattr__(self, "draws", draws)
        if draws.ndim != 2 or len(draws) < 2 or not np.isfinite(draws).all():
            raise InputError("draws", draws.shape, "give at least two finite noise vectors as rows")
        if not 0 < self.shrinkage <= 1:
            raise InputError("shrinkage", self.shrinkage, "give a number in (0, 1]")
        if not (self._mean_square > 0).any():
            raise InputError("draws", 0.0, "the noise is zero everywhere")

    @cached_property
    def _mean_square(self) -> NDArray[np.float64]:
        return (self.draws**2).mean(axis=0)

    @cached_property
    def _diagonal(self) -> NDArray[np.float64]:
        # Cells the noise never reaches (muted, outside the aperture) get a floor, so that R stays invertible.
        return np.maximum(self._mean_square, 1e-6 * self._mean_square.max())

    @property
    def variance(self) -> NDArray[np.float64]:
        return (1 - self.shrinkage) * self._mean_square + self.shrinkage * self._diagonal

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        weights = generator.standard_normal((n, len(self.draws))) * np.sqrt((1 - self.shrinkage) / len(self.draws))
        white = generator.standard_normal((n, self.size)) * np.sqrt(self.shrinkage * self._diagonal)
        return weights @ self.draws + white

    @cached_property
    def _woodbury(self) -> tuple[NDArray, NDArray, tuple[NDArray, bool]]:
        inverse = 1 / (self.shrinkage * self._diagonal)
        factor = self.draws * np.sqrt((1 - self.shrinkage) / len(self.draws))
        return inverse, factor, cho_factor(np.eye(len(factor)) + (factor * inverse) @ factor.T)

    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        inverse, factor, small = self._woodbury
        scaled = np.asarray(vectors) * inverse
        return scaled - cho_solve(small, factor @ scaled.T).T @ (factor * inverse)

    def scaled(self, factor: float) -> LowRankCovariance:
        return LowRankCovariance(np.sqrt(_positive(factor)) * self.draws, self.shrinkage)


@dataclass(frozen=True, eq=False)
class BlockCovariance(Covariance):
    """Independent covariances side by side, in the order of the packed fields."""

    blocks: tuple[Covariance, ...]

    def __post_init__(self) -> None:
        if not self.blocks:
            raise InputError("blocks", self.blocks, "give at least one covariance")

    @property
    def variance(self) -> NDArray[np.float64]:
        return np.concatenate([block.variance for block in self.blocks])

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        return np.concatenate([block.sample(n, generator) for block in self.blocks], axis=1)

    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        ends = np.cumsum([block.size for block in self.blocks])[:-1]
        parts = np.split(np.asarray(vectors), ends, axis=1)
        return np.concatenate([b.solve(p) for b, p in zip(self.blocks, parts, strict=True)], axis=1)

    def scaled(self, factor: float) -> BlockCovariance:
        return BlockCovariance(tuple(block.scaled(factor) for block in self.blocks))


def _positive(factor: float) -> float:
    if not 0 < factor < np.inf:
        raise InputError("factor", factor, "give a finite factor above 0 on the variances")
    return factor
