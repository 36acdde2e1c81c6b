r"""The ensemble smoother with multiple data assimilation.

The data are taken in N times, each time with noise inflated so that the steps add up to one:

    for i = 1 … N:   predict H(x_j),   x_j ← x_j + K_i (y° + √α_i ε_j − H(x_j)),   K_i with α_i R,      Σ_i 1/α_i = 1.

For a linear H and a Gaussian forecast this is the single update; for others, small steps follow H's curvature better.
Emerick & Reynolds 2013 (Computers & Geosciences 55, 3–15).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations
from seisflow.analysis.ensemble_space import DataSpace, innovation_chi2, transformed
from seisflow.analysis.kalman.enkf import perturbed_weights
from seisflow.analysis.table import Site, TransformedTable
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Count

__all__ = ["ESMDA", "EsMdaTable"]


@dataclass(frozen=True, eq=False)
class ESMDA(Analysis):
    """Ensemble smoother with multiple data assimilation.

    Known failure: a linear regression at every step; two modes of the forecast stay joined by one covariance, so members end
    between them (the two-mode example), whatever N.

    Parameters
    ----------
    inflations
        α_i, each 1 or more, their inverses summing to one.
    fields, adjustments, bounds
        As for :class:`~seisflow.analysis.kalman.etkf.ETKF`; adjustments once, after the last step, bounds after every step.

    The evidence's operator is run before every step but the first. Without one, predicted data are updated with the state,
    which is exact for a linear H and makes N steps no better than one for others.
    """

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
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        state, chi2, steps = forecast, [], len(self.inflations)
        for i, alpha in enumerate(self.inflations):
            data = DataSpace.of(evidence)
            chi2.append(innovation_chi2(data, evidence.noise))
            W = perturbed_weights(data, evidence.noise, generator, alpha)
            if i == steps - 1:
                W = mixing(self.adjustments, state.size, generator) @ W
            state = transformed(state, W, self.fields, self.bounds)
            if i < steps - 1:
                linear = evidence.operator is None
                predicted = transformed(evidence.predicted, W) if linear else evidence.predict(state)
                evidence = replace(evidence, predicted=predicted)
            if progress:
                progress("smoother steps", i + 1, steps)
        return Posterior(state, {"innovation_chi2": chi2[0], "innovation_chi2_steps": chi2})


class EsMdaTable(TransformedTable):
    """Ensemble smoother with multiple data assimilation of the state at the survey."""

    name: ClassVar[str] = "es_mda"
    label: ClassVar[str] = "ES-MDA"
    colour: ClassVar[str] = "tab:purple"

    steps: Count = 4
    """Number of steps N, each with N R for noise; all but the first predict the data anew."""

    def analysis(self, site: Site) -> ESMDA:
        return ESMDA((float(self.steps),) * self.steps, **self.common(site))

    def simulations(self, members: int) -> Simulations:
        return Simulations(images=members * (self.steps - 1))
