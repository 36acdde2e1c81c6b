r"""First guess of the state from the data: ensemble regression, cross-fitted, with a ridge chosen by prediction.

With members x_m, noise-free data h_m and noise covariance R, the regression of x on a datum y over a set T of members is
the Kalman gain of that set (Evensen 2003, Ocean Dynamics 53), written with weights on the members:

    x̂(y) = x̄ + Σ_m w_m (x_m − x̄) ,     w = (Gᶜ + λ(n − 1) I)⁻¹ gᶜ(y) ,     G = H R⁻¹ Hᵀ ,  g(y) = H R⁻¹ y ,

ᶜ meaning centred over T (n members). λ = 1 is the textbook gain; with few members it fits sampling noise. So λ is
chosen, per state channel, by the error of predictions for members that were left out, each with fresh noise.

Cross-fitting: the guess for a member comes from a set without that member (fold by fold), so a network trained on top
sees guesses as good as those it will get for new data. The guess for a new datum uses the whole set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import Covariance

__all__ = ["CrossFittedRegression", "folds"]

_RIDGES = np.append(10.0 ** np.arange(-1, 5.5, 0.5), 1e8)


def folds(index: NDArray, n: int, generator: np.random.Generator) -> list[NDArray]:
    """Cut the member numbers ``index`` at random into ``n`` parts whose sizes differ by one at most."""
    return [np.sort(part) for part in np.array_split(generator.permutation(index), min(n, len(index)))]


class _Fit:
    """Regression weights of one set T of members."""

    def __init__(self, members: NDArray, gram: NDArray) -> None:
        self.members = members
        self.n_all = len(gram)
        block = gram[np.ix_(members, members)]
        self.row_mean = block.mean(axis=1)
        values, self.vectors = np.linalg.eigh(self._centred(self._centred(block).T))
        self.values = np.clip(values, 0, None)

    @staticmethod
    def _centred(array: NDArray) -> NDArray:
        return array - array.mean(axis=0)

    def weights(self, products: NDArray, ridges: NDArray) -> NDArray:
        """Weights a ``(len(ridges), n, M)`` with x̂ = Σ_m a_m x_m, from g(y) ``(n, M)``."""
        n = len(self.members)
        rotated = self.vectors.T @ self._centred((products[:, self.members] - self.row_mean).T)
        shrunk = rotated / (self.values[:, None] + ridges[:, None, None] * (n - 1))
        result = np.zeros((len(ridges), len(products), self.n_all))
        w = self.vectors @ shrunk
        result[:, :, self.members] = (1 / n + w - w.mean(axis=1, keepdims=True)).transpose(0, 2, 1)
        return result


class CrossFittedRegression:
    """The regression of this module's head, on the members ``members`` of an ensemble.

    Parameters
    ----------
    state
        Latent states of the whole ensemble, ``(M, C, *shape)``.
    predicted
        Noise-free data of the whole ensemble, ``(M, D)``.
    noise
        R.
    members
        Numbers of the members that may be used; the others are never looked at.
    n_folds
        Parts into which ``members`` are cut for cross-fitting.
    generator
        For the cut and the noise.

    Attributes
    ----------
    ridges
        The λ chosen for every channel.
    log_deviation
        Logarithm of the deviation of the left-out errors in every cell, ``(C, *shape)``.
    """

    def __init__(
        self,
        state: NDArray,
        predicted: NDArray,
        noise: Covariance,
        members: NDArray,
        n_folds: int,
        generator: np.random.Generator,
    ) -> None:
        self._state = np.ascontiguousarray(state, np.float32)
        self._solved = noise.solve(predicted)
        gram = predicted @ self._solved.T
        self._whole = _Fit(members, gram)
        self._fold_of = np.full(len(state), -1)
        self._fits = []
        products = (predicted + noise.sample(len(predicted), generator)) @ self._solved.T
        errors = np.zeros((len(_RIDGES), state.shape[1]))
        parts = folds(members, n_folds, generator)
        for k, part in enumerate(parts):
            self._fold_of[part] = k
            self._fits.append(_Fit(np.setdiff1d(members, part), gram))
            weights = self._fits[k].weights(products[part], _RIDGES)
            for r, weight in enumerate(weights):
                residual = self._state[part] - np.tensordot(weight.astype(np.float32), self._state, axes=1)
                errors[r] += (residual**2).sum(axis=(0, *range(2, state.ndim)), dtype=np.float64)
        self.ridges = _RIDGES[errors.argmin(axis=0)]
        guesses = np.concatenate([self._guess(self._fits[k], products[part]) for k, part in enumerate(parts)])
        residual = self._state[np.concatenate(parts)] - guesses
        deviation = np.sqrt((residual.astype(np.float64) ** 2).mean(axis=0))
        self.log_deviation = np.log(np.maximum(deviation, 0.02)).astype(np.float32)

    def _guess(self, fit: _Fit, products: NDArray) -> NDArray[np.float32]:
        weights = fit.weights(products, self.ridges).astype(np.float32)
        channels = [np.tensordot(w, self._state[:, c], axes=1) for c, w in enumerate(weights)]
        return np.stack(channels, axis=1)

    def __call__(self, data: NDArray, members: Sequence[int] | NDArray | None = None) -> NDArray[np.float32]:
        """Guess x̂ ``(n, C, *shape)`` from noisy data ``(n, D)``.

        ``members`` says whose data these are, so that a member never takes part in its own guess; without it, and for
        members outside the set, the whole set is used.
        """
        products = np.asarray(data) @ self._solved.T
        if members is None:
            return self._guess(self._whole, products)
        which = self._fold_of[np.asarray(members)]
        result = np.empty((len(products), *self._state.shape[1:]), np.float32)
        for k in np.unique(which):
            rows = which == k
            result[rows] = self._guess(self._fits[k] if k >= 0 else self._whole, products[rows])
        return result
