r"""Waves beside deepwave (Richardson, CPU): the same models, shots, receivers, wavelet and boundary quality, in one run.

    python benchmarks/waves_vs_deepwave.py [--cases B C A D] [--repeats 5]

needs the extra ``deepwave``. Constant density, since deepwave's scalar propagator has no other. Records are sampled every
4 ms; each code takes the longest steps it considers right. For every model it prints

* the boundary's record error: ‖d − d_large‖/‖d_large‖ against a domain so large that nothing returns from its edges;
* the error of the time steps against steps a sixth as long;
* the relative L2 distance between the two codes' records (deepwave with short steps), after one fitted factor;
* CPU seconds per shot, one thread: forward, and image (background, records sent back, imaging condition) beside deepwave's
  forward and gradient with every 8th step kept, and the ratios. Best of the repeats, the codes taking turns.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import deepwave
import numpy as np
import torch

from seisflow.geology.section import load_section
from seisflow.grid import Grid, average
from seisflow.observation import Encoding, Imaging, Migration, Propagator, Survey
from seisflow.observation.waves.imaging import smooth

INTERVAL, FREQUENCY, LAYER, PML = 4e-3, 15.0, 10, 10
CASES = {
    "B": ((128, 64), 12.5, 1.0, 15.0),
    "C": ((256, 128), 12.5, 1.5, 15.0),
    "A": ((256, 256), 10.0, 2.0, 15.0),
    "D": ((512, 256), 6.25, 1.8, 15.0),
}
SHOTS, RECEIVERS = 8, 100


def section(grid: Grid) -> np.ndarray:
    """The Compass velocity [m/s], squeezed in depth until the grid sees all of it."""
    data = load_section("compass_slice")
    squeeze = (data.grid.extent[-1][1] - 1.0) / (grid.shape[1] * grid.spacing[1])
    wide = Grid(grid.shape, (grid.spacing[0], grid.spacing[1] * squeeze), (300.0, 0.0))
    return 1 / average(1 / data.velocity, data.grid, wide)


def widened(grid: Grid, velocity: np.ndarray, nodes: int) -> tuple[Grid, np.ndarray]:
    """The model continued by its edge values."""
    shape = tuple(n + 2 * nodes for n in grid.shape)
    origin = tuple(o - nodes * h for o, h in zip(grid.origin, grid.spacing, strict=True))
    return Grid(shape, grid.spacing, origin), np.pad(velocity, nodes, mode="edge")


def places(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Node indices of sources and receivers."""
    deep = round(112.5 / grid.spacing[1])
    across = [np.linspace(4, grid.shape[0] - 5, n).round().astype(int) for n in (SHOTS, RECEIVERS)]
    return (
        np.column_stack([across[0], np.full(SHOTS, deep)]),
        np.column_stack([across[1], np.full(RECEIVERS, 1)]),
    )


class Ours:
    """seisflow's waves on one model."""

    def __init__(self, grid: Grid, velocity: np.ndarray, duration: float, pad: int = 0, courant: float = 0.9) -> None:
        points = [(p + 0.5) * grid.spacing for p in places(grid)]
        survey = Survey(points[0], points[1], FREQUENCY, duration, INTERVAL)
        grid, velocity = widened(grid, velocity, pad)
        self.p = Propagator(grid, survey, velocity.max(), layer=LAYER, courant=courant)
        self.density = np.ones(grid.shape)
        self.medium = self.p.medium(velocity, self.density)
        self.ones = [self.p.signature(one) for one in np.eye(SHOTS)]
        self.velocity, self.grid = velocity, grid

    def forward(self) -> np.ndarray:
        """Records of all shots."""
        return np.stack([self.p.forward(self.medium, one) for one in self.ones])

    def image(self, records: np.ndarray) -> np.ndarray:
        """Background wavefields, records sent back, imaging condition."""
        background = smooth(self.velocity, self.density, self.grid, 60.0)
        migration = Migration(self.p, *background, Encoding.plain(SHOTS), Imaging())
        return migration.image(records)


class Theirs:
    """deepwave's scalar propagator on one model."""

    def __init__(self, grid: Grid, velocity: np.ndarray, duration: float, survey: Survey, pad: int = 0) -> None:
        sources, receivers = places(grid)
        self.v = torch.tensor(np.pad(velocity, pad, mode="edge"), dtype=torch.float32)
        self.h = grid.spacing[0]
        self.sources = torch.tensor(sources + pad)[:, None]
        self.receivers = torch.tensor(receivers + pad)[None].repeat(SHOTS, 1, 1)
        self.survey = survey

        longest = 0.6 * self.h / (np.sqrt(2) * float(self.v.max()))  # as deepwave chooses its own steps
        self.parts = int(np.ceil(INTERVAL / longest))
        self.step = INTERVAL / self.parts * 1e3

    def forward(self, gradient: bool = False, refine: int = 1) -> np.ndarray:
        """Records of all shots; with ``gradient``, that of their squares in the velocity too."""
        parts = self.parts * refine
        n = (self.survey.n_samples - 1) * parts + 1
        n += -n % 8  # for the kept steps
        wavelet = torch.tensor(self.survey.wavelet(np.arange(n) * INTERVAL / parts), dtype=torch.float32)
        v = self.v.clone().requires_grad_(gradient)
        output = deepwave.scalar(
            v,
            self.h,
            INTERVAL / parts,
            source_amplitudes=wavelet.repeat(SHOTS, 1, 1),
            source_locations=self.sources,
            receiver_locations=self.receivers,
            accuracy=8,
            pml_width=PML,
            pml_freq=FREQUENCY,
            model_gradient_sampling_interval=8 if gradient else 1,
            check_output_finite=False,
        )
        if gradient:
            output[-1].square().sum().backward()
            assert v.grad is not None
        records = output[-1].detach().numpy()[:, :, ::parts][:, :, : self.survey.n_samples]
        return records.transpose(0, 2, 1)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm((a - b).astype(float)) / np.linalg.norm(b.astype(float)))


def fitted(a: np.ndarray, b: np.ndarray) -> float:
    """Distance after the best factor on ``a``."""
    a, b = a.astype(float), b.astype(float)
    return distance(a * ((a * b).sum() / (a * a).sum()), b)


def best(actions: list[Callable[[], object]], repeats: int) -> list[float]:
    """CPU seconds per shot of every action, the least of the repeats."""
    least = [np.inf] * len(actions)
    for _ in range(repeats):
        for i, action in enumerate(actions):
            start = time.process_time()
            action()
            least[i] = min(least[i], time.process_time() - start)
    return [s / SHOTS for s in least]


def compare(name: str, repeats: int, check: bool) -> None:
    """Print everything about one model."""
    shape, h, duration, _ = CASES[name]
    grid = Grid(shape, (h, h))
    velocity = section(grid)
    ours = Ours(grid, velocity, duration)
    theirs = Theirs(grid, velocity, duration, ours.p.survey)
    a, b = ours.forward(), theirs.forward()
    print(f"{name}: {shape[0]} x {shape[1]} nodes of {h:g} m, {duration:g} s, {SHOTS} shots")
    print(
        f"  steps of {ours.p.dt * 1e3:.2f} ms, every {ours.p.every}th kept; deepwave's {theirs.step:.2f} ms, every 8th"
    )
    if check:
        pad = int(np.ceil(0.5 * duration * velocity.max() / h)) + 5
        large = Ours(grid, velocity, duration, pad).forward()
        short, dense = Ours(grid, velocity, duration, courant=0.15).forward(), theirs.forward(refine=6)
        far = Theirs(grid, velocity, duration, ours.p.survey, pad).forward()
        print(f"  boundary: ours {distance(a, large):.1e}, deepwave {distance(b, far):.1e}")
        print(f"  time steps: ours {distance(a, short):.1e}, deepwave {distance(b, dense):.1e}")
        print(f"  ours to deepwave with short steps: {fitted(a, dense):.1e}")
    forward, image, their_forward, their_gradient = best(
        [ours.forward, lambda: ours.image(a), theirs.forward, lambda: theirs.forward(gradient=True)], repeats
    )
    print(
        f"  forward  {forward * 1e3:7.1f} ms, deepwave {their_forward * 1e3:7.1f} ms, ratio {forward / their_forward:.2f}"
    )
    print(
        f"  image    {image * 1e3:7.1f} ms, deepwave {their_gradient * 1e3:7.1f} ms, ratio {image / their_gradient:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-check", action="store_true", help="times only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"deepwave {deepwave.__version__}, torch {torch.__version__}")
    for name in options.cases:
        compare(name, options.repeats, not options.no_check)


if __name__ == "__main__":
    main()
