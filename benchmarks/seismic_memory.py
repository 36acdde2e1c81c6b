r"""What a memory budget for background wavefields costs: forward steps repeated, and CPU seconds of an image.

    python benchmarks/seismic_memory.py [--cases B C D] [--shares 0.9 0.6 0.4 0.25 0.15] [--steps-only]

The models and surveys are those of ``seismic_speed.py``, with one shot. A share is the budget in units of one stored
background. "Repeated" is the number of forward steps that an image takes per step of the shot; a stored background needs
none, one that is run once for every image 1. Beside it stands what binomial checkpointing of single steps needs within
the same memory (one state for the records' field, the others checkpoints, that of the start among them), which is how
``pyrevolve`` works. If it is installed, its schedules are counted and compared with
:mod:`seisflow.observation.waves.revolve`.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from seismic_speed import CASES, problem

from seisflow.observation import Encoding, Imaging, Migration, Propagator
from seisflow.observation.waves.imaging import smooth
from seisflow.observation.waves.revolve import advances


def against_pyrevolve() -> None:
    """Count what pyrevolve's schedules advance."""
    try:
        from pyrevolve.schedulers import Action, CRevolve
    except ImportError:
        print("pyrevolve is not installed: no comparison")
        return
    for segments in (2, 10, 40, 100, 300):
        for checkpoints in (1, 2, 3, 5, 8, 20):
            schedule = CRevolve(checkpoints, segments)
            counted = sum(a.capo - a.old_capo for a in schedule.oplist if a.type == Action.ADVANCE)
            assert counted == advances(segments, checkpoints), (segments, checkpoints)
    print("pyrevolve advances as many segments as ours: 2 to 300 segments, 1 to 20 checkpoints")


def measure(name: str, shares: list[float], steps_only: bool) -> None:
    _, waves, (_, _, velocity, density, _, survey), _ = problem(name)
    p = Propagator(waves, survey, velocity.max())
    background = smooth(velocity, density, waves, 60.0)
    whole = ((p.n_steps - 1) // p.every + 1) * p.frame_bytes
    records = np.random.default_rng(0).standard_normal((1, p.n_samples, len(survey.receivers))).astype(np.float32)
    encoding = Encoding.subset(len(survey.sources), [3])
    print(
        f"{name}: {waves.shape[0]} x {waves.shape[1]}, {p.n_steps} steps, every {p.every}th kept, "
        f"{whole / 1e6:.0f} MB stored, a state weighs {p.state_bytes / p.frame_bytes:.1f} kept steps"
    )
    first: np.ndarray | None = None
    for share in (None, *shares):
        migration = Migration(p, *background, encoding, Imaging(), None if share is None else share * whole)
        repeated, text = migration.backgrounds.repetitions, "stored"
        if share is not None:
            length, slots = migration.backgrounds.plan
            states = int(share * whole // p.state_bytes)
            single = 1 + advances(p.n_steps, states - 1) / p.n_steps if states > 1 else np.nan
            text = (
                f"{share:4.2f}: segments of {length} steps, {slots} checkpoints, repeated {repeated:.2f}; "
                f"single steps {single:.2f}"
            )
        if not steps_only:
            image = migration.image(records)  # what is done once is done
            first = image if first is None else first
            assert (image == first).all()
            start = time.process_time()
            migration.image(records)
            text += f"; {time.process_time() - start:.2f} CPU s an image, same bits"
        print(f"  {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.9, 0.6, 0.4, 0.25, 0.15])
    parser.add_argument("--steps-only", action="store_true")
    given = parser.parse_args()
    against_pyrevolve()
    for name in given.cases:
        measure(name, given.shares, given.steps_only)


if __name__ == "__main__":
    main()
