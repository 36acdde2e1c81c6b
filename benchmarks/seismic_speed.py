r"""What seismic training samples cost, plain, with source encoding and with fewer shots, and how that grows with the grid.

    python benchmarks/seismic_speed.py [--cases B C D] [--members 4]

For wave grids of 128 × 64, 256 × 128 and 512 × 256 over the Compass section (squeezed in depth so that every grid sees all
of it), with its density: CPU seconds of one process per member (a forward run and an image per experiment), over a few
members; seconds for 128 members on two cores are 64 times that. Work done once (operators, background wavefields, baseline)
is given apart. The cosine is that of noise-free images of a member, encoded or of a subset beside plain, over the flow grid;
the range is over the members. Subsets are spread evenly over the eight shots. The plume of a member is a layer under a seal
with a random position and width.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from seisflow.data import load_section
from seisflow.ensemble import Ensemble
from seisflow.grid import Grid, average
from seisflow.observation import Imaging, Seismic, Survey
from seisflow.observation.kernel import operators_built

SHOTS = 8
CASES = {"B": ((128, 64), 12.5, 1.0, 15.0), "C": ((256, 128), 12.5, 1.8, 15.0), "D": ((512, 256), 6.25, 1.8, 15.0)}


def model(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The Compass velocity [m/s] and density [kg/m³], squeezed in depth."""
    data = load_section("compass_slice")
    squeeze = (data.grid.extent[-1][1] - 1.0) / (grid.shape[1] * grid.spacing[1])
    wide = Grid(grid.shape, (grid.spacing[0], grid.spacing[1] * squeeze), (300.0, 0.0))
    return 1 / average(1 / data.velocity, data.grid, wide), average(data.density, data.grid, wide)


def plumes(grid: Grid, members: int) -> Ensemble:
    """Lens-shaped plumes: thin, wide, under the middle of the flow grid."""
    stream = np.random.default_rng(1)
    (left, right), (top, bottom) = grid.extent
    x, z = grid.centres(0)[:, None], grid.depth
    fields = []
    for _ in range(members):
        middle, width = stream.uniform(0.35, 0.65), stream.uniform(0.1, 0.25)
        across = (x - left - middle * (right - left)) / (width * (right - left))
        ceiling = top + 0.6 * (bottom - top)
        thickness = 0.16 * (bottom - top) * np.sqrt(np.clip(1 - across**2, 0, None))
        fields.append(np.where((z > ceiling) & (z < ceiling + thickness), 0.6, 0.0))
    return Ensemble({"saturation": np.stack(fields)})


def chosen(count: int) -> tuple[int, ...]:
    """So many of the eight shots, evenly spread."""
    return tuple(int(i) for i in np.round((np.arange(count) + 0.5) * SHOTS / count - 0.5))


def measure(name: str, members: int, options: list[dict[str, object]]) -> None:
    shape, h, duration, frequency = CASES[name]
    waves = Grid(shape, (h, h))
    flow = Grid((shape[0] // 2, shape[1] * 3 // 8), (2 * h, 2 * h), (0.0, shape[1] * h / 4))
    velocity, density = model(waves)
    depth = 0.08 * shape[1] * h
    survey = Survey.seabed(
        waves, frequency, duration, n_sources=SHOTS, n_receivers=100, source_depth=depth, receiver_depth=h
    )
    ensemble = plumes(flow, members)
    plain: np.ndarray | None = None
    imaging = Imaging(mute_depth=0.2 * shape[1] * h)
    for option in options:
        start = time.process_time()
        with Seismic(flow, waves, velocity, density, 0.25, survey, imaging=imaging, snr=None, **option) as seismic:  # type: ignore[arg-type]
            count, kind = seismic.encoding.n_experiments, "supershots" if "encoded_shots" in option else "shots"
            _ = seismic.unit
            seismic.predict(ensemble.members([0]))
            once = time.process_time() - start
            start = time.process_time()
            images = seismic.predict(ensemble)["image"].astype(float)
            each = (time.process_time() - start) / members
        if plain is None:
            plain = images
        dots = (
            (images * plain).sum(axis=(1, 2)) / np.linalg.norm(images, axis=(1, 2)) / np.linalg.norm(plain, axis=(1, 2))
        )
        print(
            f"{name} {shape[0]} x {shape[1]}, {count} {kind}: once {once:.1f} s, "
            f"a member {each:.3f} s, 128 members on 2 cores {64 * each:.0f} s, "
            f"cosine to plain {dots.min():.3f} to {dots.max():.3f}, operators so far {operators_built()}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--encoded", nargs="*", type=int, default=[6, 4, 2], help="numbers of supershots")
    parser.add_argument("--subset", nargs="*", type=int, default=[6, 4, 2], help="numbers of shots, of eight")
    given = parser.parse_args()
    options: list[dict[str, object]] = [{}]
    options += [{"encoded_shots": count} for count in given.encoded] + [
        {"shots": chosen(count)} for count in given.subset
    ]
    for name in given.cases:
        measure(name, given.members, options)


if __name__ == "__main__":
    main()
