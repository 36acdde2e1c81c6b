"""Every analysis behind the contract, with what the gate (`tests/test_contracts.py`) may expect of it.

To add one: append an `Entry` to `ENTRIES`. On the linear-Gaussian problem the posterior of most methods is Kalman's; where a
method is known to reach another one, `expected` says which, exactly, and `why` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.adjustments import Rotation
from seisflow.analysis.base import Analysis
from seisflow.analysis.climatology import Climatology, OptimalInterpolation
from seisflow.analysis.denkf import DEnKF
from seisflow.analysis.enkf import EnKF
from seisflow.analysis.esmda import ESMDA
from seisflow.analysis.etkf import ETKF
from seisflow.analysis.four_d_var import FourDVar
from seisflow.analysis.hybrid import HybridEnKF
from seisflow.analysis.ienks import IEnKS
from seisflow.analysis.letkf import LETKF
from seisflow.analysis.localization import GridTaper, LocalDomains
from seisflow.analysis.localized_enkf import LocalizedEnKF
from seisflow.analysis.nudging import Nudging
from seisflow.analysis.open_loop import OpenLoop
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.three_d_var import ThreeDVar
from seisflow.analysis.window import Window
from seisflow.covariance import DiagonalCovariance
from seisflow.dynamics.linear import LinearModel
from seisflow.ensemble import Ensemble
from seisflow.observation.vector import VectorObservation
from tests.oracles import kalman

__all__ = ["ENTRIES", "Entry", "LinearProblem"]


@dataclass(frozen=True, eq=False)
class LinearProblem:
    """x ~ N(mean, P) of 4 components, y = H x + e of 2, e ~ N(0, diag(variance)); everything known exactly."""

    mean: NDArray = field(default_factory=lambda: np.array([1.0, -0.5, 0.3, 2.0]))
    P: NDArray = field(
        default_factory=lambda: np.array(
            [[1.0, 0.6, 0.3, 0.0], [0.6, 1.2, 0.4, 0.2], [0.3, 0.4, 0.8, 0.5], [0.0, 0.2, 0.5, 1.0]]
        )
    )
    H: NDArray = field(default_factory=lambda: np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]))
    variance: NDArray = field(default_factory=lambda: np.array([0.5, 0.3]))
    y: NDArray = field(default_factory=lambda: np.array([1.8, -0.4]))

    def forecast(self, members: int, rng: np.random.Generator) -> Ensemble:
        return Ensemble({"state": rng.multivariate_normal(self.mean, self.P, size=members)})

    def predict(self, ensemble: Ensemble) -> Ensemble:
        return Ensemble({"data": ensemble["state"] @ self.H.T})

    @property
    def observed(self) -> Ensemble:
        return Ensemble({"data": self.y[None]})

    @property
    def noise(self) -> DiagonalCovariance:
        return DiagonalCovariance(self.variance)

    @property
    def observation(self) -> VectorObservation:
        return VectorObservation(self.noise, self.H)

    @property
    def background(self) -> tuple[Ensemble, Ensemble, StaticCovariance]:
        """Mean, its data, and P as a static covariance."""
        rows = Ensemble({"state": np.linalg.cholesky(self.P).T.copy()})
        mean = Ensemble({"state": self.mean[None]})
        return mean, self.predict(mean), StaticCovariance(rows, self.predict(rows))

    @property
    def exact(self) -> tuple[NDArray, NDArray]:
        return kalman(self.mean, self.P, self.H, np.diag(self.variance), self.y)

    @property
    def gain(self) -> NDArray:
        return self.P @ self.H.T @ np.linalg.inv(self.H @ self.P @ self.H.T + np.diag(self.variance))


@dataclass(frozen=True)
class Entry:
    """One analysis at the gate.

    Parameters
    ----------
    name
        For the test's name.
    build
        Problem → analysis, run on the field ``state``.
    members, repeats
        M of the test of moments, and how many independent ensembles it averages over.
    factor
        How many Monte-Carlo standard errors (of all members) mean and covariance may be off; a method whose members are
        fewer than M independent draws (resampling) gives more and says so in `why`.
    expected
        Mean and covariance for many members, where they are not Kalman's.
    keeps_members
        Whether uninformative data give back every member; if not, only the forecast's distribution.
    uses_noise
        Whether R enters; if not, no data are uninformative.
    calibrated
        Whether ranks of the truth are uniform on the linear-Gaussian problem.
    slow
        Whether it takes seconds, not milliseconds.
    why
        Reason for anything unusual.
    """

    name: str
    build: Callable[[LinearProblem], Analysis]
    members: int = 150
    repeats: int = 20
    factor: float = 6.0
    expected: Callable[[LinearProblem], tuple[NDArray, NDArray]] | None = None
    keeps_members: bool = True
    uses_noise: bool = True
    calibrated: bool = True
    slow: bool = False
    why: str = ""


def _denkf_moments(p: LinearProblem) -> tuple[NDArray, NDArray]:
    mean, covariance = p.exact
    return mean, covariance + p.gain @ p.H @ p.P @ p.H.T @ p.gain.T / 4


def _nudged_moments(p: LinearProblem) -> tuple[NDArray, NDArray]:
    gain = (1 - np.exp(-0.5)) * p.H.T
    left = np.eye(4) - gain @ p.H
    return p.mean + gain @ (p.y - p.H @ p.mean), left @ p.P @ left.T


def _window(lag: int) -> Window:
    return Window(LinearModel(np.eye(4)), 1.0, lag)


def _axes() -> GridTaper:
    return GridTaper(1e6, {"state": [np.arange(4.0)]}, {"data": [np.array([0.0, 2.0])]})


ENTRIES: list[Entry] = [
    Entry(
        "open loop",
        lambda p: OpenLoop(),
        expected=lambda p: (p.mean, p.P),
        calibrated=True,
        why="the forecast itself, calibrated without being sharp",
    ),
    Entry("EnKF", lambda p: EnKF(("state",))),
    Entry("EnKF with rotation", lambda p: EnKF(("state",), adjustments=(Rotation(),)), keeps_members=False),
    Entry("ETKF", lambda p: ETKF(("state",))),
    Entry(
        "DEnKF",
        lambda p: DEnKF(("state",)),
        expected=_denkf_moments,
        calibrated=False,
        why="half a gain on the anomalies leaves the covariance larger by K H P Hᵀ Kᵀ / 4",
    ),
    Entry(
        "LETKF, everything near",
        lambda p: LETKF(
            LocalDomains(1e6, {"state": np.arange(4.0)}, {"data": np.array([0.0, 2.0])}), fields=("state",)
        ),
    ),
    Entry("localised EnKF, everything near", lambda p: LocalizedEnKF(_axes(), ("state",), tolerance=1e-8)),
    Entry("ES-MDA, linear", lambda p: ESMDA(fields=("state",)), why="four steps, predicted data updated along"),
    Entry("ES-MDA with its operator", lambda p: ESMDA(p.predict, (2.0, 4.0, 4.0), ("state",))),
    Entry("hybrid, half static", lambda p: HybridEnKF(p.background[2], 0.5, ("state",))),
    Entry("3D-Var", lambda p: ThreeDVar(p.background[2]), keeps_members=False, why="members are drawn anew"),
    Entry("3D-Var with its operator", lambda p: ThreeDVar(p.background[2], p.predict), keeps_members=False),
    Entry("4D-Var", lambda p: FourDVar(_window(1), p.observation, p.background[2]), keeps_members=False),
    Entry("iterative EnKS", lambda p: IEnKS(_window(1), p.observation)),
    Entry("optimal interpolation", lambda p: OptimalInterpolation(*p.background), keeps_members=False),
    Entry(
        "climatology",
        lambda p: Climatology(p.background[0], p.background[2]),
        expected=lambda p: (p.mean, p.P),
        keeps_members=False,
    ),
    Entry(
        "nudging",
        lambda p: Nudging(lambda data: Ensemble({"state": data["data"] @ p.H}), 2.0, 1.0),
        expected=_nudged_moments,
        uses_noise=False,
        calibrated=False,
        why="the weight of the data is set by hand",
    ),
]
