"""Lorenz-63, everything observed every 0.25: Sakov, Oliver & Bertino 2012 (Mon. Wea. Rev. 140, 1988–2004).

X₀ ~ N((1.509, −1.531, 25.46), 2 I), R = 2 I, no model noise, 1000 data, the first 16 time units not counted. Reference
scores: DAPPER 1.7.1. Scores reached (median of seeds 1, 2, 3, of 1 to 41 where * stands: errors come in bursts there;
`benchmarks/filter_scores.py`):

    climatology                                                    7.611   (published 7.6)
    optimal interpolation                                          1.254   (published 1.25)
    3D-Var, B = climatology × 0.1                                  1.030   (published 1.03)
    ETKF N 3, inflation 1.30                                       0.803 * (published 0.8–0.83)
    ETKF N 10, 1.02, rotation                                      0.565 * (published 0.57–0.6)
    EnKF N 10, 1.04                                                0.676 * (published 0.65–0.68)
    EnKF N 100, 1.01                                               0.545   (published 0.56)
    DEnKF N 10, 1.02                                               0.995 * (published 1.04)
    particle filter N 100, jitter 2.4, resampling below 0.3        0.375   (published 0.38)
    particle filter N 800, 0.9, 0.2                                0.268   (published 0.27–0.28)
    particle filter N 4000, 0.7, 0.05                              0.250   (published 0.25–0.27)
    iterative EnKS N 10, lag 1, 1.02, rotation                     0.297   (published 0.31)
"""

from __future__ import annotations

import numpy as np

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.baselines.climatology import Climatology, OptimalInterpolation
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.variational.ienks import IEnKS
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.analysis.variational.window import Window
from seisflow.covariance import DiagonalCovariance
from seisflow.observation.vector import VectorObservation
from seisflow.testbeds.experiment import Experiment
from seisflow.testbeds.lorenz63 import Lorenz63
from seisflow.testbeds.published import PublishedScore, climatological

__all__ = ["SCORES", "experiment"]


def experiment(cycles: int = 1000, interval: float = 0.25) -> Experiment:
    """The twin experiment of this setting."""
    return Experiment(
        dynamics=Lorenz63(),
        observation=VectorObservation(DiagonalCovariance(np.full(3, 2.0))),
        start_mean=np.array([1.509, -1.531, 25.46]),
        start_covariance=DiagonalCovariance(np.full(3, 2.0)),
        interval=interval,
        cycles=cycles,
        burn_in=16.0,
    )


def _climatology(e: Experiment) -> Climatology:
    mean, _, covariance = climatological(e)
    return Climatology(mean, covariance)


SCORES: tuple[PublishedScore, ...] = (
    PublishedScore("climatology", _climatology, 1, (7.6, 7.6), 0.05),
    PublishedScore("optimal interpolation", lambda e: OptimalInterpolation(*climatological(e)), 1, (1.25, 1.25), 0.05),
    PublishedScore(
        "3D-Var, B = climatology × 0.1", lambda e: ThreeDVar(climatological(e, 0.1)[2]), 1, (1.03, 1.03), 0.05
    ),
    PublishedScore(
        "ETKF N 3, inflation 1.30", lambda e: ETKF(adjustments=(Inflation(1.30),)), 3, (0.80, 0.83), 0.05, seeds=41
    ),
    PublishedScore(
        "ETKF N 10, 1.02, rotation",
        lambda e: ETKF(adjustments=(Inflation(1.02), Rotation())),
        10,
        (0.57, 0.60),
        0.05,
        seeds=41,
    ),
    PublishedScore("EnKF N 10, 1.04", lambda e: EnKF(None, 1.04), 10, (0.65, 0.68), 0.05, seeds=41),
    PublishedScore("EnKF N 100, 1.01", lambda e: EnKF(None, 1.01), 100, (0.56, 0.56), 0.05),
    PublishedScore(
        "DEnKF N 10, 1.02", lambda e: DEnKF(adjustments=(Inflation(1.02),)), 10, (1.04, 1.04), 0.05, seeds=41
    ),
    PublishedScore(
        "particle filter N 100, jitter 2.4, resampling below 0.3",
        lambda e: ParticleFilter(resample_below=0.3, jitter=2.4),
        100,
        (0.38, 0.38),
        0.03,
        weighted=True,
    ),
    PublishedScore(
        "particle filter N 800, 0.9, 0.2",
        lambda e: ParticleFilter(resample_below=0.2, jitter=0.9),
        800,
        (0.27, 0.28),
        0.03,
        weighted=True,
    ),
    PublishedScore(
        "particle filter N 4000, 0.7, 0.05",
        lambda e: ParticleFilter(resample_below=0.05, jitter=0.7),
        4000,
        (0.25, 0.27),
        0.03,
        weighted=True,
    ),
    PublishedScore(
        "iterative EnKS N 10, lag 1, 1.02, rotation",
        lambda e: IEnKS(Window(e.dynamics, e.interval, 1), e.observation, (Inflation(1.02), Rotation())),
        10,
        (0.31, 0.31),
        0.05,
    ),
)
