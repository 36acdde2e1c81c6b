r"""What seismic training samples cost, plain, with source encoding and with fewer shots, and how that grows with the grid.

    python benchmarks/seismic_speed.py [--cases B C D] [--members 4] [--counts 8 7 6 5 4 3 2 1]
    python benchmarks/seismic_speed.py --whole [--cases B C]
    python benchmarks/seismic_speed.py --cases C --figure docs/seismic_encoding.png

For wave grids of 128 × 64, 256 × 128 and 512 × 256 over the Compass section (squeezed in depth so that every grid sees all
of it), with its density: CPU seconds of one process per member (a forward run and an image per experiment), over a few
members; seconds for 128 members on two cores are 64 times that. Work done once (operators, background wavefields, baseline)
is given apart. The cosine is that of noise-free images of a member, encoded or of a subset beside plain, over the flow grid;
the range is over the members. Subsets are spread evenly over the eight shots. The plume of a member is a layer under a seal
with a random position and width.

``--whole`` makes 128 samples with two worker processes and prints the seconds on the clock and those of CPU, from nothing to
the last image: plain shots, and eight supershots of orthogonal codes.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from seisflow.ensemble import Ensemble
from seisflow.geology.section import load_section
from seisflow.grid import Grid, average
from seisflow.observation import Imaging, Seismic, Survey
from seisflow.observation.waves.kernel import operators_built

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


def problem(name: str) -> tuple[Grid, Grid, tuple[Grid, Grid, np.ndarray, np.ndarray, float, Survey], Imaging]:
    """Flow grid, wave grid, the first arguments of Seismic, and how images are made."""
    shape, h, duration, frequency = CASES[name]
    waves = Grid(shape, (h, h))
    flow = Grid((shape[0] // 2, shape[1] * 3 // 8), (2 * h, 2 * h), (0.0, shape[1] * h / 4))
    depth = 0.08 * shape[1] * h
    survey = Survey.seabed(
        waves, frequency, duration, n_sources=SHOTS, n_receivers=100, source_depth=depth, receiver_depth=h
    )
    return flow, waves, (flow, waves, *model(waves), 0.25, survey), Imaging(mute_depth=0.2 * shape[1] * h)


def cosines(images: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """Of every member's image to the plain one."""
    size = np.linalg.norm(images, axis=(1, 2)) * np.linalg.norm(plain, axis=(1, 2))
    return (images * plain).sum(axis=(1, 2)) / size


def measure(name: str, members: int, options: list[tuple[str, dict[str, object]]]) -> None:
    flow, waves, arguments, imaging = problem(name)
    ensemble = plumes(flow, members)
    plain: np.ndarray | None = None
    for label, option in options:
        start = time.process_time()
        with Seismic(*arguments, imaging=imaging, snr=None, **option) as seismic:  # type: ignore[arg-type]
            count = seismic.encoding.n_experiments
            _ = seismic.unit
            seismic.predict(ensemble.members([0]))
            once = time.process_time() - start
            start = time.process_time()
            images = seismic.predict(ensemble)["image"].astype(float)
            each = (time.process_time() - start) / members
        plain = images if plain is None else plain
        dots = cosines(images, plain)
        print(
            f"{name} {waves.shape[0]} x {waves.shape[1]}, {count} {label}: once {once:.1f} s, "
            f"a member {each:.3f} s, 128 members on 2 cores {64 * each:.0f} s, "
            f"cosine to plain {dots.min():.3f} to {dots.max():.3f}, operators so far {operators_built()}",
            flush=True,
        )


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def whole(name: str, members: int = 128) -> None:
    """All the samples, in two worker processes, by the clock."""
    flow, waves, arguments, imaging = problem(name)
    ensemble, plain = plumes(flow, members), None
    for label, option in (("shots", {}), ("supershots, orthogonal", {"encoded_shots": SHOTS})):
        start, busy = time.perf_counter(), cpu()
        with Seismic(*arguments, imaging=imaging, snr=None, workers=2, **option) as seismic:  # type: ignore[arg-type]
            images = seismic.predict(ensemble)["image"].astype(float)
        seconds, busy = time.perf_counter() - start, cpu() - busy
        plain = images if plain is None else plain
        print(
            f"{name} {waves.shape[0]} x {waves.shape[1]}, {SHOTS} {label}: {members} members, 2 workers, "
            f"{seconds:.1f} s on the clock, {busy:.1f} CPU s in all, "
            f"least cosine to plain {cosines(images, plain).min():.6f}",
            flush=True,
        )


def figure(name: str, path: str) -> None:
    """One member's images side by side: plain, and four experiments of every kind, on one symmetric scale."""
    from matplotlib.figure import Figure

    flow, _, arguments, imaging = problem(name)
    ensemble, images = plumes(flow, 1), {}
    for label, option in (
        ("8 shots", {}),
        ("4 of the 8 shots", {"shots": chosen(4)}),
        ("4 supershots, orthogonal", {"encoded_shots": 4}),
        ("4 supershots, random", {"encoded_shots": 4, "codes": "random"}),
    ):
        with Seismic(*arguments, imaging=imaging, snr=None, **option) as seismic:  # type: ignore[arg-type]
            image = seismic.predict(ensemble)["image"].astype(float)[0]
        images[label] = image / np.linalg.norm(image)
    plain = images["8 shots"]
    limit = float(np.abs(plain).max())
    (left, right), (top, bottom) = flow.extent
    sheet = Figure(figsize=(11, 4.6), layout="constrained")
    panels = sheet.subplots(2, 2, sharex=True, sharey=True).ravel()
    for axes, (label, image) in zip(panels, images.items(), strict=True):
        shown = axes.imshow(image.T, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=(left, right, bottom, top))
        axes.contour(
            flow.centres(0), flow.centres(1), ensemble["saturation"][0].T, levels=[0.3], colors="k", linewidths=0.6
        )
        axes.set_title(f"{label}: cosine {(image * plain).sum():.2f}", fontsize=9)
        axes.tick_params(labelsize=7)
    for axes in panels[::2]:
        axes.set_ylabel("depth [m]", fontsize=8)
    for axes in panels[2:]:
        axes.set_xlabel("x [m]", fontsize=8)
    sheet.colorbar(shown, ax=list(panels), fraction=0.02).set_label("image / its norm", fontsize=8)
    sheet.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument(
        "--counts", nargs="*", type=int, default=list(range(SHOTS, 0, -1)), help="experiments, of eight"
    )
    parser.add_argument("--whole", action="store_true", help="128 members in two processes, by the clock")
    parser.add_argument("--figure", help="write a picture of the images of the first case, and nothing else")
    given = parser.parse_args()
    if given.figure is not None:
        figure(given.cases[0], given.figure)
        return
    options: list[tuple[str, dict[str, object]]] = [("shots", {})]
    for codes in ("orthogonal", "random"):
        options += [(f"supershots, {codes}", {"encoded_shots": n, "codes": codes}) for n in given.counts]
    options += [("shots", {"shots": chosen(n)}) for n in given.counts if n < SHOTS]
    for name in given.cases:
        if given.whole:
            whole(name)
        else:
            measure(name, given.members, options)


if __name__ == "__main__":
    main()
