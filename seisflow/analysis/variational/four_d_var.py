r"""Four-dimensional variational analysis (strong constraint): the initial state of a window that explains its data best.

    minimise  J(x) = ½ ‖x − x_b‖²_{B⁻¹} + ½ ‖y_k − H(M(x))‖²_{R⁻¹},      x the state at the window's start,

x_b the start carried over from the last window, which the older data of the window have already corrected: every datum is
used once. Control variable and Gauss–Newton as in :mod:`~seisflow.analysis.variational.three_d_var`; the derivative of H
∘ M along the rows of F is the tangent-linear model, so the Hessian of the r controls is exact up to second derivatives
and no adjoint is needed. Le Dimet & Talagrand 1986 (Tellus A 38, 97–110); this cycling: Bocquet & Sakov 2013 (Nonlin.
Proc. Geophys. 20, 803–818).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.static_covariance import StaticCovariance, recentred_draws
from seisflow.analysis.variational.three_d_var import gauss_newton
from seisflow.analysis.variational.window import Window
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.vector import VectorObservation

__all__ = ["FourDVar"]


@dataclass(frozen=True, eq=False)
class FourDVar(Analysis):
    """4D-Var for models with a tangent, windows overlapping.

    Known failure: the background covariance is the same in every window, and a long window of a chaotic model has many
    minima: Gauss–Newton finds the one nearest to the background.

    Parameters
    ----------
    window
        Model, interval, lag.
    observation
        H, for vector states; H must be linear, or its derivative is taken by differences along F's rows.
    covariance
        B at the window's start, field ``state``.
    iterations
        Gauss–Newton steps at most.
    """

    window: Window
    observation: VectorObservation
    covariance: StaticCovariance
    iterations: int = 10
    name: str = "four_d_var"

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError("iterations", self.iterations, "give 1 or more")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        start, age = self.window.start(forecast)
        background, F = start.mean(axis=0), self.covariance.states.pack(["state"])

        def linearised(w: NDArray) -> tuple[NDArray, NDArray]:
            x = background + w @ F
            return self._predict(self.window.to_datum(x[None], age)[0], self.window.tangent(x, F, age))

        w, factor, steps = gauss_newton(
            linearised, len(F), evidence.observed["data"][0], evidence.noise, self.iterations
        )
        mode = background + w @ F
        members = mode + recentred_draws(factor, forecast.size, generator) @ F
        return Posterior(
            self.window.finished(forecast, members, age),
            {"iterations": steps},
            mean=self.window.to_datum(mode[None], age)[0],
        )

    def _predict(self, x: NDArray, dx: NDArray) -> tuple[NDArray, NDArray]:
        """H(x), and its derivative along the rows of dx: exact where H is linear."""
        H = self.observation.apply
        if self.observation.function is None:
            return H(x), H(dx)
        small = 1e-5
        return H(x), (H(x + small * dx) - H(x - small * dx)) / (2 * small)
