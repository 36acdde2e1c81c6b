"""The learned flow as a filter, beside the others: Lorenz-63 and Lorenz-96 with 100, 300 and 1000 members.

    python benchmarks/learned_filters.py [--models Lorenz-63 Lorenz-96] [--members 100 300 1000] [--cycles 400] [--seeds 1]

Every method of a row of the printed table sees the same truth, data and first members. The flows are trained at the first
update and go on from the last weights at every other one, for a few epochs (``warm``); Glow and HINT behind a Kalman
regression, Glow alone without it. Inflation is that of the EnKF of the same size. The burn-in is the published one, but a
quarter of the cycles at most.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.base import Analysis
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.learned.vector_flow import LearnedFlow, VectorFlow
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.learning.flows.glow import GlowOptions
from seisflow.learning.training.train import TrainingOptions
from seisflow.testbeds import lorenz63_sakov2012, lorenz96_sakov2008

SETTINGS = {"Lorenz-63": lorenz63_sakov2012, "Lorenz-96": lorenz96_sakov2008}


@dataclass(frozen=True)
class Row:
    """One method: its name, analysis, and whether weights travel with the members."""

    name: str
    analysis: Analysis
    weighted: bool = False


def learned(members: int, size: int, coupling: str, linear: bool, inflation: float) -> VectorFlow:
    """A flow for a model of so many variables."""
    hidden, batch = (32, 25) if size < 10 else (128, 50), max(25, members // 8)
    options = GlowOptions(
        scales=1,
        steps=4,
        hidden=hidden[0],
        summary=hidden[0] // 2,
        dropout=0.0,
        coupling=coupling,  # type: ignore[arg-type]
    )
    first = TrainingOptions(epochs=100, batch=batch, learning_rate=2e-3, noise=(0.05, 0.01), patience=30)
    again = TrainingOptions(epochs=6, batch=batch, learning_rate=5e-4, noise=(0.02, 0.01))
    flow = LearnedFlow(options, first, linear=linear)
    return VectorFlow(flow, warm=again, adjustments=(Inflation(inflation),))


def rows(model: str, members: int, size: int) -> list[Row]:
    """The methods at an ensemble size."""
    # Sampling errors need less inflation the more members there are; Lorenz-96 is published with 1.06 at 40.
    factor = 1 + (0.6 if model == "Lorenz-96" else 1.0) / members
    jitter, share = (1.2, 0.5) if model == "Lorenz-96" else (0.9, 0.2)
    inflation = Inflation(factor)
    return [
        Row("EnKF", EnKF(("state",), inflation=factor)),
        Row("ETKF, rotation", ETKF(("state",), (inflation, Rotation()))),
        Row("particle filter", ParticleFilter(("state",), share, jitter), True),
        Row("flow, Glow behind a regression", learned(members, size, "affine", True, factor)),
        Row("flow, HINT behind a regression", learned(members, size, "recursive", True, factor)),
        Row("flow, Glow alone", learned(members, size, "affine", False, factor)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--members", nargs="+", type=int, default=[100, 300, 1000])
    parser.add_argument("--cycles", type=int, default=400)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--rows", nargs="+", default=[""], help="rows whose name holds one of these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | members | method | RMSE | each seed | spread | CRPS | CPU s a cycle |")
    print("|---|---:|---|---:|---|---:|---:|---:|")
    for model in arguments.models:
        experiment = SETTINGS[model].experiment(max(arguments.cycles, 1000))
        burn_in = min(experiment.burn_in, 0.25 * arguments.cycles * experiment.interval)
        experiment = replace(experiment, cycles=arguments.cycles, burn_in=burn_in)
        twins = {seed: experiment.simulate(seed) for seed in arguments.seeds}
        for members in arguments.members:
            for name in [row.name for row in rows(model, members, experiment.dynamics.size)]:
                if not any(part in name for part in arguments.rows):
                    continue
                begin, runs = time.process_time(), []
                for seed in arguments.seeds:
                    # A fresh object a run: a warm flow remembers.
                    row = next(r for r in rows(model, members, experiment.dynamics.size) if r.name == name)
                    runs.append(experiment.run(row.analysis, members, seed, twins[seed], row.weighted))
                seconds = (time.process_time() - begin) / len(runs) / arguments.cycles
                rmse, spread, crps = ([r.mean(which) for r in runs] for which in ("rmse", "spread", "crps"))
                print(
                    f"| {model} | {members} | {name} | {np.median(rmse):.3f} | {', '.join(f'{v:.3f}' for v in rmse)} | "
                    f"{np.median(spread):.3f} | {np.median(crps):.3f} | {seconds:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
