r"""The ensemble Kalman filter under a hybrid covariance: part ensemble, part static.

    P = (1 − β) X'ᵀX'/(M − 1) + β B,      x_i ← x_i + P Hᵀ (H P Hᵀ + R)⁻¹ (y° + ε_i − H(x_i)).

Both parts are rows of anomalies (B = Fᵀ F, :mod:`~seisflow.analysis.static_covariance`), so P is the covariance of M + r
weighted rows, and the update a system of that size. Hamill & Snyder 2000 (Mon. Wea. Rev. 128, 2905–2919).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Posterior, Progress
from seisflow.analysis.ensemble_space import transformed
from seisflow.analysis.static_covariance import Background, background_at
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["HybridEnKF"]


@dataclass(frozen=True, eq=False)
class HybridEnKF(Analysis):
    """Stochastic ensemble Kalman filter with a hybrid covariance.

    Known failure: β does not follow the flow; a static part that is too large keeps the analysis near the data and wipes out
    what the ensemble knows of today's directions.

    Parameters
    ----------
    covariance
        B, with its image in data space; or a function that gives the one of a forecast.
    static_share
        β in [0, 1]: 0 is the EnKF, 1 an ensemble of 3D-Var analyses.
    fields, adjustments, bounds
        As for :class:`~seisflow.analysis.kalman.etkf.ETKF`.
    """

    covariance: Background
    static_share: float = 0.5
    fields: tuple[str, ...] | None = None
    adjustments: tuple[Adjustment, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "hybrid"

    def __post_init__(self) -> None:
        if not 0 <= self.static_share <= 1:
            raise InputError("static_share", self.static_share, "give a share in [0, 1]")

    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M, data = forecast.size, predicted.names
        static_part = background_at(self.covariance, forecast)
        if M < 2:
            raise InputError("forecast.size", M, "a Kalman gain needs at least two members")
        fields = forecast.names if self.fields is None else self.fields
        own, static = np.sqrt((1 - self.static_share) / (M - 1)), np.sqrt(self.static_share)
        HX = predicted.pack()
        G = np.concatenate([own * (HX - HX.mean(axis=0)), static * static_part.image(data)])
        innovations = noise.sample(M, generator)
        innovations += observed.pack(data) - innovations.mean(axis=0) - HX

        whitened = noise.solve(G)
        small = cho_factor(whitened @ G.T + np.eye(len(G)))
        weights = cho_solve(small, whitened @ innovations.T).T
        mix = np.eye(M) + own * (weights[:, :M] - weights[:, :M].mean(axis=1, keepdims=True))
        analysed = transformed(forecast, mix, fields)
        X = analysed.pack(fields)
        X += static * weights[:, M:] @ static_part.states.pack(fields)
        return Posterior(
            transformed(forecast.unpack(X, fields), mixing(self.adjustments, M, generator), fields, self.bounds)
        )
