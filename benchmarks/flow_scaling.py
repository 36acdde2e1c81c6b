r"""How the flow solver grows: time per Newton iteration and memory over the number of cells, members over threads.

    python benchmarks/flow_scaling.py [--largest CELLS] [--days D] [--json FILE]

Sections of the Compass slice at 2:1 cells over the same 3.2 km × 1.6 km, and boxes made of such sections, warped from one
to the next; 0.05 m³/s of CO2, open sides, default tolerances and steps, one block of 80 days from rest. A call advances as
many draws of the permeability as fill half a million cells together, so that the smallest size, too, takes seconds: the
CPU time of a process is counted in hundredths of a second. Per size, as means over the members: steps, Newton iterations of
the whole field and of the front alone, GMRES iterations, CPU seconds of the block (fastest of the calls) and per Newton
iteration of the whole field; the memory that the call took; and the CPU time per Newton iteration with those of the front
switched off (`StepControl(max_local=0)`), which is the growth of assembly, preconditioner and GMRES alone. The exponents are
those of the least-squares lines through log(CPU time per Newton iteration) over log(cells). Then the same ensemble on one
thread and on two.

Published for the 512 × 256 section (JutulDarcy 0.2.7, one CPU; Gahlot et al. 2025): 18–42 s a block of 80 days, 280–320 ms
per Newton iteration.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import Fluids, Rock, Schedule, StepControl, TwoPhaseFlow, Well
from seisflow.ensemble import Ensemble
from seisflow.geology.section import load_section
from seisflow.grid import Grid
from seisflow.prior.permeability import PermeabilityPrior
from seisflow.units import DAY, MILLIDARCY

WIDTH, HEIGHT, TOP, LEFT = 3200.0, 1600.0, 446.0, 300.0
REPEATS = 3
"""Calls of which the fastest counts; the first still compiles how large arrays come in."""
CELLS, MEMBERS = 2**19, 128
"""A call advances so many cells, in at most so many members."""
SECTIONS = ((64, 64), (128, 64), (128, 128), (256, 128), (512, 256), (1024, 512))
BOXES = ((16, 16, 16), (32, 32, 16), (32, 32, 32), (64, 64, 32), (64, 64, 64))


def section_permeability(shape: tuple[int, int], seed: int) -> NDArray[np.float64]:
    """A draw of the Compass prior on ``shape`` cells [m²]."""
    grid = Grid(shape, (WIDTH / shape[0], HEIGHT / shape[1]), (LEFT, TOP), 200.0)
    prior = PermeabilityPrior(load_section("compass_slice"), grid, seal_permeability=1e-3 * MILLIDARCY)
    return prior.realisation(np.random.default_rng(seed))


def box_permeability(shape: tuple[int, int, int], seed: int) -> NDArray[np.float64]:
    """The section, moved up and down along y, with noise of half an e-fold in every cell [m²]."""
    section = section_permeability((shape[0], shape[2]), seed)
    rows = [np.roll(section, round(0.05 * shape[2] * np.sin(6 * j / shape[1])), axis=1) for j in range(shape[1])]
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.stack(rows, axis=1) * np.exp(0.5 * noise)


def flow_on(shape: tuple[int, ...], engine: JuliaEngine, fronts: bool = True) -> TwoPhaseFlow:
    """The model on ``shape`` cells, with Newton iterations on the front alone or without."""
    control = StepControl() if fronts else StepControl(max_local=0)
    nx, nz = shape[0], shape[-1]
    if len(shape) == 2:
        grid = Grid((nx, nz), (WIDTH / nx, HEIGHT / nz), (LEFT, TOP), 200.0)
        well = Well(1900.0, (1496.0, 1596.0), pressure_limit=None)
    else:
        grid = Grid(shape, (WIDTH / nx, WIDTH / shape[1], HEIGHT / nz), (LEFT, 0.0, TOP))
        well = Well((1900.0, 0.5 * WIDTH), (1496.0, 1596.0), pressure_limit=None)
    return TwoPhaseFlow(grid, Rock(), Fluids(), well, Schedule([0.0], [0.05]), control, engine=engine)


def julia_process() -> psutil.Process:
    """The Julia worker, a child of this process."""
    return next(p for p in psutil.Process().children(recursive=True) if "julia" in p.name())


def measure(shape: tuple[int, ...], days: float, fronts: bool = True) -> dict[str, Any]:
    """Work, CPU time and memory of a block, in a worker of its own: means over the members of one call."""
    draw = section_permeability if len(shape) == 2 else box_permeability
    members = min(MEMBERS, max(1, CELLS // int(np.prod(shape))))
    permeability = np.stack([draw(shape, 1 + m) for m in range(members)])
    with JuliaEngine(threads=1) as engine:
        small = flow_on((32, 16) if len(shape) == 2 else (8, 8, 8), engine)
        start = small.initial_state(1)
        small.advance(start.replace(permeability=np.full(start["saturation"].shape, 1e-13)), 0.0, 5 * DAY)
        process = julia_process()
        resident = process.memory_info().rss
        flow = flow_on(shape, engine, fronts)
        start = flow.initial_state(members).replace(permeability=permeability)
        calls = []
        for _ in range(REPEATS if fronts else 2):
            times = process.cpu_times()
            flow.advance(start, 0.0, days * DAY)
            after = process.cpu_times()
            calls.append(after.user + after.system - times.user - times.system)
        peak = _peak(process)
    for report in flow.reports:
        if not report.converged:
            raise SystemExit(f"{shape}: {report.reason}")
    names = {
        "steps": "steps",
        "newton": "newton_iterations",
        "local": "local_iterations",
        "linear": "linear_iterations",
    }
    work = {key: float(np.mean([getattr(report, name) for report in flow.reports])) for key, name in names.items()}
    cpu = min(calls) / members
    return {
        "shape": shape,
        "cells": int(np.prod(shape)),
        "members": members,
        **work,
        "cpu_s": cpu,
        "ms_per_newton": 1e3 * cpu / work["newton"],
        "bytes": peak - resident,
        "co2_error": max(abs(report.co2_error) / report.injected_mass for report in flow.reports),
    }


def _peak(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return 1024 * int(lines[0].split()[1])
    return process.memory_info().rss


def exponent(rows: list[dict[str, Any]], key: str) -> float:
    """Slope of log(key) over log(cells)."""
    cells, values = np.array([[row["cells"], row[key]] for row in rows]).T
    return float(np.polyfit(np.log(cells), np.log(values), 1)[0])


def thread_speedup(members: int, days: float) -> dict[str, float]:
    """Wall seconds of the same ensemble on one thread and on two, the smaller of two alternating runs each."""
    permeability = np.stack([section_permeability((128, 64), 10 + m) for m in range(members)])
    seconds: dict[int, list[float]] = {1: [], 2: []}
    states = {}
    engines = {threads: JuliaEngine(threads=threads) for threads in seconds}
    try:
        flows = {threads: flow_on((128, 64), engine) for threads, engine in engines.items()}
        start = flows[1].initial_state(members).replace(permeability=permeability)
        for flow in flows.values():
            flow.advance(_first(start, 2), 0.0, DAY)
        for _ in range(2):
            for threads, flow in flows.items():
                begun = time.perf_counter()
                states[threads] = flow.advance(start, 0.0, days * DAY).ensemble
                seconds[threads].append(time.perf_counter() - begun)
    finally:
        for engine in engines.values():
            engine.close()
    same = all(np.array_equal(states[1][name], states[2][name]) for name in ("saturation", "pressure"))
    return {"one": min(seconds[1]), "two": min(seconds[2]), "same_bits": same}


def _first(ensemble: Ensemble, members: int) -> Ensemble:
    return Ensemble({name: ensemble[name][:members] for name in ensemble.names}, ensemble.time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1024 * 512, metavar="CELLS")
    parser.add_argument("--days", type=float, default=80.0)
    parser.add_argument(
        "--members", type=int, default=16, help="of the ensemble on one and two threads; 0: leave it out"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    heads = (
        "cells",
        "members",
        "steps",
        "Newton",
        "on the front",
        "GMRES",
        "CPU s",
        "ms per Newton",
        "MB",
        "CO2 balance",
    )
    heads += ("without fronts: Newton", "ms per Newton")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, shapes in (("sections", SECTIONS), ("boxes", BOXES)):
        rows = []
        for shape in shapes:
            if np.prod(shape) > options.largest:
                continue
            row, plain = measure(shape, options.days), measure(shape, options.days, fronts=False)
            row |= {"plain_newton": plain["newton"], "plain_ms_per_newton": plain["ms_per_newton"]}
            rows.append(row)
            print(
                f"| {' × '.join(map(str, shape))} | {row['members']} | {row['steps']:.1f} | {row['newton']:.1f} "
                f"| {row['local']:.1f} | {row['linear']:.0f} | {row['cpu_s']:.3f} | {row['ms_per_newton']:.2f} "
                f"| {row['bytes'] / 1e6:.0f} | {row['co2_error']:.0e} | {row['plain_newton']:.1f} "
                f"| {row['plain_ms_per_newton']:.2f} |",
                flush=True,
            )
        results[name] = rows
        if len(rows) > 1:
            per_newton, plain_growth = exponent(rows, "ms_per_newton"), exponent(rows, "plain_ms_per_newton")
            print(
                f"{name}: CPU time per Newton iteration of the whole field grows as n^{per_newton:.2f}, "
                f"without iterations on the front as n^{plain_growth:.2f}"
            )
    if options.members:
        results["threads"] = threads = thread_speedup(options.members, options.days)
        print(
            f"{options.members} members of 128 × 64: one thread {threads['one']:.2f} s, two {threads['two']:.2f} s: "
            f"{threads['one'] / threads['two']:.2f} times the members per hour, same bits: {threads['same_bits']}"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
