r"""The forecast as a mixture of Gaussian kernels, for analyses that need a model noise which was not added yet.

With anomalies X' of the forecast, sample covariance P = X'ᵀX'/(M − 1) and a share β,

    p(x) ≈ 1/M Σ_i N(x; c_i, Q) ,      c_i = x̄ + √(1 − β) x'_i ,      Q = β P ,

has mean x̄ and, up to 1/M, covariance P: the shrinkage of the centres makes good what the kernels add (West 1993, J. R.
Statist. Soc. B 55, 409–422; Liu & West 2001). The data of the centres are shrunk alike, which is exact for a linear H.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.importance import without_weights
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["KernelMixture"]


@dataclass(frozen=True, eq=False)
class KernelMixture(Analysis):
    """Runs another analysis on the kernels' centres, with Q for its model noise.

    Known failure: kernels are ellipsoids in the space of the members, so a front is smeared by them as by a Kalman update;
    and the image of Q is that of a linear H.

    Parameters
    ----------
    analysis
        Q with its image in data space → the analysis of the centres, say
        :class:`~seisflow.analysis.particle.implicit_equal_weights.ImplicitEqualWeights`.
    share
        β in (0, 1).
    fields
        Fields of the state that are updated; others are carried along. None: all.
    bounds
        Field → (lowest, highest) physical value, applied after the update.
    """

    analysis: Callable[[StaticCovariance], Analysis]
    share: float = 0.5
    fields: tuple[str, ...] | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "kernel_mixture"

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError("share", self.share, "give a share of the covariance in (0, 1)")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        fields = without_weights(forecast).names if self.fields is None else self.fields
        kernels = StaticCovariance.of(forecast.select(fields), evidence.predicted, self.share)
        centres = forecast.unpack(_shrunk(forecast.pack(fields), self.share), fields)
        data = evidence.predicted.unpack(_shrunk(evidence.predicted.pack(), self.share))
        posterior = self.analysis(kernels).update(centres, replace(evidence, predicted=data), generator, progress)
        return Posterior(posterior.ensemble.clipped(self.bounds), posterior.statistics, posterior.weights)


def _shrunk(rows: np.ndarray, share: float) -> np.ndarray:
    mean = rows.mean(axis=0)
    return mean + np.sqrt(1 - share) * (rows - mean)
