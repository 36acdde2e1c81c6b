r"""Observation-error inflation: any analysis with γ R in place of R, γ ≥ 1.

The likelihood p(y° | x) becomes its 1/γ-th power. What stands between the data and the best that M members can do is
not the noise alone: an innovation of thousands of pixels lies mostly outside the span of the predicted data, and a gain that
is told of R only fits what of it falls into the span by chance. The innovation statistic says how much is missing,

    χ²/d = dᵀ (Y'ᵀY'/(M − 1) + R)⁻¹ d / d_y ≫ 1        (:func:`~seisflow.analysis.ensemble_space.innovation_chi2`),

and γ makes good for it (error of representativeness: Desroziers, Berre, Chapnik & Poli 2005, QJRMS 131, 3385–3396, diagnose
it; Stewart, Dance & Nichols 2013, Tellus A 65, 19546, on inflated diagonals for correlated errors). For a particle filter it
is the tempered likelihood that keeps more than one particle alive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["InflatedNoise"]


@dataclass(frozen=True, eq=False)
class InflatedNoise(Analysis):
    """Runs another analysis with its noise covariance multiplied by a factor.

    Known failure: where the members do span the data and R is right, the posterior is wider than Bayes', by up to √γ; and
    one factor for all data wastes those that had no need of it. Statistics are those of γ R, ``innovation_chi2`` among them.

    Parameters
    ----------
    analysis
        The analysis.
    factor
        γ, 1 or more; 1 is the analysis itself.
    name
        Name of its stages. None: that of ``analysis``.

    Raises
    ------
    InputError
        When the factor is less than 1 or not finite.
    """

    analysis: Analysis
    factor: float
    name: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.factor < np.inf:
            raise InputError("noise_inflation", self.factor, "give a finite factor of 1 or more")
        object.__setattr__(self, "name", self.name or self.analysis.name)

    def resumable(self, folder: Path) -> Analysis:
        return replace(self, analysis=self.analysis.resumable(folder))

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        return self.analysis.update(
            forecast, replace(evidence, noise=evidence.noise.scaled(self.factor)), generator, progress
        )
