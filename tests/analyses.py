"""Every analysis behind the contract, with what the gate (`tests/test_contracts.py`) may expect of it.

To add one: append an `Entry` to `ENTRIES`. On the linear-Gaussian problem the posterior of most methods is Kalman's; where a
method is known to reach another one, `expected` says which, exactly, and `why` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.adjustments import Rotation
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.baselines.climatology import Climatology, OptimalInterpolation
from seisflow.analysis.baselines.nudging import Nudging
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.coordinates import InCoordinates
from seisflow.analysis.inflated_noise import InflatedNoise
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.esmda import ESMDA
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.hybrid import HybridEnKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.kalman.localized_enkf import LocalizedEnKF
from seisflow.analysis.learned.localized_regression import LocalizedRegressionAnalysis
from seisflow.analysis.learned.vector_flow import LearnedFlow, VectorFlow
from seisflow.analysis.localization import GridTaper, LocalDomains
from seisflow.analysis.particle.ensemble_transform import EnsembleTransform
from seisflow.analysis.particle.implicit_equal_weights import ImplicitEqualWeights
from seisflow.analysis.particle.localized_prior import LocalizedPrior
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.particle.particle_flow import ParticleFlow
from seisflow.analysis.particle.proposal_particle import Proposal, ProposalParticleFilter
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.transform import Relative, StateTransform
from seisflow.analysis.variational.four_d_var import FourDVar
from seisflow.analysis.variational.ienks import IEnKS
from seisflow.analysis.variational.linearization import DifferentiableObservation
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.analysis.variational.window import Window
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.learning.flows.glow import GlowOptions
from seisflow.learning.training.train import TrainingOptions
from seisflow.observation.data import DataAxis, DataField
from seisflow.observation.vector import VectorObservation
from seisflow.testbeds.gaussian_mixture import GaussianMixture
from seisflow.testbeds.linear import LinearModel
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
    operator
        Whether it is given H itself.
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
    operator: bool = True
    slow: bool = False
    why: str = ""


def _denkf_moments(p: LinearProblem) -> tuple[NDArray, NDArray]:
    mean, covariance = p.exact
    return mean, covariance + p.gain @ p.H @ p.P @ p.H.T @ p.gain.T / 4


def _tempered_moments(p: LinearProblem) -> tuple[NDArray, NDArray]:
    return kalman(p.mean, p.P, p.H, 3 * np.diag(p.variance), p.y)


def _nudged_moments(p: LinearProblem) -> tuple[NDArray, NDArray]:
    gain = (1 - np.exp(-0.5)) * p.H.T
    left = np.eye(4) - gain @ p.H
    return p.mean + gain @ (p.y - p.H @ p.mean), left @ p.P @ left.T


PLACES = {"data": DataField((DataAxis("place", 2),), positions=np.array([[0.0], [2.0]]))}


def _window(lag: int) -> Window:
    return Window(LinearModel(np.eye(4)), 1.0, lag)


def _axes() -> GridTaper:
    return GridTaper(1e6, {"state": [np.arange(4.0)]}, {"data": [np.array([0.0, 2.0])]})


def _gaussian(mean: NDArray, covariance: NDArray) -> GaussianMixture:
    return GaussianMixture(np.ones(1), mean[None], covariance[None])


def _exact_proposal(p: LinearProblem) -> Proposal:
    return lambda forecast, evidence, generator: _gaussian(
        *kalman(p.mean, p.P, p.H, np.diag(evidence.noise.variance), evidence.observed["data"][0])
    )


@dataclass(frozen=True)
class OneForecastState(Analysis):
    """Gives another analysis the problem's mean in place of every forecast member."""

    analysis: Analysis
    problem: LinearProblem
    name: str = "one_forecast_state"

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        tiled = forecast.replace(state=np.tile(self.problem.mean, (forecast.size, 1)))
        return self.analysis.update(
            tiled, replace(evidence, predicted=self.problem.predict(tiled)), generator, progress
        )


ENTRIES: list[Entry] = [
    Entry(
        "open loop",
        lambda p: OpenLoop(),
        expected=lambda p: (p.mean, p.P),
        calibrated=True,
        why="the forecast itself, calibrated without being sharp",
    ),
    Entry("EnKF", lambda p: EnKF(("state",))),
    Entry("EnKF in coordinates", lambda p: InCoordinates(EnKF(("state",)), {"state": Relative(p.mean)})),
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
    Entry(
        "LETKF, data without a place",
        lambda p: LETKF(LocalDomains(1e-3, {"state": np.arange(4.0)}, {"data": np.full(2, np.nan)}), fields=("state",)),
    ),
    Entry(
        "localised EnKF, data without a place",
        lambda p: LocalizedEnKF(GridTaper(1e-3, {"state": [np.arange(4.0)]}, {"data": ()}), ("state",)),
    ),
    Entry("localised EnKF, everything near", lambda p: LocalizedEnKF(_axes(), ("state",))),
    Entry(
        "localised EnKF by conjugate gradients", lambda p: LocalizedEnKF(_axes(), ("state",), direct=0, tolerance=1e-8)
    ),
    Entry(
        "ES-MDA, linear",
        lambda p: ESMDA(fields=("state",)),
        operator=False,
        why="four steps, predicted data updated along",
    ),
    Entry(
        "localised regression, everything near",
        lambda p: LocalizedRegressionAnalysis(
            (np.arange(4.0),), PLACES, StateTransform({"state": Relative()}), radii=(1e6,), ridges=(1.0,)
        ),
        keeps_members=False,
        factor=8.0,
        why="residuals are those of members left out: a little larger than the gain of all members leaves",
    ),
    Entry("ES-MDA with its operator", lambda p: ESMDA((2.0, 4.0, 4.0), ("state",))),
    Entry(
        "EnKF with inflated noise",
        lambda p: InflatedNoise(EnKF(("state",)), 3.0),
        expected=_tempered_moments,
        calibrated=False,
        why="Kalman's posterior of 3 R, wider than that of R",
    ),
    Entry(
        "particle filter, tempered",
        lambda p: InflatedNoise(ParticleFilter(("state",)), 3.0),
        expected=_tempered_moments,
        members=20_000,
        repeats=1,
        factor=12.0,
        calibrated=False,
        why="members are copies; the likelihood to the power 1/3 is that of 3 R",
    ),
    Entry("hybrid, half static", lambda p: HybridEnKF(p.background[2], 0.5, ("state",))),
    Entry("3D-Var", lambda p: ThreeDVar(p.background[2]), keeps_members=False, why="members are drawn anew"),
    Entry("3D-Var with its operator", lambda p: ThreeDVar(p.background[2], nonlinear=True), keeps_members=False),
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
    Entry(
        "particle filter",
        lambda p: ParticleFilter(("state",)),
        members=20_000,
        repeats=1,
        factor=12.0,
        why="N_eff is a third of M here, and the members are copies",
    ),
    Entry(
        "proposal particle filter, exact proposal",
        lambda p: ProposalParticleFilter(_exact_proposal(p), lambda *_: _gaussian(p.mean, p.P)),
        members=4000,
        repeats=1,
        keeps_members=False,
        why="members are drawn anew",
    ),
    Entry(
        "proposal particle filter, prior as proposal",
        lambda p: ProposalParticleFilter(lambda *_: _gaussian(p.mean, p.P), lambda *_: _gaussian(p.mean, p.P), draws=4),
        factor=12.0,
        members=4000,
        repeats=1,
        keeps_members=False,
        why="as many effective draws as members, and copies among them",
    ),
    Entry(
        "ensemble transform",
        lambda p: EnsembleTransform(("state",)),
        members=1000,
        repeats=1,
        factor=12.0,
        calibrated=False,
        why="averages of members lose spread, less with more members",
    ),
    Entry(
        "ensemble transform, second order",
        lambda p: EnsembleTransform(("state",), second_order=True),
        members=300,
        repeats=1,
        factor=12.0,
        why="N_eff is a third of M",
    ),
    Entry(
        "implicit equal weights, one forecast state",
        lambda p: OneForecastState(ImplicitEqualWeights(p.background[2]), p),
        members=4000,
        repeats=1,
        keeps_members=False,
        why="the filter draws the model noise itself; with Q = P and one forecast state it is exact",
    ),
    Entry(
        "implicit equal weights in two stages, one forecast state",
        lambda p: OneForecastState(ImplicitEqualWeights(p.background[2], two_stage=True), p),
        members=4000,
        repeats=1,
        keeps_members=False,
        why="as above; the second stage keeps the size of the draws",
    ),
    Entry(
        "particle flow",
        lambda p: ParticleFlow(
            LocalizedPrior(np.zeros(4), 1.0), DifferentiableObservation.linear(p.H), fields=("state",), iterations=300
        ),
        members=201,
        repeats=1,
        factor=3.0,
        keeps_members=False,
        calibrated=False,
        slow=True,
        why="300 flows for the ranks would take minutes; tests/analysis/particle/test_particle_flow.py has the quick ones",
    ),
]

_TRAINING = TrainingOptions(epochs=30, batch=100, learning_rate=5e-3)
for coupling in ("affine", "recursive"):
    for linear in (True, False):
        options = GlowOptions(scales=1, steps=3, hidden=24, summary=8, dropout=0.0, coupling=coupling)
        ENTRIES.append(
            Entry(
                f"learned flow, {'Glow' if coupling == 'affine' else 'HINT'}{', behind a regression' * linear}",
                lambda p, options=options, linear=linear: VectorFlow(LearnedFlow(options, _TRAINING, linear=linear)),
                members=1000 if not linear else 400,
                repeats=1,
                factor=6.0 if linear else 12.0,
                keeps_members=False,
                calibrated=False,
                slow=coupling != "affine" or not linear,
                why="training error comes on top of the sampling error; 300 trainings for the ranks would take minutes",
            )
        )

if find_spec("ot") is None:  # transport plans come from POT, an optional extra
    ENTRIES = [entry for entry in ENTRIES if not entry.name.startswith("ensemble transform")]
