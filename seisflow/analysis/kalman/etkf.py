r"""The ensemble transform Kalman filter, with the symmetric square root: no random number.

With S = Y' R⁻¹ Y'ᵀ = V Λ Vᵀ and g = Y' R⁻¹ (y° − ȳ) in the ensemble space,

    w̄ = (S + (M − 1) I)⁻¹ g,      T = ((S + (M − 1) I) / (M − 1))^(−½) = V (1 + Λ/(M − 1))^(−½) Vᵀ,
    x_i ← x̄ + X'ᵀ (w̄ + T_i).

Bishop, Etherton & Majumdar 2001 (Mon. Wea. Rev. 129, 420–436); symmetric root: Hunt, Kostelich & Szunyogh 2007 (Physica D
230, 112–126).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.adjustments import Adjustment, Rotation, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.ensemble_space import DataSpace, innovation_chi2, transformed
from seisflow.analysis.table import Site, TransformedTable
from seisflow.ensemble import Ensemble

__all__ = ["ETKF", "EtkfTable", "square_root_weights"]


@dataclass(frozen=True)
class ETKF(Analysis):
    """Ensemble transform Kalman filter without localisation.

    Known failure: linear and global like the EnKF; on a nonlinear model, many members and no rotation, one member carries
    most of the spread while the others cluster.

    Parameters
    ----------
    fields
        Fields of the state that the data update; others are carried along. None: all.
    adjustments
        Inflation, rotation, in their order.
    bounds
        Field → (lowest, highest) physical value, applied after the update.
    """

    fields: tuple[str, ...] | None = None
    adjustments: tuple[Adjustment, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "etkf"

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        data = DataSpace.of(evidence)
        W = mixing(self.adjustments, forecast.size, generator) @ square_root_weights(data.gram, data.projected)
        return Posterior(
            transformed(forecast, W, self.fields, self.bounds),
            {"innovation_chi2": innovation_chi2(data, evidence.noise)},
        )


def square_root_weights(gram: NDArray, projected: NDArray) -> NDArray[np.float64]:
    """W ``(M, M)`` from S and g; leading axes are batches.

    The vector of ones is an eigenvector of S with value 0, so T keeps the mean and the rows of W sum to one.
    """
    M = gram.shape[-1]
    values, V = np.linalg.eigh(gram)
    damping = 1 / (np.maximum(values, 0.0) + (M - 1))
    Vt = np.swapaxes(V, -1, -2)
    mean = (V * damping[..., None, :]) @ (Vt @ projected[..., None])
    root = (V * np.sqrt((M - 1) * damping)[..., None, :]) @ Vt
    return np.swapaxes(mean, -1, -2) - mean.mean(axis=(-1, -2), keepdims=True) + root


class EtkfTable(TransformedTable):
    """Ensemble transform Kalman filter (symmetric square root)."""

    name: ClassVar[str] = "etkf"
    label: ClassVar[str] = "ETKF"
    colour: ClassVar[str] = "goldenrod"

    rotation: bool = True
    """Whether the anomalies are rotated at random, their mean and covariance kept."""

    def analysis(self, site: Site) -> ETKF:
        settings = self.common(site)
        if self.rotation:
            settings["adjustments"] += (Rotation(),)
        return ETKF(**settings)
