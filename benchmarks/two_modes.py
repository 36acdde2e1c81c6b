"""Two modes and one datum of x₁: every analysis beside the exact posterior.

    python benchmarks/two_modes.py [--data 4.0 6.0 1.9 2.0] [--members 100] [--seeds 3] [--only TEXT]

Prior ½ N((3, 3), 0.01 I) + ½ N((0.8, 0.8), 0.01 I), y = x₁ + e, e ~ N(0, 0.01). Numbers are averages over the seeds, each
with its own prior draws: mean, covariance, share of the members in the upper mode (x₂ > 1.9), effective size where there
are weights, and the energy distance to 2000 draws of the exact posterior (0 is perfect; its root is a length in units of x).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import norm

from seisflow.analysis.base import Analysis, Evidence
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.esmda import ESMDA
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.hybrid import HybridEnKF
from seisflow.analysis.learned.vector_flow import LearnedFlow, VectorFlow
from seisflow.analysis.particle.ensemble_transform import EnsembleTransform
from seisflow.analysis.particle.implicit_equal_weights import ImplicitEqualWeights
from seisflow.analysis.particle.localized_prior import LocalizedPrior
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.particle.particle_flow import ParticleFlow
from seisflow.analysis.particle.proposal_particle import ProposalParticleFilter
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.variational.linearization import DifferentiableObservation
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.seeds import generator
from seisflow.testbeds.gaussian_mixture import GaussianMixture

CENTRES = np.array([[3.0, 3.0], [0.8, 0.8]])
PRIOR = GaussianMixture(np.array([0.5, 0.5]), CENTRES, np.tile(0.01 * np.eye(2), (2, 1, 1)))
GAUSSIAN = GaussianMixture(np.ones(1), PRIOR.mean[None], PRIOR.covariance[None])
H, R = np.array([[1.0, 0.0]]), np.array([[0.01]])
NOISE = DiagonalCovariance(R[0])


def observe(ensemble: Ensemble) -> Ensemble:
    return Ensemble({"data": ensemble["state"] @ H.T})


def rows(covariance: NDArray) -> StaticCovariance:
    F = Ensemble({"state": np.linalg.cholesky(covariance).T.copy()})
    return StaticCovariance(F, observe(F))


def exact_proposal(forecast: Ensemble, evidence: Evidence, *_: object) -> GaussianMixture:
    return PRIOR.condition(H, R, evidence.observed["data"][0])


def kalman_proposal(forecast: Ensemble, evidence: Evidence, *_: object) -> GaussianMixture:
    return GAUSSIAN.condition(H, R, evidence.observed["data"][0])


def score_flow(kernel: str, score: Callable[[NDArray], NDArray] | None = None) -> ParticleFlow:
    observation, here = DifferentiableObservation.linear(H), LocalizedPrior(np.zeros(2), 1.0)
    # The kernels of a mixture are as wide as its components are, not as their distance: α σ² = 0.1 × 0.01.
    alpha = None if score is None else 0.001 / PRIOR.covariance[0, 0]
    return ParticleFlow(here, observation, kernel, alpha, score, iterations=3000)  # type: ignore[arg-type]


LEARNED = LearnedFlow()
METHODS: list[tuple[str, Analysis, str]] = [
    ("EnKF", EnKF(("state",)), "one Gaussian for two modes: x₂ follows x₁"),
    ("ETKF", ETKF(("state",)), "as EnKF"),
    ("DEnKF", DEnKF(("state",)), "as EnKF, and too wide"),
    ("ES-MDA", ESMDA(fields=("state",)), "linear H: EnKF in four steps"),
    ("hybrid EnKF", HybridEnKF(rows(0.01 * np.eye(2)), 0.5, ("state",)), "as EnKF, x₂ by halves"),
    ("3D-Var", ThreeDVar(rows(PRIOR.covariance)), "one mode, a static Gaussian"),
    ("particle filter", ParticleFilter(("state",)), "copies of the luckiest member"),
    ("particle filter, jitter 1", ParticleFilter(("state",), jitter=1.0), "copies, smeared by what is left of spread"),
    ("proposal: exact", ProposalParticleFilter(exact_proposal, lambda *_: PRIOR), "none: q is the posterior"),
    (
        "proposal: Kalman's Gaussian, exact prior",
        ProposalParticleFilter(kalman_proposal, lambda *_: PRIOR),
        "q far from the posterior",
    ),
    (
        "proposal: learned flow, exact prior, 20 draws",
        ProposalParticleFilter(LEARNED.proposal, lambda *_: PRIOR, draws=20),
        "q misses a part of the posterior",
    ),
    (
        "proposal: learned flow, learned prior, 20 draws",
        ProposalParticleFilter(LEARNED.proposal, LEARNED.prior, draws=20),
        "tails of the learned prior",
    ),
    ("implicit equal weights", ImplicitEqualWeights(rows(0.01 * np.eye(2))), "a mode the data rule out stays"),
    (
        "implicit equal weights, two stages",
        ImplicitEqualWeights(rows(0.01 * np.eye(2)), two_stage=True),
        "a mode the data rule out stays",
    ),
    ("ensemble transform", EnsembleTransform(("state",)), "inside the hull of the members"),
    (
        "ensemble transform, second order",
        EnsembleTransform(("state",), second_order=True),
        "the weights' own covariance",
    ),
    ("ensemble transform, Sinkhorn 0.1", EnsembleTransform(("state",), entropy=0.1), "blurred plan"),
    ("particle flow, matrix kernel", score_flow("matrix"), "Gaussian prior: modes are lost"),
    ("particle flow, scalar kernel", score_flow("scalar"), "Gaussian prior: modes are lost"),
    ("particle flow, mixture's score", score_flow("matrix", PRIOR.score), "members cannot cross the valley"),
    ("learned flow, joint", VectorFlow(LEARNED), "extrapolates where no data were seen"),
    ("learned flow, reference", VectorFlow(LEARNED, "reference"), "extrapolates where no data were seen"),
]


def forecast(members: int, seed: int, analysis: Analysis) -> Ensemble:
    if isinstance(
        analysis, ImplicitEqualWeights
    ):  # its forecast is without the model noise, which is the components' own
        return Ensemble({"state": CENTRES[generator(seed, "prior").integers(0, 2, members)]})
    return Ensemble({"state": PRIOR.sample(members, generator(seed, "prior"))})


def energy_distance(x: NDArray, z: NDArray) -> float:
    return float(2 * cdist(x, z).mean() - cdist(x, x).mean() - cdist(z, z).mean())


def line(label: str, mean: NDArray, C: NDArray, share: float, size: str, distance: str, failure: str) -> str:
    covariance = f"{C[0, 0]:.4f}, {C[0, 1]:.4f}, {C[1, 1]:.4f}"
    return (
        f"| {label} | ({mean[0]:.3f}, {mean[1]:.3f}) | {covariance} | {share:.2f} | {size} | {distance} | {failure} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=float, default=[4.0, 6.0, 1.9, 2.0])
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the method's name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for y in arguments.data:
        exact = PRIOR.condition(H, R, np.array([y]))
        reference = exact.sample(2000, generator(0, "exact draws"))
        print(f"\ny = {y:g}, {arguments.members} members, average of {arguments.seeds} seeds\n")
        print(
            "| method | mean | variance x₁, covariance, variance x₂ | upper mode | N_eff | distance | known failure |"
        )
        print("|---|---|---|---:|---:|---:|---|")
        print(line("**exact**", exact.mean, exact.covariance, exact.weights[0], "", "0", ""))
        infinite = GAUSSIAN.condition(H, R, np.array([y]))
        print(
            line(
                "EnKF, infinite ensemble",
                infinite.mean,
                infinite.covariance,
                norm.sf(1.9, infinite.mean[1], infinite.covariance[1, 1] ** 0.5),
                "",
                "",
                "",
            )
        )
        for label, analysis, failure in METHODS:
            if arguments.only not in label:
                continue
            found = []
            for seed in range(arguments.seeds):
                ahead = forecast(arguments.members, seed, analysis)
                posterior = analysis.update(
                    ahead,
                    Evidence(observe(ahead), Ensemble({"data": np.array([[y]])}), NOISE, observe),
                    generator(seed, f"{label} {y}"),
                )
                x = posterior.ensemble["state"]
                size = posterior.statistics.get("effective_size", np.nan)
                found.append((x.mean(axis=0), np.cov(x.T), (x[:, 1] > 1.9).mean(), size, energy_distance(x, reference)))
            mean, C, share, size, distance = (np.mean([f[k] for f in found], axis=0) for k in range(5))
            effective = "" if np.isnan(size) else f"{size:.1f}"
            print(line(label, mean, C, share, effective, f"{distance:.3f}", failure), flush=True)


if __name__ == "__main__":
    main()
