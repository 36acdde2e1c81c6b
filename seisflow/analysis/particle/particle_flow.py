r"""The particle flow filter: members move together from the prior to the posterior, without weights.

In pseudo-time s every member follows the steepest descent of the Kullback–Leibler divergence between the members' density
and the posterior, in a reproducing kernel space, preconditioned by D:

    dx_i/ds = D (1/N) Σ_j [ K(x_j, x_i) ∇log p(x_j | y°) + ∇_{x_j} · K(x_j, x_i) ] ,
    ∇log p(x | y°) = H'ᵀ R⁻¹ (y° − H(x)) − B⁻¹ (x − x̄⁰) ,        D = B, the localised prior covariance.

The first term draws members to the mode, the second keeps them apart. With the matrix kernel every variable has its own,

    K = diag(K_d) ,   K_d(x, z) = exp(−(x_d − z_d)² / (2 α σ_d²)) ,   α = 1/N ,   σ_d² = B_dd ;

with the scalar kernel all share K = exp(−½ Σ_d (x_d − z_d)² / (α σ_d²)), which is zero between any two members as soon as
there are many variables: nothing keeps them apart. Hu & van Leeuwen 2021 (QJRMS 147, 2352–2374); Liu & Wang 2016
(NeurIPS 29).

Euler steps: longer while the flow calms down, undone and halved when it gets rougher.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.importance import without_weights
from seisflow.analysis.particle.localized_prior import LocalizedPrior
from seisflow.analysis.table import InformedTable, Site
from seisflow.analysis.variational.linearization import DifferentiableObservation
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Count, Positive

__all__ = ["ParticleFlow", "ParticleFlowTable", "kernel_flow"]

Score = Callable[[NDArray], NDArray]
"""∇ log p of every row of ``(N, n)``."""


def kernel_flow(X: NDArray, gradient: NDArray, width: NDArray, kernel: Literal["matrix", "scalar"]) -> NDArray:
    """(1/N) Σ_j [K(x_j, x_i) g_j + ∇_{x_j} · K(x_j, x_i)] of every row x_i of X.

    Parameters
    ----------
    X, gradient
        Members and ∇log p there, ``(N, n)``.
    width
        α σ_d² ``(n,)``, positive.
    kernel
        ``"matrix"`` or ``"scalar"``.
    """
    flow = np.empty_like(X)
    block = max(1, 200_000 // X.size)  # of members at a time: no (N, N, n) array where n is large
    for start in range(0, len(X), block):
        apart = X - X[start : start + block, None]
        scaled = apart / width
        exponent = apart * scaled
        if kernel == "scalar":
            exponent = exponent.sum(axis=2, keepdims=True)
        flow[start : start + block] = (np.exp(-0.5 * exponent) * (gradient - scaled)).mean(axis=1)
    return flow


@dataclass(frozen=True, eq=False)
class ParticleFlow(Analysis):
    """Particle flow filter with a localised Gaussian prior.

    Known failure: with the scalar kernel the ensemble collapses where there are more than a few variables. With the matrix
    kernel every variable sees its own marginal only: at rest E[∂_d log p(x | y°) | x_d] = ∂_d log of the members' marginal,
    which for a Gaussian fixes diag(P⁻¹ C) = 1 of the members' covariance C but not C itself, so spread is wrong where the
    posterior P is strongly correlated. The prior is a Gaussian around the forecast mean, so modes of the forecast do not
    survive, unless ``prior_score`` gives the gradient of a better one; members then still cannot cross a valley.

    Parameters
    ----------
    prior
        Makes B, and with it D, from the forecast; its positions are those of the packed fields.
    observation
        H and its adjoint on packed states. None: the regression of the predicted data on the forecast members, linear
        and of rank M − 1.
    kernel
        ``"matrix"`` or ``"scalar"``.
    bandwidth
        α; None for 1/M.
    prior_score
        ∇log p of the prior on packed states; None for the Gaussian's.
    iterations
        Euler steps at most, undone ones included.
    first_step
        First Δs.
    tolerance
        Stop when the root mean square of dx/ds, in units of the prior deviation, is below this.
    fields
        Fields of the state that move. None: all.
    bounds
        Field → (lowest, highest) physical value, applied after the flow.
    """

    prior: LocalizedPrior
    observation: DifferentiableObservation | None = None
    kernel: Literal["matrix", "scalar"] = "matrix"
    bandwidth: float | None = None
    prior_score: Score | None = None
    iterations: int = 500
    first_step: float = 0.05
    tolerance: float = 1e-4
    fields: tuple[str, ...] | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "particle_flow"

    def __post_init__(self) -> None:
        if self.kernel not in ("matrix", "scalar"):
            raise InputError("kernel", self.kernel, 'give "matrix" or "scalar"')
        for argument in ("iterations", "first_step", "tolerance"):
            if not getattr(self, argument) > 0:
                raise InputError(argument, getattr(self, argument), "give a positive number")
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise InputError("bandwidth", self.bandwidth, "give a positive number, or None for 1/M")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        plain = without_weights(forecast)
        fields = plain.names if self.fields is None else self.fields
        X, y = plain.pack(fields), evidence.observed.pack(evidence.predicted.names)
        H = self.observation or DifferentiableObservation.regression(X, evidence.predicted.pack())
        B, mean = self.prior.of(X), X.mean(axis=0)
        width = (self.bandwidth or 1 / len(X)) * np.where(B.varying, B.variance, 1.0)
        unit = np.where(B.varying, B.deviation, np.inf)

        def velocity(X: NDArray) -> NDArray:
            prior = -B.solve(X - mean) if self.prior_score is None else self.prior_score(X)
            gradient = H.adjoint(X, evidence.noise.solve(y - H.predict(X))) + prior
            return B.apply(kernel_flow(X, gradient, width, self.kernel))

        def speed(V: NDArray) -> float:
            return float(np.sqrt(((V / unit) ** 2).mean()))

        V, step, taken = velocity(X), self.first_step, 0
        for k in range(self.iterations):
            if speed(V) < self.tolerance:
                break
            trial = X + step * V
            V_trial = velocity(trial)
            # Crossing members may speed each other up for a while; an unstable step multiplies the speed.
            if speed(V_trial) < 1.05 * speed(V):
                X, V, step, taken = trial, V_trial, 1.1 * step, taken + 1
            else:
                step *= 0.5
            if progress is not None:
                progress("particle flow", k + 1, self.iterations)

        analysed = plain.unpack(X, fields)
        return Posterior(analysed.clipped(self.bounds), {"steps": taken, "speed": speed(V)})


class ParticleFlowTable(InformedTable):
    """Particle flow filter with a localised prior covariance."""

    name: ClassVar[str] = "particle_flow"
    label: ClassVar[str] = "particle flow"
    colour: ClassVar[str] = "tab:cyan"

    radius_m: tuple[Positive, Positive] = (100.0, 50.0)
    """Distance in x and in z at which the taper of the prior covariance is about exp(−½)."""
    kernel: Literal["matrix", "scalar"] = "matrix"
    """Kernel of every variable alone, or of all together."""
    iterations: Count = 100
    """Euler steps at most."""

    def analysis(self, site: Site) -> ParticleFlow:
        cells = (site.cells / np.array(self.radius_m)).reshape(-1, site.cells.shape[-1])
        return ParticleFlow(
            LocalizedPrior(np.concatenate([cells] * len(site.fields)), 1.0),
            kernel=self.kernel,
            iterations=self.iterations,
            fields=site.fields,
            bounds=site.bounds,
            name=self.name,
        )
