r"""Two baselines that know only what is usual: climatology, and optimal interpolation from it.

    climatology             x ~ N(m, B), whatever the forecast and the data
    optimal interpolation   x̄ = m + K (y° − H m),  K = B Hᵀ (H B Hᵀ + R)⁻¹,  members N(x̄, (I − K H) B)

m and B are mean and covariance of many states of the model (Gandin 1963, Objective analysis of meteorological fields). The
forecast is not used: what any filter must improve on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.static_covariance import StaticCovariance, control_posterior, recentred_draws
from seisflow.ensemble import Ensemble

__all__ = ["Climatology", "OptimalInterpolation"]


@dataclass(frozen=True, eq=False)
class Climatology(Analysis):
    """Members drawn from the climatology, their mean put on its mean. Known failure: ignores forecast and data alike.

    Parameters
    ----------
    mean
        m, an ensemble of one member.
    covariance
        B.
    """

    mean: Ensemble
    covariance: StaticCovariance
    name: str = "climatology"

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        fields, F = self.mean.names, self.covariance.states.pack(self.mean.names)
        draws = recentred_draws((np.eye(len(F)), True), forecast.size, generator)
        return Posterior(forecast.unpack(self.mean.pack() + draws @ F, fields))


@dataclass(frozen=True, eq=False)
class OptimalInterpolation(Analysis):
    """The Kalman update of the climatology. Known failure: yesterday's data are forgotten, since no forecast is used.

    Parameters
    ----------
    mean
        m, an ensemble of one member.
    mean_data
        H(m), with the fields of the predicted data.
    covariance
        B, with its image in data space.
    """

    mean: Ensemble
    mean_data: Ensemble
    covariance: StaticCovariance
    name: str = "optimal_interpolation"

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        fields, data = self.mean.names, evidence.predicted.names
        F = self.covariance.states.pack(fields)
        innovation = evidence.observed.pack(data)[0] - self.mean_data.pack(data)[0]
        w, factor = control_posterior(self.covariance.image(data), innovation, evidence.noise)
        members = w + recentred_draws(factor, forecast.size, generator)
        return Posterior(forecast.unpack(self.mean.pack() + members @ F, fields))
