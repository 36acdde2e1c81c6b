r"""The deterministic ensemble Kalman filter: the mean with the gain K, the anomalies with half of it.

    x̄ ← x̄ + K (y° − ȳ),      X' ← X' − ½ Y' Kᵀ,      P ← (I − K H) P + ¼ K H P Hᵀ Kᵀ,

so the spread is that of the Kalman filter to first order in K H, and larger by the last term: a built-in inflation where
data are strong. No random number. Sakov & Oke 2008 (Tellus A 60, 361–371).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.ensemble_space import DataSpace, centring, innovation_chi2, transformed
from seisflow.analysis.table import Site, TransformedTable
from seisflow.ensemble import Ensemble

__all__ = ["DEnKF", "DenkfTable"]


@dataclass(frozen=True)
class DEnKF(Analysis):
    """Deterministic ensemble Kalman filter.

    Known failure: overestimates the spread where data are strong (a scalar forecast variance P with noise R → 0 keeps P/4).

    Parameters
    ----------
    fields, adjustments, bounds
        As for :class:`~seisflow.analysis.kalman.etkf.ETKF`.
    """

    fields: tuple[str, ...] | None = None
    adjustments: tuple[Adjustment, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "denkf"

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        data, M = DataSpace.of(evidence), forecast.size
        small = cho_factor(data.gram + (M - 1) * np.eye(M))
        mean = cho_solve(small, data.projected)
        W = np.eye(M) + centring(mean - 0.5 * cho_solve(small, data.gram).T)
        W = mixing(self.adjustments, M, generator) @ W
        return Posterior(
            transformed(forecast, W, self.fields, self.bounds),
            {"innovation_chi2": innovation_chi2(data, evidence.noise)},
        )


class DenkfTable(TransformedTable):
    """Deterministic ensemble Kalman filter."""

    name: ClassVar[str] = "denkf"
    label: ClassVar[str] = "DEnKF"
    colour: ClassVar[str] = "sandybrown"

    def analysis(self, site: Site) -> DEnKF:
        return DEnKF(**self.common(site))
