"""Seconds (wall clock and processors) and peak memory of every global analysis, and of the LETKF, on a large state.

    python benchmarks/large_states.py [--members 128] [--unknowns 262144] [--data 50000] [--only TEXT] [--threads 2]

Guards: no analysis forms a matrix of state or data size. Each runs in a process of its own; the memory is the process's peak
less what it held before the update (the forecast and the predicted data).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from seisflow.analysis.base import Analysis, Evidence
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.esmda import ESMDA
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.hybrid import HybridEnKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.localization import LocalDomains
from seisflow.analysis.particle.ensemble_transform import EnsembleTransform
from seisflow.analysis.particle.implicit_equal_weights import ImplicitEqualWeights
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble

KALMAN = ("EnKF", "ETKF", "DEnKF", "ES-MDA", "hybrid", "3D-Var")
PARTICLES = (
    "particle filter, jitter",
    "implicit equal weights, two stages",
    "transform, second order",
    "transform, Sinkhorn",
)
NAMES = (*KALMAN, *PARTICLES, "LETKF")


def problem(members: int, unknowns: int, data: int) -> tuple[Ensemble, Ensemble, Ensemble, DiagonalCovariance]:
    """A square field of which a smaller square is observed."""
    side, window = round(unknowns**0.5), round(data**0.5)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((members, side, side), dtype=np.float32)
    y = x[:, :window, :window].astype(np.float64)
    observed = Ensemble({"y": rng.standard_normal((1, window, window))})
    return Ensemble({"x": x}), Ensemble({"y": y}), observed, DiagonalCovariance(np.full(window**2, 0.5))


def analysis(name: str, forecast: Ensemble, predicted: Ensemble, threads: int) -> Analysis:
    """The analysis of a name."""
    if name == "LETKF":
        side, window = forecast["x"].shape[1], predicted["y"].shape[1]
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).astype(float)
        # Radius of 4 cells: about 600 data around a point; tiles of 2 × 2 cells share an analysis.
        return LETKF(LocalDomains(4.0, {"x": grid}, {"y": grid[:window, :window]}, tile=2.0), threads=threads)
    if name in ("hybrid", "3D-Var", "implicit equal weights, two stages"):
        some = slice(0, 32)
        static = StaticCovariance.of(forecast.members(some), predicted.members(some))
        if name == "hybrid":
            return HybridEnKF(static)
        return ThreeDVar(static) if name == "3D-Var" else ImplicitEqualWeights(static, two_stage=True)
    plain: dict[str, Analysis] = {
        "EnKF": EnKF(None),
        "ETKF": ETKF(),
        "DEnKF": DEnKF(),
        "ES-MDA": ESMDA(),
        "particle filter, jitter": ParticleFilter(jitter=1.0),
        "transform, second order": EnsembleTransform(second_order=True),
        "transform, Sinkhorn": EnsembleTransform(entropy=0.05),
    }
    return plain[name]


def run(name: str, members: int, unknowns: int, data: int, threads: int) -> None:
    forecast, predicted, observed, noise = problem(members, unknowns, data)
    method = analysis(name, forecast, predicted, threads)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, busy = time.perf_counter(), time.process_time()
    method.update(forecast, Evidence(predicted, observed, noise), np.random.default_rng(1))
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"| {name} | {seconds:.1f} | {busy:.1f} | {grown / 2**20:.2f} | {(grown + before) / 2**20:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=128)
    parser.add_argument("--unknowns", type=int, default=262_144)
    parser.add_argument("--data", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        run(arguments.only, arguments.members, arguments.unknowns, arguments.data, arguments.threads)
        return
    print(
        f"{arguments.members} members, {arguments.unknowns} unknowns, {arguments.data} data, {arguments.threads} threads\n"
    )
    print("| analysis | s | CPU s | GiB more | GiB in all |\n|---|---:|---:|---:|---:|", flush=True)
    for name in NAMES:
        if arguments.only.lower() in name.lower():
            sizes = [f"--{key}={getattr(arguments, key)}" for key in ("members", "unknowns", "data", "threads")]
            subprocess.run([sys.executable, __file__, "--here", f"--only={name}", *sizes], check=True)


if __name__ == "__main__":
    main()
