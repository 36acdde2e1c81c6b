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
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from seisflow.analysis.adjustments import Adjustment, Inflation, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.ensemble_space import DataSpace, centring, innovation_chi2, transformed
from seisflow.analysis.table import Site, TransformedTable
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble

__all__ = ["EnKF", "EnkfTable", "perturbed_weights"]


@dataclass(frozen=True)
class EnKF(Analysis):
    """Stochastic (perturbed-observations) ensemble Kalman filter without localisation.

    Known failure: the gain is global and estimated from M members, so with few of them far cells are changed by chance
    correlations, and a non-Gaussian forecast (a saturation front) is updated as if it were Gaussian.

    Parameters
    ----------
    fields
        Fields of the state that the data update; others are carried along. None: all.
    inflation
        Factor on the analysis anomalies, 1 or more.
    bounds
        Field → (lowest, highest) physical value, applied after the update.
    adjustments
        What else is done to the analysed members, in their order, before the bounds.
    """

    fields: tuple[str, ...] | None = ("saturation", "pressure")
    inflation: float = 1.0
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "enkf"
    adjustments: tuple[Adjustment, ...] = ()

    def __post_init__(self) -> None:
        Inflation(self.inflation)

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        data = DataSpace.of(evidence)
        W = perturbed_weights(data, evidence.noise, generator)
        W = mixing((Inflation(self.inflation), *self.adjustments), forecast.size, generator) @ W
        return Posterior(
            transformed(forecast, W, self.fields, self.bounds),
            {"innovation_chi2": innovation_chi2(data, evidence.noise)},
        )


def perturbed_weights(
    data: DataSpace, noise: Covariance, generator: np.random.Generator, inflation_of_noise: float = 1.0
) -> NDArray[np.float64]:
    """W ``(M, M)`` of one update with perturbed observations.

    Parameters
    ----------
    data
        Anomalies and innovation.
    noise
        R, from which the perturbations are drawn.
    generator
        Source of the perturbations.
    inflation_of_noise
        α: the update is done with α R in place of R.
    """
    M = len(data.gram)
    innovations = noise.sample(M, generator)
    innovations -= innovations.mean(axis=0)
    innovations *= np.sqrt(inflation_of_noise)
    innovations += data.innovation
    innovations -= data.anomalies
    small = cho_factor(data.gram + inflation_of_noise * (M - 1) * np.eye(M))
    return np.eye(M) + centring(cho_solve(small, data.whitened @ innovations.T).T)


class EnkfTable(TransformedTable):
    """Stochastic ensemble Kalman filter."""

    name: ClassVar[str] = "enkf"
    label: ClassVar[str] = "EnKF"
    colour: ClassVar[str] = "tab:orange"

    def analysis(self, site: Site) -> EnKF:
        return EnKF(**self.common(site))
