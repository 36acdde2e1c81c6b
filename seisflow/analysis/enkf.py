r"""The stochastic ensemble Kalman filter.

With anomalies X' (M × D) of the states, Y' (M × d) of the predicted data H(x_i), and the noise covariance R,

    x_i ← x_i + K (y° + ε_i − H(x_i)),   ε_i ~ N(0, R) re-centred,
    K = X'ᵀ Y' (Y'ᵀ Y' + (M − 1) R)⁻¹ = X'ᵀ (Y' R⁻¹ Y'ᵀ + (M − 1) I)⁻¹ Y' R⁻¹,

the second form by the push-through identity: an M × M system, no matrix of state or data size is ever formed. Inflation
multiplies the analysis anomalies. Burgers, van Leeuwen & Evensen 1998 (Mon. Wea. Rev. 126, 1719–1724).

The update is linear, so it can leave the physical range of a saturation; bounds put such values back on the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from seisflow.analysis.base import Analysis, Progress
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.posterior import Posterior

__all__ = ["EnKF"]


@dataclass(frozen=True)
class EnKF(Analysis):
    """Stochastic (perturbed-observations) ensemble Kalman filter without localisation.

    Known failure: the gain is global and estimated from M members, so with few of them far cells are changed by chance
    correlations, and a non-Gaussian forecast (a saturation front) is updated as if it were Gaussian.

    Parameters
    ----------
    fields
        Fields of the state that the data update; others are carried along.
    inflation
        Factor on the analysis anomalies, 1 or more.
    bounds
        Field → (lowest, highest) physical value, applied after the update.
    """

    fields: tuple[str, ...] = ("saturation", "pressure")
    inflation: float = 1.0
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "enkf"

    def __post_init__(self) -> None:
        if not self.inflation >= 1:
            raise InputError("inflation", self.inflation, "give a factor of 1 or more")

    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M = forecast.size
        if M < 2:
            raise InputError("forecast.size", M, "a Kalman gain needs at least two members")
        X, HX, y = forecast.pack(self.fields), predicted.pack(), observed.pack(predicted.names)
        eps = noise.sample(M, generator)
        eps -= eps.mean(axis=0)
        anomalies, Y = X - X.mean(axis=0), HX - HX.mean(axis=0)
        innovations = y + eps - HX

        whitened = noise.solve(Y)
        small = cho_factor(whitened @ Y.T + (M - 1) * np.eye(M))
        weights = cho_solve(small, whitened @ innovations.T)
        X = X + weights.T @ anomalies
        X = X.mean(axis=0) + self.inflation * (X - X.mean(axis=0))

        analysed = forecast.unpack(X, self.fields)
        limited = {name: np.clip(analysed[name], *limits) for name, limits in self.bounds.items()}
        return Posterior(analysed.replace(**limited), {"innovation_chi2": _chi2(y - HX.mean(axis=0), Y, noise)})


def _chi2(innovation: np.ndarray, Y: np.ndarray, noise: Covariance) -> float:
    """dᵀ (Y'ᵀY'/(M−1) + R)⁻¹ d / D of the mean innovation d: about 1 where forecast spread and noise explain the data."""
    M = len(Y)
    solved = noise.solve(innovation)
    whitened = noise.solve(Y)
    correction = np.linalg.solve(whitened @ Y.T + (M - 1) * np.eye(M), Y @ solved.T)
    return float(((innovation @ solved.T) - (whitened @ innovation.T).T @ correction)[0, 0] / innovation.size)
