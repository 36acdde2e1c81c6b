r"""The ensemble smoother with multiple data assimilation.

The data are taken in N times, each time with noise inflated so that the steps add up to one:

    for i = 1 … N:   predict H(x_j),   x_j ← x_j + K_i (y° + √α_i ε_j − H(x_j)),   K_i with α_i R,      Σ_i 1/α_i = 1.

For a linear H and a Gaussian forecast this is the single update; for others, small steps follow H's curvature better.
Emerick & Reynolds 2013 (Computers & Geosciences 55, 3–15).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Posterior, Progress
from seisflow.analysis.ensemble_space import DataSpace, innovation_chi2, transformed
from seisflow.analysis.kalman.enkf import perturbed_weights
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["ESMDA"]


@dataclass(frozen=True, eq=False)
class ESMDA(Analysis):
    """Ensemble smoother with multiple data assimilation.

    Known failure: a linear regression at every step; two modes of the forecast stay joined by one covariance, so members end
    between them (the two-mode example), whatever N.

    Parameters
    ----------
    operator
        State ensemble → noise-free data, H, run before every step but the first
        (:meth:`seisflow.observation.base.Observation.predict`). None: predicted data are updated with the state, which is
        exact for a linear H and makes N steps no better than one for others.
    inflations
        α_i, each 1 or more, their inverses summing to one.
    fields, adjustments, bounds
        As for :class:`~seisflow.analysis.kalman.etkf.ETKF`; adjustments once, after the last step, bounds after every step.
    """

    operator: Callable[[Ensemble], Ensemble] | None = None
    inflations: tuple[float, ...] = (4.0, 4.0, 4.0, 4.0)
    fields: tuple[str, ...] | None = None
    adjustments: tuple[Adjustment, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "esmda"

    def __post_init__(self) -> None:
        alpha = np.asarray(self.inflations, float)
        if alpha.size == 0 or not (alpha >= 1).all() or abs((1 / alpha).sum() - 1) > 1e-6:
            raise InputError("inflations", self.inflations, "give factors of 1 or more whose inverses sum to one")

    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        state, chi2, steps = forecast, [], len(self.inflations)
        for i, alpha in enumerate(self.inflations):
            data = DataSpace.of(predicted, observed, noise)
            chi2.append(innovation_chi2(data, noise))
            W = perturbed_weights(data, noise, generator, alpha)
            if i == steps - 1:
                W = mixing(self.adjustments, state.size, generator) @ W
            state = transformed(state, W, self.fields, self.bounds)
            if i < steps - 1:
                predicted = self.operator(state) if self.operator else transformed(predicted, W)
            if progress:
                progress("smoother steps", i + 1, steps)
        return Posterior(state, {"innovation_chi2": chi2[0], "innovation_chi2_steps": chi2})
