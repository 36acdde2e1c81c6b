"""What the Julia engine costs beside the computation: start-up, a small call, arrays both ways; and its peers.

    python benchmarks/julia_engine.py [--launcher julia|juliacall] [--megabytes 128] [--repeat 5] [--json FILE]

Printed, smallest of the repetitions, wall seconds (and CPU seconds of the worker, which a busy machine does not change):

    start               a worker that answers; beside it `julia -e 'exit()'`, the least that Julia takes
    first call          from an engine without a worker to the result of a small ensemble, compilation included
    later call          the same ensemble again, less the time that Julia itself says the members took
    small call          one array of ten numbers there and back; beside it one byte through two pipes of a bare process
    there, both ways    a large array; beside it the same bytes through a pipe to `cat`, and a copy in memory

The bars: first call 5 s on a quiet machine, later call 1 ms plus the copy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.julia.find import find_julia, julia_variables
from seisflow.dynamics.julia.launch import find_launch

MEGABYTE = 1 << 20


def small_case() -> dict[str, Any]:
    """A section of 120 cells, one member, one step of a day."""
    nx, nz = 12, 10
    pressure = np.broadcast_to(100e5 + 9.8e3 * 20.0 * np.arange(nz), (1, nx, nz)).copy()
    return {
        "shape": np.array([nx, 1, nz]),
        "spacing": np.array([50.0, 100.0, 20.0]),
        "top": 1000.0,
        "permeability": np.full((1, nx, nz), 1e-13),
        "saturation": np.zeros((1, nx, nz)),
        "pressure": pressure,
        "porosity": 0.25,
        "edge_multiplier": 1e6,
        "start": 0.0,
        "stop": 86400.0,
        "well_cells": np.array([[5, 0, 6]]),
        "well_of_cell": np.array([0]),
        "well_radius": np.array([0.1]),
        "well_skin": np.array([0.0]),
        "well_pressure_limit": np.array([np.inf]),
        "schedule_times": np.array([0.0]),
        "schedule_rates": np.array([[1e-3]]),
    }


def seconds(action: Callable[[], object], repeat: int) -> float:
    """Smallest wall time of some repetitions."""
    found = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return min(found)


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_ups(launcher: str | None, repeat: int) -> dict[str, float]:
    """A new engine each time; the cache of compiled code is there (the first line fills it)."""
    with JuliaEngine(threads=1, launcher=launcher) as engine:
        engine.call("run_case", small_case(), None, 1)
    rows = []
    for _ in range(repeat):
        with JuliaEngine(threads=1, launcher=launcher) as engine:
            begun = time.perf_counter()
            engine.start()
            started, busy = time.perf_counter(), cpu(engine.pid or 0)
            engine.call("run_case", small_case(), None, 1)
            rows.append((started - begun, time.perf_counter() - begun, busy, cpu(engine.pid or 0)))
    found = find_julia()
    bare = [str(found.executable), "--startup-file=no", "-e", "exit()"]
    return {
        "start": min(row[0] for row in rows),
        "start, CPU": min(row[2] for row in rows),
        "bare julia": seconds(lambda: subprocess.run(bare, check=True, env=julia_variables(found)), repeat),
        "first call": min(row[1] for row in rows),
        "first call, CPU": min(row[3] for row in rows),
    }


def overheads(engine: JuliaEngine, repeat: int) -> dict[str, float]:
    case, ten = small_case(), {"a": np.zeros(10)}
    later = []
    for _ in range(100 * repeat):
        begun = time.perf_counter()
        inside = engine.call("run_case", case, None, 1)["seconds"].sum()
        later.append(time.perf_counter() - begun - inside)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None

        def ping() -> None:
            peer.stdin.write(b"x")  # type: ignore[union-attr]
            peer.stdout.read(1)  # type: ignore[union-attr]

        pipe = seconds(ping, 100 * repeat)
        peer.stdin.close()
    return {
        "later call": min(later),
        "later call, median": float(np.median(later)),
        "small call": seconds(lambda: engine.call("server.echo", ten), 100 * repeat),
        "bare pipe, one byte": pipe,
    }


def through_cat(data: memoryview) -> None:
    """Send bytes through a pipe to `cat` and read them back."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        stdin = peer.stdin

        def send() -> None:
            rest = data
            while rest:
                rest = rest[stdin.write(rest) :]
            stdin.close()

        sender = threading.Thread(target=send)
        sender.start()
        back = np.empty(len(data), np.uint8)
        at = 0
        while got := peer.stdout.readinto(memoryview(back)[at:]):  # type: ignore[attr-defined]
            at += got
        sender.join()


def transports(engine: JuliaEngine, megabytes: int, repeat: int) -> dict[str, float]:
    """GB/s of one direction: the bytes of an array, twice for both ways, over the time."""
    array = np.random.default_rng(1).random(megabytes * MEGABYTE // 8)
    size = array.nbytes / 1e9
    return {
        "there": size / seconds(lambda: engine.call("server.sizes", {"a": array}), repeat),
        "both ways": 2 * size / seconds(lambda: engine.call("server.echo", {"a": array}), repeat),
        "both ways, pipe": 2 * size / seconds(lambda: through_cat(memoryview(array.view(np.uint8))), repeat),
        "copy in memory": size / seconds(array.copy, repeat),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launcher", choices=("julia", "juliacall"))
    parser.add_argument("--megabytes", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    print(find_launch(chosen.launcher).julia, f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    result: dict[str, dict[str, float]] = {"s": start_ups(chosen.launcher, min(chosen.repeat, 3))}
    with JuliaEngine(threads=1, launcher=chosen.launcher) as engine:
        engine.call("run_case", small_case(), None, 1)
        small = overheads(engine, chosen.repeat)
        result["ms"] = {name: 1e3 * value for name, value in small.items()}
        for megabytes in (4, chosen.megabytes):
            speeds = transports(engine, megabytes, chosen.repeat)
            result["GB/s"] = result.get("GB/s", {}) | {f"{name}, {megabytes} MiB": v for name, v in speeds.items()}
    for unit, values in result.items():
        for name, value in values.items():
            print(f"{name:<32} {value:10.3f} {unit}")
    print(
        f"\nfirst call over the bar: {result['s']['first call'] / 5.0:.2f}; later call: {result['ms']['later call']:.2f}"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
