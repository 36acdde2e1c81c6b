r"""The ensemble Kalman filter under a hybrid covariance: part ensemble, part static.

    P = (1 − β) X'ᵀX'/(M − 1) + β B,      x_i ← x_i + P Hᵀ (H P Hᵀ + R)⁻¹ (y° + ε_i − H(x_i)).

Both parts are rows of anomalies (B = Fᵀ F, :mod:`~seisflow.analysis.static_covariance`), so P is the covariance of M + r
weighted rows, and the update a system of that size. Hamill & Snyder 2000 (Mon. Wea. Rev. 128, 2905–2919).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.linalg import cho_factor, cho_solve

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations, packed_memory
from seisflow.analysis.ensemble_space import transformed
from seisflow.analysis.static_covariance import Background, background_at
from seisflow.analysis.table import InflatedTable, Site
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Share

__all__ = ["HybridEnKF", "HybridTable"]


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
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M, data = forecast.size, evidence.predicted.names
        static_part = background_at(self.covariance, forecast)
        if M < 2:
            raise InputError("forecast.size", M, "a Kalman gain needs at least two members")
        fields = forecast.names if self.fields is None else self.fields
        own, static = np.sqrt((1 - self.static_share) / (M - 1)), np.sqrt(self.static_share)
        HX = evidence.predicted.pack()
        G = np.concatenate([own * (HX - HX.mean(axis=0)), static * static_part.image(data)])
        innovations = evidence.noise.sample(M, generator)
        innovations += evidence.observed.pack(data) - innovations.mean(axis=0) - HX

        whitened = evidence.noise.solve(G)
        small = cho_factor(whitened @ G.T + np.eye(len(G)))
        weights = cho_solve(small, whitened @ innovations.T).T
        mix = np.eye(M) + own * (weights[:, :M] - weights[:, :M].mean(axis=1, keepdims=True))
        analysed = transformed(forecast, mix, fields)
        X = analysed.pack(fields)
        X += static * weights[:, M:] @ static_part.states.pack(fields)
        return Posterior(
            transformed(forecast.unpack(X, fields), mixing(self.adjustments, M, generator), fields, self.bounds)
        )


class HybridTable(InflatedTable):
    """Stochastic ensemble Kalman filter with a share of the prior's covariance."""

    name: ClassVar[str] = "hybrid"
    label: ClassVar[str] = "hybrid EnKF"
    colour: ClassVar[str] = "tab:olive"

    static_share: Share = 0.5
    """Share β of the static covariance, that of an open loop of its own."""
    static_members: Annotated[int, Field(ge=2)] = 32
    """Size of that open loop; its data are predicted, too."""

    def analysis(self, site: Site) -> HybridEnKF:
        return HybridEnKF(site.climatology(self.static_members, 1.0), self.static_share, **self.common(site))

    def simulations(self, members: int) -> Simulations:
        return Simulations(intervals=self.static_members, images=self.static_members)

    def memory(self, members: int, state: int, data: int) -> int:
        return packed_memory(members + self.static_members, state, data)
