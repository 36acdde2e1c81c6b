r"""Covariances that no filter has to form as a matrix.

Gaussian covariances R on packed vectors of length D, each with what an analysis needs: ``sample`` draws
e ~ N(0, R), ``solve`` applies R⁻¹, ``whiten`` a W with Wᵀ W = R⁻¹, ``variance`` is its diagonal, ``scaled`` is γ R. W is
C^(−½) S⁻¹ with the deviations S and the symmetric root of the correlations C = S⁻¹ R S⁻¹: of all whitenings the one whose
numbers stay nearest to the data they come from (Kessy, Lewin & Strimmer 2018, Am. Stat. 72, 309–314), so that a datum keeps
its place. Where C is known by a part of R only, the root is that of this part.

* :class:`DiagonalCovariance` : R = diag(v).
* :class:`LowRankCovariance` : R = (1 − α) E Eᵀ / n + α diag(v), from n stored draws E (D × n) of the noise, v their
  variance, α a shrinkage towards the diagonal that makes R invertible (Ledoit & Wolf 2004, J. Multivariate Analysis
  88, 365–411). R⁻¹ by the Woodbury identity: with D = α diag(v), L = √((1 − α)/n) E,
  R⁻¹ = D⁻¹ − D⁻¹ L (I + Lᵀ D⁻¹ L)⁻¹ Lᵀ D⁻¹. Where α is not given it is the one of the least expected error of the
  correlations r_ij, from the draws w in units of their deviation (Schäfer & Strimmer 2005, Stat. Appl. Genet. Mol. Biol.
  4, 32),
  α = Σ_{i≠j} Var(r_ij) / Σ_{i≠j} r_ij² ,   Var(r_ij) = (mean_k w_ki² w_kj² − r_ij²)/(n − 1).
  A few draws of a long vector say little of its correlations: α is then near 1.
* :class:`SeparableCovariance` : noise of a field on a grid, R = S ((1 − α) C_1 ⊗ … ⊗ C_d + α I) S with the deviations S of
  the cells and a correlation matrix C_a along every axis. With C_a = U_a Λ_a U_aᵀ both R½ and R⁻¹ are products along the
  axes. From n draws the C_a come from n × D/n_a samples for a matrix of n_a rows, where the full R has n: by maximum
  likelihood without a white part, each in turn from the draws whitened along the other axes (Dutilleul 1999, J. Stat.
  Comput. Simul. 64, 105–123), or from the moments along each axis with α taken off their diagonal. The likelihood of draws
  left out chooses between both, and α.
* :class:`BlockCovariance` : independent blocks, one per modality.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import gaussian_filter

from seisflow.errors import InputError

__all__ = ["BlockCovariance", "Covariance", "DiagonalCovariance", "LowRankCovariance", "SeparableCovariance"]


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
    def whiten(self, vectors: NDArray) -> NDArray[np.float64]:
        """W applied to every row of ``(n, D)``: noise becomes independent, of deviation 1, and keeps its place."""

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

    def whiten(self, vectors: NDArray) -> NDArray[np.float64]:
        return np.asarray(vectors) / np.sqrt(self.diagonal)

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
        Weight α of the diagonal part, in (0, 1]; None: estimated.
    """

    draws: NDArray[np.float64]
    shrinkage: float | None = None

    def __post_init__(self) -> None:
        draws = np.asarray(self.draws, np.float64)
        object.__setattr__(self, "draws", draws)
        if draws.ndim != 2 or len(draws) < 2 or not np.isfinite(draws).all():
            raise InputError("draws", draws.shape, "give at least two finite noise vectors as rows")
        if self.shrinkage is not None and not 0 < self.shrinkage <= 1:
            raise InputError("shrinkage", self.shrinkage, "give a number in (0, 1]")
        if not (self._mean_square > 0).any():
            raise InputError("draws", 0.0, "the noise is zero everywhere")

    @cached_property
    def alpha(self) -> float:
        """The weight of the diagonal part, given or estimated."""
        return self.shrinkage if self.shrinkage is not None else estimated_shrinkage(self.draws)

    @cached_property
    def _mean_square(self) -> NDArray[np.float64]:
        return (self.draws**2).mean(axis=0)

    @cached_property
    def _diagonal(self) -> NDArray[np.float64]:
        # Cells the noise never reaches (muted, outside the aperture) get a floor, so that R stays invertible.
        return np.maximum(self._mean_square, 1e-6 * self._mean_square.max())

    @property
    def variance(self) -> NDArray[np.float64]:
        return (1 - self.alpha) * self._mean_square + self.alpha * self._diagonal

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        weights = generator.standard_normal((n, len(self.draws))) * np.sqrt((1 - self.alpha) / len(self.draws))
        white = generator.standard_normal((n, self.size)) * np.sqrt(self.alpha * self._diagonal)
        return weights @ self.draws + white

    @cached_property
    def _woodbury(self) -> tuple[NDArray, NDArray, tuple[NDArray, bool]]:
        inverse = 1 / (self.alpha * self._diagonal)
        factor = self.draws * np.sqrt((1 - self.alpha) / len(self.draws))
        return inverse, factor, cho_factor(np.eye(len(factor)) + (factor * inverse) @ factor.T)

    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        inverse, factor, small = self._woodbury
        scaled = np.asarray(vectors) * inverse
        return scaled - cho_solve(small, factor @ scaled.T).T @ (factor * inverse)

    def whiten(self, vectors: NDArray) -> NDArray[np.float64]:
        # With the diagonal D out of R = D½ (I + V Vᵀ) D½, V = D^(−½) L = U s …: the root is I + U ((1 + s²)^(−½) − 1) Uᵀ.
        inverse, factor, _ = self._woodbury
        _, s, U = np.linalg.svd(factor * np.sqrt(inverse), full_matrices=False)
        white = np.asarray(vectors) * np.sqrt(inverse)
        return np.asarray(white + ((white @ U.T) * (1 / np.sqrt(1 + s**2) - 1)) @ U)

    def scaled(self, factor: float) -> LowRankCovariance:
        return LowRankCovariance(np.sqrt(_positive(factor)) * self.draws, self.shrinkage)


def estimated_shrinkage(draws: NDArray) -> float:
    """α of the least expected error for draws ``(n, D)`` of mean zero; no D × D matrix is formed.

    Never below 1/(n + 1): the mean of n draws does not know their covariance better than that.
    """
    n = len(draws)
    deviation = np.sqrt((draws**2).mean(axis=0))
    w = draws[:, deviation > 1e-3 * deviation.max()] / deviation[deviation > 1e-3 * deviation.max()]
    gram = w @ w.T
    squares = w**2
    # Sums over all pairs, from n × n matrices, without those of i = j, where r = 1.
    r2 = (gram**2).sum() / n**2 - w.shape[1]
    w2 = (squares.sum(axis=1) ** 2).mean() - (squares**2).mean(axis=0).sum()
    return float(np.clip((w2 - r2) / (n - 1) / max(r2, 1e-300), 1 / (n + 1), 1.0))


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
        return np.concatenate([b.solve(p) for b, p in zip(self.blocks, self._split(vectors), strict=True)], axis=1)

    def whiten(self, vectors: NDArray) -> NDArray[np.float64]:
        return np.concatenate([b.whiten(p) for b, p in zip(self.blocks, self._split(vectors), strict=True)], axis=1)

    def _split(self, vectors: NDArray) -> list[NDArray]:
        """The columns of ``(n, D)`` that belong to every block."""
        return np.split(np.asarray(vectors), np.cumsum([block.size for block in self.blocks])[:-1], axis=1)

    def scaled(self, factor: float) -> BlockCovariance:
        return BlockCovariance(tuple(block.scaled(factor) for block in self.blocks))


@dataclass(frozen=True, eq=False)
class SeparableCovariance(Covariance):
    """Noise of a field on a grid whose correlation is a product over the axes, with a white part.

    Parameters
    ----------
    deviation
        Standard deviation of every cell, of the field's shape.
    correlations
        C_a ``(n_a, n_a)`` of every axis: symmetric, positive semidefinite, ones on the diagonal on average.
    white
        Share α of the variance that is white, in (0, 1].

    Raises
    ------
    InputError
        When shapes do not fit, a deviation is not positive, or α is out of range.
    """

    deviation: NDArray[np.float64]
    correlations: tuple[NDArray[np.float64], ...]
    white: float

    def __post_init__(self) -> None:
        deviation = np.asarray(self.deviation, np.float64)
        object.__setattr__(self, "deviation", deviation)
        if not (np.isfinite(deviation).all() and (deviation > 0).all()):
            raise InputError("deviation", deviation, "give a positive standard deviation for every cell")
        if tuple(np.shape(c) for c in self.correlations) != tuple((n, n) for n in deviation.shape):
            raise InputError("correlations", [np.shape(c) for c in self.correlations], "give a matrix for every axis")
        if not 0 < self.white <= 1:
            raise InputError("white", self.white, "give a share in (0, 1]")

    @classmethod
    def of(cls, draws: NDArray, white: float | None = None) -> SeparableCovariance:
        """From draws of the noise.

        Parameters
        ----------
        draws
            n independent draws, mean zero, ``(n, *shape)``, two or more.
        white
            α; None: one of :data:`WHITE`. The least of these stands for errors of the simulation that no draw of the noise
            shows.
        """
        draws = np.asarray(draws, np.float64)
        if draws.ndim < 2 or len(draws) < 2 or not np.isfinite(draws).all() or not draws.any():
            raise InputError("draws", draws.shape, "give at least two finite draws of a noise that is not zero")
        shares = WHITE if white is None else (white,)
        scores = dict.fromkeys([(share, kind) for share in shares for kind in (0, 1)], 0.0)
        for part in np.array_split(np.arange(len(draws)), min(PARTS, len(draws))):
            for choice, covariance in _candidates(np.delete(draws, part, axis=0), shares).items():
                scores[choice] += covariance.log_likelihood(draws[part].reshape(len(part), -1))
        best = max(scores, key=lambda choice: scores[choice])
        return _candidates(draws, best[:1])[best]

    @cached_property
    def _axes(self) -> tuple[tuple[NDArray, ...], NDArray]:
        """U_a of every axis, and the eigenvalues (1 − α) λ_1 ⊗ … ⊗ λ_d + α of the field's shape."""
        values, vectors = zip(*(np.linalg.eigh(c) for c in self.correlations), strict=True)
        product = np.ones(())
        for found in values:
            product = np.multiply.outer(product, np.maximum(found, 0.0))
        return vectors, (1 - self.white) * product + self.white

    @property
    def variance(self) -> NDArray[np.float64]:
        vectors, eigenvalues = self._axes
        return np.asarray(self.deviation**2 * _along(eigenvalues[None], [U**2 for U in vectors])[0]).ravel()

    @property
    def log_determinant(self) -> float:
        """log |R|."""
        return float(np.log(self._axes[1]).sum() + 2 * np.log(self.deviation).sum())

    def log_likelihood(self, vectors: NDArray) -> float:
        """log N(·; 0, R) of rows ``(n, D)``, all together, up to a constant."""
        return -0.5 * float((vectors * self.solve(vectors)).sum() + len(vectors) * self.log_determinant)

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        vectors, eigenvalues = self._axes
        coloured = _along(generator.standard_normal((n, *self.deviation.shape)) * np.sqrt(eigenvalues), vectors)
        return np.asarray(coloured * self.deviation).reshape(n, -1)

    def solve(self, vectors: NDArray) -> NDArray[np.float64]:
        axes, eigenvalues = self._axes
        fields = np.asarray(vectors, np.float64).reshape(-1, *self.deviation.shape) / self.deviation
        solved = _along(_along(fields, [U.T for U in axes]) / eigenvalues, axes) / self.deviation
        return np.asarray(solved).reshape(len(fields), -1)

    def whiten(self, vectors: NDArray) -> NDArray[np.float64]:
        axes, eigenvalues = self._axes
        fields = np.asarray(vectors, np.float64).reshape(-1, *self.deviation.shape) / self.deviation
        white = _along(_along(fields, [U.T for U in axes]) / np.sqrt(eigenvalues), axes)
        return np.asarray(white).reshape(len(fields), -1)

    def scaled(self, factor: float) -> SeparableCovariance:
        return SeparableCovariance(np.sqrt(_positive(factor)) * self.deviation, self.correlations, self.white)


PARTS = 4
"""Parts of the draws that are left out, one after the other."""
WHITE = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)
"""Shares of white noise that are tried."""


def _along(fields: NDArray, matrices: Sequence[NDArray]) -> NDArray:
    """Matrices applied along the axes of fields ``(n, *shape)``."""
    for axis, matrix in enumerate(matrices, start=1):
        fields = np.moveaxis(np.tensordot(fields, matrix, ([axis], [1])), -1, axis)
    return fields


def _deviation(draws: NDArray) -> NDArray[np.float64]:
    """Of the cells: n draws know a variance to √(2/n), so it is averaged over the neighbouring cells."""
    variance = gaussian_filter((draws**2).mean(axis=0), 1.0, mode="nearest")
    return np.sqrt(np.maximum(variance, 1e-6 * variance.max()))  # cells the noise never reaches keep R invertible


def _candidates(draws: NDArray, shares: Sequence[float]) -> dict[tuple[float, int], SeparableCovariance]:
    """(α, estimate) ↦ the covariance: 0 by maximum likelihood, 1 from moments."""
    deviation = _deviation(draws)
    w = draws / deviation
    product = _likeliest(w)
    found = {(share, 0): SeparableCovariance(deviation, product, share) for share in shares}
    return found | {(share, 1): SeparableCovariance(deviation, _moments(w, share), share) for share in shares}


def _likeliest(w: NDArray, sweeps: int = 6) -> tuple[NDArray[np.float64], ...]:
    """Correlations by maximum likelihood of a product alone; what is white goes to the axes."""
    found = [np.eye(n) for n in w.shape[1:]]
    for _ in range(sweeps):
        for a, n in enumerate(w.shape[1:]):
            inverse = [np.linalg.inv(c + 1e-6 * np.eye(len(c))) for c in found]
            inverse[a] = np.eye(n)
            found[a] = _moment(_along(w, inverse), w, a)
    return tuple(found)


def _moments(w: NDArray, white: float) -> tuple[NDArray[np.float64], ...]:
    """Correlations from the moments along each axis, α taken off their diagonal."""
    found = []
    for a, n in enumerate(w.shape[1:]):
        values, vectors = np.linalg.eigh(_moment(w, w, a) - white * np.eye(n))
        left = (vectors * np.maximum(values, 0.0)) @ vectors.T if white < 1 else np.eye(n)
        found.append(left * (n / np.trace(left)))
    return tuple(found)


def _moment(a: NDArray, b: NDArray, axis: int) -> NDArray[np.float64]:
    """Σ a bᵀ along one axis of fields ``(n, *shape)``, symmetric, with ones on the diagonal on average."""
    others = [other for other in range(a.ndim) if other != axis + 1]
    c = np.tensordot(a, b, (others, others))
    return np.asarray((c + c.T) * (len(c) / (2 * np.trace(c))))


def _positive(factor: float) -> float:
    if not 0 < factor < np.inf:
        raise InputError("factor", factor, "give a finite factor above 0 on the variances")
    return factor
