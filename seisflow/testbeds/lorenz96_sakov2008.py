"""Lorenz-96, 40 variables, all observed every step: Sakov & Oke 2008 (Mon. Wea. Rev. 136, 1042–1053).

X₀ ~ N((1, 0, …), 0.001 I), R = I, no model noise, 1000 data, the first 20 time units not counted. With data every 0.2:
Bocquet & Sakov 2013 (Nonlin. Proc. Geophys. 20, 803–818). Reference scores: DAPPER 1.7.1. The 4D-Var score of 0.37 is met
with B = 0.02 I: with 0.02 × the climatological covariance both this 4D-Var and DAPPER's (two lines of it repaired)
reach 0.50 in 300 cycles.
Scores reached (median of seeds 1, 2, 3; `benchmarks/filter_scores.py`):

    climatology                                                    3.644   (published 3.63)
    optimal interpolation                                          0.952   (published 0.95)
    3D-Var, B = climatology × 0.02                                 0.423   (published 0.42)
    EnKF N 40, inflation 1.06                                      0.219   (published 0.22)
    EnKF N 28, 1.08                                                0.232   (published 0.24)
    DEnKF N 40, 1.01                                               0.174   (published 0.18)
    ETKF N 20, 1.04, rotation                                      0.193   (published 0.2)
    ETKF N 24, 1.013, rotation                                     0.171   (published 0.18)
    LETKF N 7, 1.04, radius 4, rotation                            0.217   (published 0.22)
    iterative EnKS N 20, data every 0.2, lag 4, 1.04, rotation     0.285   (published 0.31)
    4D-Var, data every 0.2, lag 4, B = 0.02 I                      0.374   (published 0.37)
    particle filter N 3000, jitter 0.7, resampling below 0.5       0.255   (published 0.26)
    particle filter N 3000, jitter 1.2, resampling below 0.5       0.368   (published 0.36)
"""

from __future__ import annotations

import numpy as np

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.baselines.climatology import Climatology, OptimalInterpolation
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.localization import LocalDomains
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.variational.four_d_var import FourDVar
from seisflow.analysis.variational.ienks import IEnKS
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.analysis.variational.window import Window
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.observation.vector import VectorObservation
from seisflow.testbeds.experiment import Experiment
from seisflow.testbeds.lorenz96 import Lorenz96
from seisflow.testbeds.published import PublishedScore, climatological

__all__ = ["SCORES", "experiment", "local_domains"]


def experiment(cycles: int = 1000, interval: float = 0.05, variables: int = 40) -> Experiment:
    """The twin experiment of this setting."""
    mean = np.zeros(variables)
    mean[0] = 1.0
    return Experiment(
        dynamics=Lorenz96(variables),
        observation=VectorObservation(DiagonalCovariance(np.ones(variables))),
        start_mean=mean,
        start_covariance=DiagonalCovariance(np.full(variables, 0.001)),
        interval=interval,
        cycles=cycles,
        burn_in=20.0,
    )


def local_domains(e: Experiment, radius: float) -> LocalDomains:
    """Localisation on the ring, distances in variables."""
    ring = np.arange(e.dynamics.size, dtype=float)
    return LocalDomains(radius, {"state": ring}, {"data": ring}, period=float(e.dynamics.size))


def _climatology(e: Experiment) -> Climatology:
    mean, _, covariance = climatological(e)
    return Climatology(mean, covariance)


def _identity(e: Experiment, variance: float) -> StaticCovariance:
    return StaticCovariance(Ensemble({"state": np.sqrt(variance) * np.eye(e.dynamics.size)}))


SCORES: tuple[PublishedScore, ...] = (
    PublishedScore("climatology", _climatology, 1, (3.63, 3.63), 0.02),
    PublishedScore("optimal interpolation", lambda e: OptimalInterpolation(*climatological(e)), 1, (0.95, 0.95), 0.02),
    PublishedScore(
        "3D-Var, B = climatology × 0.02", lambda e: ThreeDVar(climatological(e, 0.02)[2]), 1, (0.42, 0.42), 0.02
    ),
    PublishedScore("EnKF N 40, inflation 1.06", lambda e: EnKF(None, 1.06), 40, (0.22, 0.22), 0.02),
    PublishedScore("EnKF N 28, 1.08", lambda e: EnKF(None, 1.08), 28, (0.24, 0.24), 0.02),
    PublishedScore("DEnKF N 40, 1.01", lambda e: DEnKF(adjustments=(Inflation(1.01),)), 40, (0.18, 0.18), 0.02),
    PublishedScore(
        "ETKF N 20, 1.04, rotation", lambda e: ETKF(adjustments=(Inflation(1.04), Rotation())), 20, (0.20, 0.20), 0.02
    ),
    PublishedScore(
        "ETKF N 24, 1.013, rotation", lambda e: ETKF(adjustments=(Inflation(1.013), Rotation())), 24, (0.18, 0.18), 0.02
    ),
    PublishedScore(
        "LETKF N 7, 1.04, radius 4, rotation",
        lambda e: LETKF(local_domains(e, 4.0), adjustments=(Inflation(1.04), Rotation())),
        7,
        (0.22, 0.22),
        0.02,
    ),
    PublishedScore(
        "particle filter N 3000, jitter 0.7, resampling below 0.5",
        lambda e: ParticleFilter(resample_below=0.5, jitter=0.7),
        3000,
        (0.26, 0.26),
        0.03,
        weighted=True,
    ),
    PublishedScore(
        "particle filter N 3000, jitter 1.2, resampling below 0.5",
        lambda e: ParticleFilter(resample_below=0.5, jitter=1.2),
        3000,
        (0.36, 0.36),
        0.03,
        weighted=True,
    ),
    PublishedScore(
        "iterative EnKS N 20, data every 0.2, lag 4, 1.04, rotation",
        lambda e: IEnKS(Window(e.dynamics, e.interval, 4), e.observation, (Inflation(1.04), Rotation())),
        20,
        (0.31, 0.31),
        0.02,
        interval=0.2,
    ),
    PublishedScore(
        "4D-Var, data every 0.2, lag 4, B = 0.02 I",
        lambda e: FourDVar(Window(e.dynamics, e.interval, 4), e.observation, _identity(e, 0.02)),
        1,
        (0.37, 0.37),
        0.02,
        interval=0.2,
    ),
)
