r"""The ensemble space: what all global ensemble Kalman analyses share.

Each of them is one M × M matrix W whose rows sum to one: the analysed members are X ← W X. It follows from two small things,

    S = Y' R⁻¹ Y'ᵀ  (M × M),      g = Y' R⁻¹ (y° − ȳ)  (M),

with the anomalies Y' (M × d) of the predicted data. So neither the state nor the data enter with more than one product, and
no matrix of state or data size is formed (Hunt, Kostelich & Szunyogh 2007, Physica D 230, 112–126).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from seisflow.analysis.base import Evidence
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["DataSpace", "centring", "innovation_chi2", "transformed"]

BLOCK = 16384
"""Columns of the state that are transformed at once."""


@dataclass(frozen=True, eq=False)
class DataSpace:
    """Anomalies and innovation of the predicted data, as the ensemble sees them.

    Parameters
    ----------
    anomalies
        Y', ``(M, d)``.
    whitened
        Y' R⁻¹, ``(M, d)``.
    innovation
        y° − ȳ, ``(d,)``.
    gram
        S = Y' R⁻¹ Y'ᵀ, ``(M, M)``.
    projected
        g = Y' R⁻¹ (y° − ȳ), ``(M,)``.
    """

    anomalies: NDArray[np.float64]
    whitened: NDArray[np.float64]
    innovation: NDArray[np.float64]
    gram: NDArray[np.float64]
    projected: NDArray[np.float64]

    @classmethod
    def of(cls, evidence: Evidence) -> DataSpace:
        """What the ensemble sees of the evidence.

        Raises
        ------
        InputError
            With fewer than two members, or when R does not fit the data.
        """
        predicted, noise = evidence.predicted, evidence.noise
        if predicted.size < 2:
            raise InputError("forecast.size", predicted.size, "a Kalman gain needs at least two members")
        Y, y = predicted.pack(), evidence.observed.pack(predicted.names)[0]
        if noise.size != Y.shape[1]:
            raise InputError("noise.size", noise.size, f"the predicted data have {Y.shape[1]} values")
        mean = Y.mean(axis=0)
        Y -= mean
        whitened = noise.solve(Y)
        return cls(Y, whitened, y - mean, whitened @ Y.T, whitened @ (y - mean))


def centring(weights: NDArray) -> NDArray[np.float64]:
    """C (I − 1 1ᵀ/M): weights on members from weights on anomalies."""
    return weights - weights.mean(axis=-1, keepdims=True)


def transformed(
    ensemble: Ensemble,
    weights: NDArray,
    fields: Iterable[str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> Ensemble:
    """X ← W X for the named fields, block by block; others are carried along.

    Parameters
    ----------
    ensemble
        M members.
    weights
        W, ``(M, M)``, rows summing to one.
    fields
        Which fields; default all.
    bounds
        Field → (lowest, highest) physical value, applied at the end.
    """
    new = {}
    for name in ensemble.names if fields is None else fields:
        old = ensemble[name].reshape(ensemble.size, -1)
        out = np.empty_like(old)
        for at in range(0, old.shape[1], BLOCK):
            block = np.asarray(old[:, at : at + BLOCK], np.float64)
            mean = block.mean(axis=0)  # taken off first: a pressure is large beside its spread
            out[:, at : at + BLOCK] = mean + weights @ (block - mean)
        new[name] = out.reshape(ensemble[name].shape)
    for name, limits in (bounds or {}).items():
        new[name] = np.clip(new.get(name, ensemble[name]), *limits)
    return Ensemble({**ensemble.fields, **new}, ensemble.time)


def innovation_chi2(data: DataSpace, noise: Covariance) -> float:
    """dᵀ (Y'ᵀY'/(M−1) + R)⁻¹ d / D of the mean innovation d: about 1 where forecast spread and noise explain the data."""
    M, d = len(data.gram), data.innovation
    explained = data.projected @ cho_solve(cho_factor(data.gram + (M - 1) * np.eye(M)), data.projected)
    return float((d @ noise.solve(d[None])[0] - explained) / d.size)
