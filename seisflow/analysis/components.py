r"""A vector analysis on the leading components of state and data, for methods that cannot carry a whole field.

The state is carried to its latent u (:mod:`seisflow.analysis.transform`), standardised cell by cell; with its
anomalies U' = V Σ Eᵀ (M × n) over the members and r of the components,

    state   a_i = √(M − 1) V_i ,  r numbers of variance one,       u = ū + Σ_r Eᵀ_r a / √(M − 1) ,
    data    S = Y' R⁻¹ Y'ᵀ = Q Λ Qᵀ ,    z = Λ^(−½) Qᵀ Y' R⁻¹ (y − ȳ) ,   s numbers with the noise N(0, I) .

For a linear H all M − 1 directions z are all that y says about a. Kept are those that the members spread over more than a
part of the noise, Λ/(M − 1) above a least value. What is lost is the state outside the r components, with its spread.

The analysis in between sees the fields ``component`` and ``datum``, R = I, and an operator that lifts components, predicts
their data and projects these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.ensemble_space import DataSpace
from seisflow.analysis.transform import StateTransform
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["OnComponents"]


@dataclass(frozen=True, eq=False)
class OnComponents(Analysis):
    """Runs a vector analysis on the leading components of the forecast and its data.

    Known failure: the posterior lies in the span of r components of M members, so what a front does between them is lost,
    and so is their spread.

    Parameters
    ----------
    analysis
        The analysis of the components; its evidence has an operator from components to data.
    transform
        The state's latents; other fields pass unchanged.
    components
        r; at most M − 1 are used.
    least
        Variance of the members in units of the noise below which directions of the data are left out; one is always kept.
    """

    analysis: Analysis
    transform: StateTransform = field(default_factory=StateTransform)
    components: int = 8
    least: float = 0.1
    name: str = "on_components"

    def __post_init__(self) -> None:
        if self.components < 1:
            raise InputError("components", self.components, "give 1 or more")
        if not self.least > 0:
            raise InputError("least", self.least, "give a positive number")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M, fitted = forecast.size, self.transform.fit(forecast)
        latent = fitted.forward(forecast)
        U = latent.reshape(M, -1).astype(np.float64)
        mean = U.mean(axis=0)
        V, sigma, E = np.linalg.svd(U - mean, full_matrices=False)
        r = int(min(self.components, M - 1, (sigma > 1e-6 * sigma[0]).sum()))
        states = Ensemble({"component": np.sqrt(M - 1) * V[:, :r]}, forecast.time)

        data = DataSpace.of(evidence)
        project = _projection(data, self.least)
        centre = evidence.predicted.pack().mean(axis=0)

        def lift(components: NDArray) -> Ensemble:
            u = mean + (components * sigma[:r] / np.sqrt(M - 1)) @ E[:r]
            like = forecast.members(np.arange(len(components)) % M)
            return fitted.inverse(u.reshape(len(u), *latent.shape[1:]), like)

        def of_components(ensemble: Ensemble) -> Ensemble:
            values = evidence.predict(lift(ensemble["component"])).pack()
            return Ensemble({"datum": project(values - centre)}, ensemble.time)

        reduced = Ensemble({"datum": project(data.anomalies)}, forecast.time)
        datum = Ensemble({"datum": project(data.innovation[None])}, evidence.observed.time)
        unit = DiagonalCovariance(np.ones(datum["datum"].shape[1]))
        posterior = self.analysis.update(states, Evidence(reduced, datum, unit, of_components), generator, progress)
        share = float((sigma[:r] ** 2).sum() / (sigma**2).sum())
        statistics = {**posterior.statistics, "components": r, "variance_share": share}
        return Posterior(lift(posterior.ensemble["component"]), statistics, posterior.weights)


def _projection(data: DataSpace, least: float) -> Callable[[NDArray], NDArray[np.float64]]:
    """Data anomalies ``(n, d)`` ↦ z ``(n, s)``."""
    values, Q = np.linalg.eigh(data.gram)
    if not values[-1] > 0:
        raise InputError("predicted", "all the same", "data that do not differ between members say nothing")
    chosen = np.flatnonzero(values > min(least * (len(values) - 1), 0.999 * values[-1]))[::-1]
    rows = (Q[:, chosen] / np.sqrt(values[chosen])).T @ data.whitened
    return lambda anomalies: anomalies @ rows.T
