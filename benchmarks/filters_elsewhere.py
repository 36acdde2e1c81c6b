"""The filters on other published Lorenz settings than those they were made with: partial data, other noise and sizes.

    python benchmarks/filters_elsewhere.py [--only TEXT ...] [--seeds 1 2 3]

Nothing in the package was tuned to these. References are the scores that the settings files of DAPPER list
(`dapper/mods/Lorenz63` and `Lorenz96`, commit ae89b30 of 2026-06-26; most to two digits, of single runs), with the paper
each setting is from. One line per method as it finishes: the median over seeds of the mean RMSE of the analysis after the
burn-in. Minutes in all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.base import Analysis
from seisflow.analysis.baselines.climatology import Climatology, OptimalInterpolation
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.localization import LocalDomains
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.variational.ienks import IEnKS
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.analysis.variational.window import Window
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.observation.vector import VectorObservation
from seisflow.testbeds import lorenz63_sakov2012
from seisflow.testbeds.experiment import Experiment
from seisflow.testbeds.lorenz63 import Lorenz63
from seisflow.testbeds.lorenz96 import Lorenz96
from seisflow.testbeds.published import climatological

Make = Callable[[Experiment], Analysis]


def lorenz63(variance: float, interval: float, cycles: int, observed: tuple[int, ...], burn_in: float) -> Experiment:
    """Lorenz-63 with some components observed."""
    published = lorenz63_sakov2012.experiment()
    return Experiment(
        Lorenz63(),
        VectorObservation(DiagonalCovariance(np.full(len(observed), variance)), np.array(observed)),
        published.start_mean,
        published.start_covariance,
        interval,
        cycles,
        burn_in,
    )


def lorenz96(
    n: int,
    variance: float,
    interval: float,
    cycles: int,
    every: int = 1,
    *,
    at_one: float = 0.0,
    start: float = 0.001,
    burn_in: float = 20.0,
    step: float = 0.05,
) -> Experiment:
    """Lorenz-96 with every first, second, … variable observed; the first variable starts around ``at_one``."""
    observed, mean = np.arange(0, n, every), np.zeros(n)
    mean[0] = at_one
    return Experiment(
        Lorenz96(n, step=step),
        VectorObservation(DiagonalCovariance(np.full(len(observed), variance)), observed),
        mean,
        DiagonalCovariance(np.full(n, start)),
        interval,
        cycles,
        burn_in,
    )


def etkf(inflation: float, rotation: bool = False) -> Make:
    return lambda e: ETKF(adjustments=_adjustments(inflation, rotation))


def letkf(radius: float, inflation: float, rotation: bool = True) -> Make:
    def make(e: Experiment) -> Analysis:
        ring = np.arange(e.dynamics.size, dtype=float)
        data = ring if e.observation.components is None else ring[e.observation.components]
        domains = LocalDomains(radius, {"state": ring}, {"data": data}, period=float(len(ring)))
        return LETKF(domains, adjustments=_adjustments(inflation, rotation))

    return make


def ienks(lag: int, inflation: float, rotation: bool) -> Make:
    return lambda e: IEnKS(Window(e.dynamics, e.interval, lag), e.observation, _adjustments(inflation, rotation))


def particles(resample_below: float, jitter: float) -> Make:
    return lambda e: ParticleFilter(resample_below=resample_below, jitter=jitter)


def climatology(e: Experiment) -> Analysis:
    mean, _, covariance = climatological(e)
    return Climatology(mean, covariance)


def interpolation(e: Experiment) -> Analysis:
    return OptimalInterpolation(*climatological(e))


def three_d_var(scale: float) -> Make:
    return lambda e: ThreeDVar(climatological(e, scale)[2])


def identity_var(variance: float) -> Make:
    def make(e: Experiment) -> Analysis:
        rows = Ensemble({"state": np.sqrt(variance) * np.eye(e.dynamics.size)})
        return ThreeDVar(StaticCovariance(rows, e.observation.predict(rows)))

    return make


def _adjustments(inflation: float, rotation: bool) -> tuple[Inflation | Rotation, ...]:
    return (Inflation(inflation), Rotation()) if rotation else (Inflation(inflation),)


@dataclass(frozen=True)
class Line:
    """A method on a setting: members, the listed score."""

    label: str
    make: Make
    members: int
    listed: float
    weighted: bool = False


@dataclass(frozen=True)
class Setting:
    """A twin experiment and what is listed for it."""

    name: str
    experiment: Experiment
    lines: tuple[Line, ...]


def settings() -> list[Setting]:
    """The settings; a paper's other choices than the data's are DAPPER's."""
    return [
        Setting(
            "Lorenz-63, R = I, data every 0.25 (Bocquet & Sakov 2012)",
            lorenz63(1.0, 0.25, 1000, (0, 1, 2), 16.0),
            (
                Line("iterative EnKS N 10, 1.02, rotation", ienks(1, 1.02, True), 10, 0.22),
                Line("iterative EnKS N 3, 1.04", ienks(1, 1.04, False), 3, 0.23),
            ),
        ),
        Setting(
            "Lorenz-63, R = I, data every 0.05 (Bocquet & Sakov 2012)",
            lorenz63(1.0, 0.05, 4000, (0, 1, 2), 16.0),
            (
                Line("iterative EnKS N 10, 1.02, rotation", ienks(1, 1.02, True), 10, 0.13),
                Line("iterative EnKS N 3, 1.02", ienks(1, 1.02, False), 3, 0.13),
            ),
        ),
        Setting(
            "Lorenz-63, x observed, R = 8, data every 0.12 (de Wiljes, Acevedo & Reich 2017)",
            lorenz63(8.0, 0.12, 3000, (0,), 4.0),
            (
                Line("optimal interpolation", interpolation, 1, 5.4),
                Line("3D-Var, B = climatology × 0.3", three_d_var(0.3), 1, 3.0),
                Line("particle filter N 35, 1.4, 0.3", particles(0.3, 1.4), 35, 2.05, True),
            ),
        ),
        Setting(
            "Lorenz-96, 40 variables, all observed (Hoteit, Pham, Gharamti & Luo 2015)",
            lorenz96(40, 1.0, 0.05, 1500, at_one=1.0, burn_in=4.0),
            (
                Line("ETKF N 28, 1.02, rotation", etkf(1.02, True), 28, 0.18),
                Line("ETKF N 17, 1.03", etkf(1.03), 17, 0.217),
                Line("LETKF N 10, 1.02, radius 4, rotation", letkf(4, 1.02), 10, 0.21),
                Line("LETKF N 10, 1.04, radius 6, rotation", letkf(6, 1.04), 10, 0.20),
                Line("LETKF N 10, 1.10, radius 10, rotation", letkf(10, 1.10), 10, 0.22),
                Line("LETKF N 10, 1.20, radius 15", letkf(15, 1.20, False), 10, 0.29),
            ),
        ),
        Setting(
            "Lorenz-96, 10 variables, every 2nd observed, R = 2.25 I (Bocquet, Pires & Wu 2010)",
            lorenz96(10, 2.25, 0.05, 1280, 2),
            (
                Line("particle filter N 50, 1.7, 0.3", particles(0.3, 1.7), 50, 1.15, True),
                Line("particle filter N 100, 1.3, 0.2", particles(0.2, 1.3), 100, 0.43, True),
                Line("particle filter N 800, 0.8, 0.2", particles(0.2, 0.8), 800, 0.29, True),
            ),
        ),
        Setting(
            "Lorenz-96, 40 variables, every 2nd observed, R = 2.25 I (Bocquet, Pires & Wu 2010)",
            lorenz96(40, 2.25, 0.05, 1280, 2),
            (
                Line("iterative EnKS N 19, lag 2, 1.04", ienks(2, 1.04, False), 19, 0.46),
                Line("particle filter N 3000, 1.2, 0.2", particles(0.2, 1.2), 3000, 1.01, True),
            ),
        ),
        Setting(
            "Lorenz-96, 80 variables, every 2nd observed every 0.1 (Tödter & Ahrens 2015, Gaussian noise)",
            lorenz96(80, 1.0, 0.1, 1000, 2),
            (
                Line("LETKF N 40, 1.04, radius 5, rotation", letkf(5, 1.04), 40, 0.42),
                Line("LETKF N 80, 1.04, radius 5, rotation", letkf(5, 1.04), 80, 0.42),
            ),
        ),
        Setting(
            "Lorenz-96, 40 variables, every 2nd observed every 0.4, R = 0.5 I (Spantini, Baptista & Marzouk 2019)",
            lorenz96(40, 0.5, 0.4, 1000, 2, at_one=1.0, start=0.1, step=0.02),
            (
                Line("climatology", climatology, 1, 3.6),
                Line("optimal interpolation", interpolation, 1, 2.5),
                Line("3D-Var, B = 4 I", identity_var(4.0), 1, 2.3),
                Line("ETKF N 40, 1.10", etkf(1.10), 40, 2.2),
                Line("ETKF N 60, 1.10", etkf(1.10), 60, 1.3),
                Line("ETKF N 100, 1.10", etkf(1.10), 100, 0.97),
                Line("LETKF N 40, 1.10, radius 4", letkf(4, 1.10, False), 40, 1.0),
                Line("LETKF N 60, 1.02, radius 4", letkf(4, 1.02, False), 60, 0.89),
                Line("LETKF N 100, 1.02, radius 4", letkf(4, 1.02, False), 100, 0.84),
                Line("iterative EnKS N 40, lag 2, 1.10", ienks(2, 1.10, False), 40, 0.52),
                Line("iterative EnKS N 60, lag 2, 1.10", ienks(2, 1.10, False), 60, 0.47),
            ),
        ),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[], help="parts of the setting's or the method's name, all must occur"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    arguments = parser.parse_args()
    print("| setting | method | listed | median | each seed | spread | s a run |")
    print("|---|---|---:|---:|---|---:|---:|")
    for setting in settings():
        for line in setting.lines:
            if not all(part.lower() in f"{setting.name} {line.label}".lower() for part in arguments.only):
                continue
            analysis = line.make(setting.experiment)
            runs = [setting.experiment.run(analysis, line.members, s, weighted=line.weighted) for s in arguments.seeds]
            scores = [run.mean() for run in runs]
            print(
                f"| {setting.name} | {line.label} | {line.listed:g} | {np.median(scores):.3f} | "
                f"{', '.join(f'{score:.3f}' for score in scores)} | {np.median([r.mean('spread') for r in runs]):.3f} | "
                f"{np.median([r.seconds for r in runs]):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
