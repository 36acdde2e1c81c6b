r"""A covariance that does not come from the forecast ensemble, and the Gaussian update under it.

The background covariance B (D × D) and its image in data space are kept as r paired rows, B = Fᵀ F and H B = Gᵀ F, with
F (r × D) and G = F Hᵀ (r × d): anomalies of any ensemble (a climatology, past studies), or a square root. With
x = x_b + Fᵀ w and w ~ N(0, I) before the data,

    w | y ~ N( A⁻¹ G R⁻¹ (y − H x_b),  A⁻¹ ),      A = I + G R⁻¹ Gᵀ   (r × r),

which is the Kalman update with B, for a linear H, without a matrix of state or data size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["Background", "StaticCovariance", "background_at", "control_posterior", "recentred_draws"]


@dataclass(frozen=True, eq=False)
class StaticCovariance:
    """B = Fᵀ F with its image H B = Gᵀ F.

    Parameters
    ----------
    states
        F, an ensemble of r rows with the state's fields.
    data
        G = F Hᵀ, r rows with the fields of the predicted data. None where H is applied by the analysis itself.
    """

    states: Ensemble
    data: Ensemble | None = None

    def __post_init__(self) -> None:
        if self.data is not None and self.data.size != self.states.size:
            raise InputError("data", self.data.size, f"it must have the {self.states.size} rows of states")

    @classmethod
    def of(cls, ensemble: Ensemble, predicted: Ensemble | None = None, scale: float = 1.0) -> StaticCovariance:
        """The sample covariance of an ensemble, times a factor.

        Parameters
        ----------
        ensemble
            N states.
        predicted
            H of each of them.
        scale
            Factor on the covariance (the published "B × 0.02").

        Notes
        -----
        When N is larger than the sum of the state's and the data's sizes, the N rows are replaced by as many as that sum,
        with the same products: the triangular factor of their QR factorisation.
        """
        if not scale > 0:
            raise InputError("scale", scale, "give a positive factor")
        if ensemble.size < 2:
            raise InputError("ensemble.size", ensemble.size, "a sample covariance needs at least two states")
        rows = [part.pack() for part in (ensemble, predicted) if part is not None]
        widths = [part.shape[1] for part in rows]
        joint = np.concatenate([np.sqrt(scale / (ensemble.size - 1)) * (part - part.mean(axis=0)) for part in rows], 1)
        if len(joint) > sum(widths):
            joint = np.asarray(np.linalg.qr(joint, mode="r"))
        F = _filled(ensemble, joint[:, : widths[0]])
        return cls(F, None if predicted is None else _filled(predicted, joint[:, widths[0] :]))

    def image(self, names: Iterable[str]) -> NDArray[np.float64]:
        """G ``(r, d)``, packed in the order of the predicted data."""
        if self.data is None:
            raise InputError("covariance.data", None, "give the static covariance with its image in data space")
        return self.data.pack(names)


Background = StaticCovariance | Callable[[Ensemble], StaticCovariance]
"""A static covariance, or what gives the one of a forecast's time
(:class:`~seisflow.assimilation.open_loop_covariance.OpenLoopCovariance`)."""


def background_at(background: Background, forecast: Ensemble) -> StaticCovariance:
    """The static covariance at the time of a forecast."""
    return background if isinstance(background, StaticCovariance) else background(forecast)


def _filled(like: Ensemble, matrix: NDArray) -> Ensemble:
    """Rows as an ensemble with the fields of another, in float64."""
    return Ensemble({name: like[name].astype(np.float64) for name in like.names}).unpack(matrix)


def control_posterior(G: NDArray, innovation: NDArray, noise: Covariance) -> tuple[NDArray, tuple[NDArray, bool]]:
    """Mean of w ``(r,)`` and Cholesky factor of its precision A ``(r, r)``."""
    whitened = noise.solve(G)
    factor = cho_factor(np.eye(len(G)) + whitened @ G.T, lower=True)
    return cho_solve(factor, whitened @ innovation), factor


def recentred_draws(factor: tuple[NDArray, bool], members: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draws of N(0, A⁻¹) ``(M, r)`` shifted to mean zero and scaled to keep the variance; one member alone gets zero."""
    lower, _ = factor
    draws = solve_triangular(lower, generator.standard_normal((len(lower), members)), lower=True, trans="T").T
    draws -= draws.mean(axis=0)
    return draws * np.sqrt(members / (members - 1)) if members > 1 else draws
