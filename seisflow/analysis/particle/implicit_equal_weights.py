r"""The implicit equal-weights particle filter.

The model is x_k = f(x_{k-1}) + q, q ~ N(0, Q), and the filter draws q itself: the forecast members it is given are f(x_i),
without noise. With Q = Fᵀ F (r rows), G = F Hᵀ, d_i = y° − H f(x_i) and weights w_i the members came with,

    A = I + G R⁻¹ Gᵀ ,   μ_i = A⁻¹ G R⁻¹ d_i ,   φ_i = d_iᵀ S d_i − 2 log w_i ,   S = (H Q Hᵀ + R)⁻¹ ,
    ξ_i ~ N(0, I_r) ,    γ_i = ξ_iᵀ ξ_i ,        c_i = C − φ_i ≥ 0 ,   C = max_i φ_i ,
    Γ_reg(r/2, α_i γ_i/2) = e^(−c_i/2) Γ_reg(r/2, γ_i/2)          (Γ_reg the lower regularised incomplete gamma function)
    x_i = f(x_i) + Fᵀ ( μ_i + √α_i A^(−½) ξ_i ) .

Fᵀμ_i = Q Hᵀ S d_i is the centre of the optimal proposal and Fᵀ A⁻¹ F = (Q⁻¹ + Hᵀ R⁻¹ H)⁻¹ = P its covariance. The draw is
pulled towards its centre by just so much that every member ends with the same weight. For large r the equation becomes
α = −(r/γ) W₀(−(γ/r) e^(−γ/r) e^(−c/r)), W₀ Lambert's function. Zhu, van Leeuwen & Amezcua 2016 (QJRMS 142, 1904–1919).

Two stages (Skauvold, Eidsvik, van Leeuwen & Amezcua 2019, QJRMS 145, 1481–1502) add a second draw η_i ⟂ ξ_i, π_i = η_iᵀη_i,

    x_i = f(x_i) + Fᵀ ( μ_i + √β A^(−½) η_i + √α_i A^(−½) ξ_i ) ,      c_i = C − φ_i + (1 − β) π_i ≥ 0 ,

one β for all members, a free parameter. Here it is the β that leaves the draws the size they had,
Σ_i (β π_i + α_i γ_i) = Σ_i γ_i, and C the smallest target that every member reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import brentq
from scipy.special import gammainc, gammaln, lambertw

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.importance import carried, normalise, without_weights
from seisflow.analysis.particle.kernel_mixture import KernelMixture
from seisflow.analysis.static_covariance import StaticCovariance, control_posterior
from seisflow.analysis.table import InformedTable, Site
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["ImplicitEqualWeights", "ImplicitEqualWeightsTable", "exact_alpha", "lambert_alpha"]


def exact_alpha(n: int, gamma: NDArray, c: NDArray) -> NDArray[np.float64]:
    """α in (0, 1] of Γ_reg(n/2, αγ/2) = e^(−c/2) Γ_reg(n/2, γ/2).

    Parameters
    ----------
    n
        Number of dimensions.
    gamma
        γ = ξᵀξ, positive.
    c
        0 or more: how far a member's own −2 log-weight is below the target.
    """
    gamma, c = np.broadcast_arrays(np.asarray(gamma, float), np.asarray(c, float))
    if (c < 0).any() or (gamma <= 0).any():
        raise InputError("c", c, "c must be 0 or more, and gamma positive: the target is below a member's own weight")
    a, end = n / 2, np.log(gamma / 2)
    target = _log_gammainc(a, end) - c / 2
    # log Γ_reg is concave and increasing in u = log x and below a u − log Γ(a + 1): Newton from there rises to the root.
    u = np.minimum((target + gammaln(a + 1)) / a, end)
    for _ in range(200):
        value = _log_gammainc(a, u)
        step = (target - value) / np.exp(a * u - np.exp(u) - gammaln(a) - value)
        u = np.minimum(u + step, end)
        if np.abs(step).max() < 1e-14 * max(1.0, float(np.abs(u).max())):
            break
    return np.where(c > 0, np.exp(u - end), 1.0)


def _log_gammainc(a: float, u: NDArray) -> NDArray[np.float64]:
    """log Γ_reg(a, e^u), also where Γ_reg underflows: x^a e^−x / Γ(a+1) · Σ_k x^k / ((a+1) … (a+k))."""
    x = np.exp(u)
    with np.errstate(divide="ignore"):
        result = np.log(gammainc(a, x))
    low = np.atleast_1d(result < -600)
    if low.any():
        x_low = np.atleast_1d(x)[low]
        term, total, k = np.ones_like(x_low), np.ones_like(x_low), 0
        while (term > 1e-17 * total).any():
            k += 1
            term = term * x_low / (a + k)
            total = total + term
        result = np.atleast_1d(result).copy()
        result[low] = a * np.atleast_1d(u)[low] - x_low - gammaln(a + 1) + np.log(total)
        result = result.reshape(np.shape(u))
    return result


def lambert_alpha(n: int, gamma: NDArray, c: NDArray) -> NDArray[np.float64]:
    """α for large n, −(n/γ) W₀(−(γ/n) e^(−γ/n) e^(−c/n)); parameters as in :func:`exact_alpha`.

    For γ > n the branch W₀ stays below 1 even at c = 0, where the exact α is 1.
    """
    ratio = np.asarray(gamma, float) / n
    return -np.real(lambertw(-ratio * np.exp(-ratio - np.asarray(c, float) / n))) / ratio


@dataclass(frozen=True, eq=False)
class ImplicitEqualWeights(Analysis):
    """Implicit equal-weights particle filter, in one stage or two, for a linear H.

    Known failure: equal weights are bought with a bias. Members that explain the data badly keep their place in the
    ensemble, as if the mean of the centres were the posterior's, and the one-stage spread is too small (every α ≤ 1). Where
    the forecast members differ by more than Q explains, a mode that the data rule out keeps its members.

    Parameters
    ----------
    model_noise
        Q = Fᵀ F of the last model step, with its image in data space, for the fields that are updated. The forecast must
        come without this noise.
    two_stage
        Whether the second draw is added; it needs two rows in Q or more.
    large_dimension
        Whether α comes from Lambert's function instead of the incomplete gamma function.
    """

    model_noise: StaticCovariance
    two_stage: bool = False
    large_dimension: bool = False
    name: str = "implicit_equal_weights"

    def __post_init__(self) -> None:
        rank = self.model_noise.states.size
        if self.two_stage and rank < 2:
            raise InputError("model_noise", f"{rank} row", "two orthogonal draws need at least two rows")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        fields = self.model_noise.states.names
        F, G = self.model_noise.states.pack(), self.model_noise.image(evidence.predicted.names)
        innovations = evidence.innovations
        solved = evidence.noise.solve(innovations)
        projected = G @ solved.T
        _, factor = control_posterior(G, innovations[0], evidence.noise)
        centres = cho_solve(factor, projected)
        with np.errstate(divide="ignore"):
            prior = np.maximum(np.log(normalise(carried(forecast))), -1e6)
        phi = (innovations * solved).sum(axis=1) - (projected * centres).sum(axis=0) - 2 * prior

        draws, statistics = self._draws(phi, len(F), generator)
        controls = centres.T + solve_triangular(factor[0], draws.T, lower=True, trans="T").T
        X = forecast.pack(fields) + controls @ F
        return Posterior(without_weights(forecast).unpack(X, fields), statistics | {"phi_range": float(np.ptp(phi))})

    def _draws(
        self, phi: NDArray, n: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], dict[str, object]]:
        """√α_i ξ_i, plus √β η_i in two stages, ``(M, n)``."""
        solve = lambert_alpha if self.large_dimension else exact_alpha
        xi = generator.standard_normal((len(phi), n))
        gamma = (xi**2).sum(axis=1)
        if not self.two_stage:
            alpha = solve(n, gamma, phi.max() - phi)
            return np.sqrt(alpha)[:, None] * xi, {"alpha_mean": float(alpha.mean())}

        eta = generator.standard_normal((len(phi), n))
        eta -= ((eta * xi).sum(axis=1) / gamma)[:, None] * xi
        pi = (eta**2).sum(axis=1)

        def alpha_at(beta: float) -> NDArray[np.float64]:
            reached = phi - (1 - beta) * pi
            return solve(n, gamma, reached.max() - reached)

        def excess(beta: float) -> float:
            return float((beta * pi + (alpha_at(beta) - 1) * gamma).sum())

        # Not positive at 0, since α ≤ 1, and not negative where η alone has the size of ξ.
        largest = float(gamma.sum() / pi.sum())
        beta = float(brentq(excess, 0.0, largest, xtol=1e-10)) if excess(0.0) < 0 else 0.0
        alpha = alpha_at(beta)
        return np.sqrt(alpha)[:, None] * xi + np.sqrt(beta) * eta, {"alpha_mean": float(alpha.mean()), "beta": beta}


class ImplicitEqualWeightsTable(InformedTable):
    """Implicit equal-weights particle filter on a forecast that is a mixture of Gaussian kernels."""

    name: ClassVar[str] = "implicit_equal_weights"
    label: ClassVar[str] = "implicit equal weights"
    colour: ClassVar[str] = "mediumorchid"

    kernel_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the forecast covariance that is in the kernels; the rest is the spread of their centres."""
    two_stage: bool = True
    """Whether a second draw keeps the size of the spread."""

    def analysis(self, site: Site) -> KernelMixture:
        def kernels(covariance: StaticCovariance) -> ImplicitEqualWeights:
            return ImplicitEqualWeights(covariance, self.two_stage)

        return KernelMixture(kernels, self.kernel_share, site.fields, site.bounds, self.name)
