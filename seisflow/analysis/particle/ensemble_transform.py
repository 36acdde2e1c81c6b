r"""The ensemble transform particle filter.

Resampling as optimal transport: with importance weights w and the coupling T* ≥ 0 of least cost,

    T* = argmin Σ_ij T_ij ‖x_i − x_j‖² ,     Σ_j T_ij = w_i ,   Σ_i T_ij = 1/M ,
    x_j^a = M Σ_i T*_ij x_i = Σ_i D_ij x_i .

The mean Σ_i w_i x_i is kept exactly, without a random number (Reich 2013, SIAM J. Sci. Comput. 35, A2013–A2024). Exact
plans by the network simplex; or entropic ones, T = argmin Σ T_ij ‖·‖² + ε Σ T_ij log T_ij by Sinkhorn's iteration, ε in
units of the mean cost: ε → 0 is the exact plan, ε → ∞ puts every member on the mean.

Averages of members lose spread. The second-order correction adds a symmetric Δ with Δ1 = 0 so that the covariance, too,
is the weighted one (Acevedo, de Wiljes & Reich 2017, SIAM J. Sci. Comput. 39, A1831–A1850): with B = D − w1ᵀ,

    (B + Δ)(B + Δ)ᵀ = M (diag w − w wᵀ)    ⇔    BΔ + ΔBᵀ + ΔΔ = M (diag w − w wᵀ) − BBᵀ =: A ⪰ 0 ,

a Riccati equation, solved on the complement of 1 by doubling (Chu, Fan & Lin 2005, Linear Algebra Appl. 396, 55–80): it is
the end of the paper's pseudo-time flow, whose time every iteration doubles. Means and covariances are those with 1/M.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.importance import carried, log_likelihood, normalise, without_weights
from seisflow.analysis.table import InformedTable, Site
from seisflow.diagnostics import effective_size
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import NonNegative

__all__ = [
    "EnsembleTransform",
    "EnsembleTransformTable",
    "second_order_correction",
    "squared_distances",
    "transport_plan",
]


def squared_distances(anomalies: NDArray) -> NDArray[np.float64]:
    """‖x_i − x_j‖² ``(M, M)`` of the rows of ``(M, n)``, in units of their mean; zeros when all rows are the same.

    Rows should be centred: the Gram matrix loses digits to a common part.
    """
    gram = anomalies @ anomalies.T
    squares = np.diag(gram)
    distances = np.maximum(squares[:, None] + squares - 2 * gram, 0.0)
    return distances / distances.mean() if distances.mean() > 0 else distances


def transport_plan(cost: NDArray, weights: NDArray, entropy: float = 0.0) -> NDArray[np.float64]:
    """Coupling T ``(M, M)`` of the weights (rows) with 1/M (columns).

    Parameters
    ----------
    cost
        c_ij ``(M, M)``, with a mean of one.
    weights
        w_i, positive or zero, sum one.
    entropy
        ε; 0 for the exact plan.

    Raises
    ------
    ImportError
        Without the package POT.
    """
    try:
        import ot
    except ImportError as error:
        raise ImportError(
            'The ensemble transform filter takes its transport plans from POT: pip install "seisflow[transport]".'
        ) from error
    M = len(weights)
    if entropy == 0:
        return ot.emd(weights, np.full(M, 1 / M), cost, numItermax=max(100_000, 1000 * M))
    # Members without weight have no row in the plan; the logarithmic form stays finite where exp(−cost/ε) underflows.
    kept = weights > 1e-100
    plan = np.zeros((M, M))
    plan[kept] = ot.sinkhorn(
        weights[kept] / weights[kept].sum(),
        np.full(M, 1 / M),
        cost[kept],
        entropy,
        method="sinkhorn_log",
        numItermax=5000,
        stopThr=1e-10,
        warn=False,
    )
    # Iterations end with rows that fit to a tolerance: the mean is kept exactly only if they fit exactly.
    plan[kept] *= (weights[kept] / plan[kept].sum(axis=1))[:, None]
    return plan


def second_order_correction(D: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Δ ``(M, M)`` of this module's head, for a transform D with D1 = M w and 1ᵀD = 1ᵀ."""
    M = len(weights)
    if M < 2:
        return np.zeros((M, M))
    # Orthonormal basis of the complement of 1: both B and Δ live there.
    U = np.linalg.qr(np.column_stack([np.ones(M), np.eye(M)[:, : M - 1]]))[0][:, 1:]
    B = U.T @ (D - np.outer(weights, np.ones(M))) @ U
    target = M * (np.diag(weights) - np.outer(weights, weights))
    return U @ _riccati(B, U.T @ target @ U - B @ B.T) @ U.T


def _riccati(B: NDArray, A: NDArray, tolerance: float = 1e-12) -> NDArray:
    """Largest symmetric solution X of BX + XBᵀ + XX = A, by structure-preserving doubling."""
    identity, scale = np.eye(len(B)), float(max(np.linalg.norm(A, 2), np.linalg.norm(B, 2) ** 2))
    if scale == 0:
        return np.zeros_like(A)
    shift = np.sqrt(scale)
    F = -B.T - shift * identity
    inverse = np.linalg.inv(F)
    W = np.linalg.inv(F.T + A @ inverse)
    E, G, X = identity + 2 * shift * W.T, 2 * shift * inverse @ W, 2 * shift * W @ A @ inverse
    for _ in range(60):
        middle = np.linalg.inv(identity + G @ X)
        step = E.T @ X @ middle @ E
        G, X, E = G + E @ middle @ G @ E.T, X + step, E @ middle @ E
        X, G = (X + X.T) / 2, (G + G.T) / 2
        if np.linalg.norm(step) <= tolerance * max(float(np.linalg.norm(X)), tolerance):
            break
    return X


@dataclass(frozen=True)
class EnsembleTransform(Analysis):
    """Ensemble transform particle filter, exact or entropic, with or without the second-order correction.

    Known failure: the analysis members stay inside the convex hull of the forecast (with the correction: in its affine
    hull), so where all the weight falls on one member they all become that member. Without the correction the spread
    is too small whenever the weights differ.

    Parameters
    ----------
    fields
        Fields of the state that are transformed; others are carried along. None: all.
    entropy
        ε of the Sinkhorn plan in units of the mean cost; 0 for the exact plan.
    second_order
        Whether the covariance is corrected.
    rejuvenation
        β: anomalies get β A ξ / √(M − 1) added, A the forecast anomalies, ξ standard normal with mean zero; 0 for none.
    bounds
        Field → (lowest, highest) physical value, applied after the update.

    Notes
    -----
    The cost is the mean over the fields of the squared distance in units of its own mean, so that a pressure in pascal does
    not drown a saturation; for a single field this changes nothing.
    """

    fields: tuple[str, ...] | None = None
    entropy: float = 0.0
    second_order: bool = False
    rejuvenation: float = 0.0
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "ensemble_transform"

    def __post_init__(self) -> None:
        for argument in ("entropy", "rejuvenation"):
            if not getattr(self, argument) >= 0:
                raise InputError(argument, getattr(self, argument), "give a number of 0 or more")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        fields = without_weights(forecast).names if self.fields is None else self.fields
        M, anomalies = forecast.size, forecast.pack(fields)
        mean = anomalies.mean(axis=0)
        anomalies -= mean
        ends = np.cumsum([forecast[name][0].size for name in fields])[:-1]
        cost = np.mean([squared_distances(part) for part in np.split(anomalies, ends, axis=1)], axis=0)
        weights = normalise(carried(forecast) + log_likelihood(evidence))
        transform = M * transport_plan(cost, weights, self.entropy)
        if self.second_order:
            transform = transform + second_order_correction(transform, weights)
        analysed = transform.T @ anomalies
        analysed += mean
        if self.rejuvenation > 0 and M > 1:
            xi = generator.standard_normal((M, M))
            analysed += self.rejuvenation / np.sqrt(M - 1) * (xi - xi.mean(axis=0)) @ anomalies

        ensemble = without_weights(forecast).unpack(analysed, fields)
        statistics = {"effective_size": effective_size(weights)}
        return Posterior(ensemble.clipped(self.bounds), statistics, mean=mean + weights @ anomalies)


class EnsembleTransformTable(InformedTable):
    """Ensemble transform particle filter; needs the extra ``transport``."""

    name: ClassVar[str] = "ensemble_transform"
    label: ClassVar[str] = "ensemble transform"
    colour: ClassVar[str] = "tab:pink"

    entropy: NonNegative = 0.0
    """ε of the transport plan in units of the mean cost; 0 for the exact plan."""
    second_order: bool = True
    """Whether the covariance is corrected to that of the weights."""
    rejuvenation: NonNegative = 0.0
    """Share of the forecast anomalies that is mixed in at random."""

    def analysis(self, site: Site) -> EnsembleTransform:
        return EnsembleTransform(
            site.fields, self.entropy, self.second_order, self.rejuvenation, site.bounds, name=self.name
        )
