r"""Three-dimensional variational analysis: the most probable state under a static background covariance B.

    minimise  J(x) = ½ ‖x − x_b‖²_{B⁻¹} + ½ ‖y° − H(x)‖²_{R⁻¹},      x_b the forecast mean,

in the control variable w, x = x_b + Fᵀ w with B = Fᵀ F, by Gauss–Newton:

    w ← w + A⁻¹ (G R⁻¹ (y° − H(x)) − w),      A = I + G R⁻¹ Gᵀ,  G the derivative of H along F's rows,

halved while J does not fall. For a linear H one step is exact. Members are the minimiser plus draws of N(0, Fᵀ A⁻¹ F), the
Gaussian with J's curvature, re-centred; a single member is the minimiser. Lorenc 1986 (QJRMS 112, 1177–1194).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations, packed_memory
from seisflow.analysis.static_covariance import Background, background_at, control_posterior, recentred_draws
from seisflow.analysis.table import InformedTable, Site
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Positive

__all__ = ["ThreeDVar", "ThreeDVarTable", "gauss_newton"]

Linearised = Callable[[NDArray], tuple[NDArray, NDArray]]
"""w ↦ predicted data ``(d,)`` and their derivative along the rows of F, G ``(r, d)``."""


@dataclass(frozen=True, eq=False)
class ThreeDVar(Analysis):
    """3D-Var with a static covariance of low rank.

    Known failure: B is the same every day, so the spread of the members says nothing about today's uncertainty; and the
    minimiser is one mode of a posterior that may have several.

    Parameters
    ----------
    covariance
        B; with its image in data space unless ``nonlinear``; or a function that gives the one of a forecast.
    nonlinear
        Whether the evidence's operator is differentiated along F's rows by central differences. Otherwise H is taken as
        linear, and the static covariance's image is its derivative.
    iterations
        Gauss–Newton steps at most, where ``nonlinear``.
    increment
        Size of the differences, in units of F's rows.
    bounds
        Field → (lowest, highest) physical value, applied after the update.
    """

    covariance: Background
    nonlinear: bool = False
    iterations: int = 10
    increment: float = 1e-4
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "three_d_var"

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
        covariance = background_at(self.covariance, forecast)
        fields, data = covariance.states.names, evidence.predicted.names
        F, background = covariance.states.pack(), forecast.pack(fields).mean(axis=0)
        y = evidence.observed.pack(data)[0]
        if not self.nonlinear:
            G = covariance.image(data)
            w, factor = control_posterior(G, y - evidence.predicted.pack().mean(axis=0), evidence.noise)
            steps = 1
        else:
            w, factor, steps = gauss_newton(
                lambda w: self._differences(background + w @ F, F, forecast, fields, evidence),
                len(F),
                y,
                evidence.noise,
                self.iterations,
            )
        controls = w + recentred_draws(factor, forecast.size, generator)
        analysed = forecast.unpack(background + controls @ F, fields)
        return Posterior(analysed.clipped(self.bounds), {"iterations": steps}, mean=background + w @ F)

    def _differences(
        self, x: NDArray, F: NDArray, like: Ensemble, fields: tuple[str, ...], evidence: Evidence
    ) -> tuple[NDArray, NDArray]:
        """H(x), and its central differences along F's rows."""
        bundle = np.concatenate([x[None], x + self.increment * F, x - self.increment * F])
        carried = like.members([0] * len(bundle)).unpack(bundle, fields)
        values = evidence.predict(carried).pack()
        r = len(F)
        return values[0], (values[1 : r + 1] - values[r + 1 :]) / (2 * self.increment)


def gauss_newton(
    linearised: Linearised, rank: int, y: NDArray, noise: Covariance, iterations: int, tolerance: float = 1e-6
) -> tuple[NDArray, tuple[NDArray, bool], int]:
    """Minimise ½ |w|² + ½ ‖y − h(w)‖²_{R⁻¹} from w = 0.

    Parameters
    ----------
    linearised
        w ↦ h(w) ``(d,)`` and its derivative G ``(r, d)``.
    rank
        r, length of w.
    y, noise
        Data and R.
    iterations
        Steps at most.
    tolerance
        Mean square of the last step's change of w at which it stops.

    Returns
    -------
    w, factor, steps
        The minimiser, the Cholesky factor of the curvature A there, and the number of steps taken.
    """
    w = np.zeros(rank)
    value, G = linearised(w)

    def cost(w: NDArray, value: NDArray) -> float:
        misfit = y - value
        return 0.5 * float(w @ w + misfit @ noise.solve(misfit[None])[0])

    current, taken = cost(w, value), 0
    for _ in range(iterations):
        # A⁻¹ (G R⁻¹ (y − h) − w) is the linear problem's solution for the innovation y − h + Gᵀ w, minus w.
        target, factor = control_posterior(G, y - value + w @ G, noise)
        length = 1.0
        while True:
            trial = w + length * (target - w)
            trial_value, trial_G = linearised(trial)
            trial_cost = cost(trial, trial_value)
            if trial_cost <= current * (1 + 1e-12) or length < 1e-3:
                break
            length /= 2
        if not trial_cost <= current * (1 + 1e-12):
            break
        change, w, value, G, current, taken = trial - w, trial, trial_value, trial_G, trial_cost, taken + 1
        if change @ change < tolerance * len(w):
            break
    _, factor = control_posterior(G, y - value, noise)
    return w, factor, taken


class ThreeDVarTable(InformedTable):
    """Three-dimensional variational analysis under the prior's covariance."""

    name: ClassVar[str] = "three_d_var"
    label: ClassVar[str] = "3D-Var"
    colour: ClassVar[str] = "yellowgreen"

    static_members: Annotated[int, Field(ge=2)] = 32
    """Size of the open loop whose covariance is B; its data are predicted, too."""
    scale: Positive = 1.0
    """Factor on B."""

    def analysis(self, site: Site) -> ThreeDVar:
        return ThreeDVar(site.climatology(self.static_members, self.scale), bounds=site.bounds, name=self.name)

    def simulations(self, members: int) -> Simulations:
        return Simulations(intervals=self.static_members, images=self.static_members)

    def memory(self, members: int, state: int, data: int) -> int:
        return packed_memory(members + self.static_members, state, data)
