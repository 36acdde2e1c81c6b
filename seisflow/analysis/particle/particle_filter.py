r"""The bootstrap particle filter.

    w_i ∝ w_i p(y° | x_i)                                    weights of the forecast members
    if N_eff = 1/Σ w_i² ≤ ν M:                               (ν = ``resample_below``)
        j(1) … j(M) by systematic resampling of w ,  w_i = 1/M
        x_i ← x_j(i),  copies jittered                       (:mod:`seisflow.analysis.importance`)

Gordon, Salmond & Smith 1993 (IEE Proc. F 140, 107–113); van Leeuwen et al. 2019 (QJRMS 145, 2335–2365). It is exact for
M → ∞, whatever the prior and the noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.importance import (
    carried,
    jitter_duplicates,
    log_likelihood,
    normalise,
    systematic_resampling,
    without_weights,
)
from seisflow.analysis.table import InformedTable, Site
from seisflow.diagnostics import effective_size
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import NonNegative

__all__ = ["ParticleFilter", "ParticleFilterTable"]


@dataclass(frozen=True)
class ParticleFilter(Analysis):
    """Bootstrap particle filter with systematic resampling and jitter.

    Known failure: no member is ever moved towards the data, so one must already lie near the truth. The number needed
    grows exponentially with the information in the data (Snyder et al. 2008, Mon. Wea. Rev. 136): with images for data
    N_eff is 1 after one update, and the posterior is copies of the luckiest member.

    Parameters
    ----------
    fields
        Fields of the state that are jittered, by joint anomalies; resampling always takes the whole member. None: all.
    resample_below
        ν in [0, 1]: resampling when N_eff ≤ ν M. At 1 members always come back with equal weights. Below, they may come
        back unmoved with the field ``log_weight``, which must travel with them to the next update.
    jitter
        r, factor on the bandwidth M^(−1/(n+4)); 0 for none.
    bounds
        Field → (lowest, highest) physical value, applied after the jitter.
    """

    fields: tuple[str, ...] | None = None
    resample_below: float = 1.0
    jitter: float = 0.0
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "particle_filter"

    def __post_init__(self) -> None:
        if not 0 <= self.resample_below <= 1:
            raise InputError("resample_below", self.resample_below, "give a share of the ensemble in [0, 1]")
        if not self.jitter >= 0:
            raise InputError("jitter", self.jitter, "give a factor of 0 or more")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        fields = without_weights(forecast).names if self.fields is None else self.fields
        X, M = forecast.pack(fields), forecast.size
        weights = normalise(carried(forecast) + log_likelihood(evidence))
        n_eff = effective_size(weights)
        statistics = {"effective_size": n_eff, "resampled": True}
        mean = weights @ X
        if self.resample_below < 1 and n_eff > self.resample_below * M:
            with np.errstate(divide="ignore"):  # a weight of zero is a log-weight of minus infinity
                kept = forecast.replace(log_weight=np.log(weights))
            return Posterior(kept, statistics | {"resampled": False}, mean=mean)
        chosen = systematic_resampling(weights, generator)
        X = jitter_duplicates(X, chosen, weights, self.jitter, generator)
        analysed = without_weights(forecast).members(chosen).unpack(X, fields)
        return Posterior(analysed.clipped(self.bounds), statistics, mean=mean)


class ParticleFilterTable(InformedTable):
    """Bootstrap particle filter with systematic resampling at every survey."""

    name: ClassVar[str] = "particle_filter"
    label: ClassVar[str] = "particle filter"
    colour: ClassVar[str] = "tab:brown"
    moves_state: ClassVar[bool] = False

    jitter: NonNegative = 0.0
    """Factor on the bandwidth M^(−1/(n+4)) by which copies are told apart; 0 for none."""

    def analysis(self, site: Site) -> ParticleFilter:
        return ParticleFilter(site.fields, 1.0, self.jitter, site.bounds, self.name)
