r"""The iterative ensemble Kalman smoother: 4D-Var in the space of the ensemble, without tangent or adjoint.

With X' the anomalies of the M members at the window's start, x = x̄ + X'ᵀ w, minimise over w ∈ R^M

    J(w) = ½ (M − 1) |w|² + ½ ‖y_k − H(M(x̄ + X'ᵀ w))‖²_{R⁻¹}.

Each Gauss–Newton step carries an ensemble of the current posterior spread, x_i = x̄ + X'ᵀ (w + T_i), through model and
observation, and takes the sensitivity from it by undoing T (the "transform" variant):

    Y = T⁻¹ (H M(x_i) − mean),   g = Y R⁻¹ (y_k − mean) − (M − 1) w,   w ← w + Ξ g,
    Ξ = (Y R⁻¹ Yᵀ + (M − 1) I)⁻¹,   T = (M − 1)^½ Ξ^½.

At the minimum the members are x̄ + X'ᵀ (w + T_i) at the start, and their forecasts at the datum. Bocquet & Sakov 2014
(QJRMS 140, 1521–1535); Sakov, Oliver & Bertino 2012 (Mon. Wea. Rev. 140, 1988–2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.variational.window import Window
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.vector import VectorObservation

__all__ = ["IEnKS"]


@dataclass(frozen=True, eq=False)
class IEnKS(Analysis):
    """Iterative ensemble Kalman smoother, windows overlapping, each datum used once.

    Known failure: the search stays in the span of M members, and one mode is found; it costs iterations × lag times the
    model runs of a filter.

    Parameters
    ----------
    window
        Model, interval, lag.
    observation
        H, for vector states.
    adjustments
        Inflation, rotation of the members at the window's start.
    iterations
        Gauss–Newton steps at most.
    tolerance
        Mean square of the last change of w at which it stops.
    """

    window: Window
    observation: VectorObservation
    adjustments: tuple[Adjustment, ...] = ()
    iterations: int = 10
    tolerance: float = 1e-6
    name: str = "ienks"

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError("iterations", self.iterations, "give 1 or more")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M = forecast.size
        if M < 2:
            raise InputError("forecast.size", M, "a smoother of an ensemble needs at least two members")
        start, age = self.window.start(forecast)
        mean, y = start.mean(axis=0), evidence.observed["data"][0]
        anomalies = start - mean
        w, T, undo = np.zeros(M), np.eye(M), np.eye(M)
        step = 0
        for step in range(1, self.iterations + 1):
            members = mean + (w + T) @ anomalies
            HX = self.observation.apply(self.window.to_datum(members, age))
            centre = HX.mean(axis=0)
            Y = undo @ (HX - centre)
            whitened = evidence.noise.solve(Y)
            values, V = np.linalg.eigh(whitened @ Y.T)
            precision = np.maximum(values, 0.0) + (M - 1)
            change = (V / precision) @ (V.T @ (whitened @ (y - centre) - (M - 1) * w))
            T = (V * np.sqrt((M - 1) / precision)) @ V.T
            undo = (V * np.sqrt(precision / (M - 1))) @ V.T
            w = w + change
            if progress:
                progress("Gauss–Newton", step, self.iterations)
            if change @ change < self.tolerance * M:
                break
        members = mixing(self.adjustments, M, generator) @ (mean + (w + T) @ anomalies)
        return Posterior(self.window.finished(forecast, members, age), {"iterations": step})
