"""What the loop and the store cost beside the stages themselves: time, bytes, resuming, memory.

    python benchmarks/engine_overhead.py [--members 64] [--sizes 64 256 1024] [--workers 2] [--folder DIR] [--json FILE]

The study is `examples/compass_small.toml` with two surveys and wells only (no waves: cheap stages make the overhead look
large); with `--waves`, seismic data too. Printed:

    overhead    wall time of a run beside the time inside the bare stage calls (draws of the prior, flow, data, analysis),
                which the same run measures: load of the machine falls on both. Figures and scores are not part of it
    bytes       on the disk per member and stage, beside the arrays' own
    resume      opening and verifying every stage of the finished run, per gigabyte; a whole `run_study` on it, with figures
    memory      peak of this process' own (anonymous) memory while ensembles of several sizes run, each in a process of its
                own, above that before the loop: forecast alone, and with data and the EnKF; beside all arrays of the run.
                Surveys at days 20 and 40 here: memory does not depend on how long members flow
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seisflow.assimilation.executors import LocalWorkers
from seisflow.assimilation.loop import assimilate
from seisflow.assimilation.scenario import simulate_truth
from seisflow.runner import run_study
from seisflow.runs.folder import open_store
from seisflow.storage.store import Store
from seisflow.study import Study, load_study
from seisflow.study.build import build, build_analysis

EXAMPLE = Path(__file__).parents[1] / "examples" / "compass_small.toml"


def study(members: int, method: str, waves: bool = False, days: tuple[float, float] = (480.0, 960.0)) -> Study:
    modalities = ["seismic", "wells"] if waves else ["wells"]
    changes = {"methods": [method], "surveys": {"days": list(days), "modalities": modalities}}
    return load_study(EXAMPLE).changed(ensemble={"members": members}, **changes)


class Inside:
    """Wall time inside some calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.seconds += time.perf_counter() - begin

        return call


def loop(chosen: Study, folder: Path, workers: int) -> dict[str, float]:
    """One method's loop into a folder: seconds of it, and of the bare calls inside; peak memory above the start."""
    with build(chosen, workers) as parts:
        scenario = parts.scenario
        store = open_store(chosen, folder, parts.scenario.observation.data)
        _, observed = simulate_truth(scenario, store)  # starts the engines, too
        analysis, inside = build_analysis(chosen, chosen.methods[0], parts), Inside()
        _ = scenario.observation.noise
        for owner, name in (
            (scenario.prior, "draw"),
            (scenario.dynamics, "advance"),
            (scenario.observation, "predict"),
            (analysis, "update"),
        ):
            object.__setattr__(owner, name, inside.timed(getattr(owner, name)))
        with Memory() as memory:
            begin = time.perf_counter()
            assimilate(scenario, observed, analysis, store, workers=LocalWorkers(workers))
            seconds = time.perf_counter() - begin
    return {"seconds": seconds, "inside": inside.seconds, "memory_MB": memory.above_MB}


class Memory:
    """The largest anonymous memory of this process above that at the start, looked at 50 times a second."""

    def __enter__(self) -> Memory:
        self._before = self._peak = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def above_MB(self) -> float:  # noqa: N802
        return (self._peak - self._before) / 1024

    @staticmethod
    def _now() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._peak = max(self._peak, self._now())


def bytes_of(folder: Path) -> dict[str, float]:
    store = Store(folder, readonly=True)
    ensembles = [stage for stage in map(store.find, store.names()) if stage and stage.ensemble.size > 1]
    arrays = sum(array.nbytes for stage in ensembles for array in stage.ensemble.fields.values())
    files = sum(p.stat().st_size for stage in ensembles if stage.folder for p in stage.folder.rglob("*") if p.is_file())
    members = sum(stage.ensemble.size for stage in ensembles)
    return {"stages": len(ensembles), "arrays_MB": arrays / 1e6, "per_member": files / members, "own": arrays / members}


def resume(chosen: Study, folder: Path, workers: int) -> dict[str, float]:
    begin = time.perf_counter()
    store = Store(folder, readonly=True)
    for name in store.names():
        store.find(name)
    opened = time.perf_counter() - begin
    begin = time.perf_counter()
    run_study(chosen, folder, False, workers)
    first = time.perf_counter() - begin
    begin = time.perf_counter()
    run_study(chosen, folder, False, workers)
    return {"open_and_verify": opened, "finish": first, "again": time.perf_counter() - begin}


def memory_of(sizes: list[int], workers: int, folder: Path) -> list[dict[str, float]]:
    rows = []
    for members in sizes:
        row: dict[str, float] = {"members": members}
        for method in ("open_loop", "enkf"):
            # The open loop asks for no data: the first survey's are those of the EnKF.
            command = [
                sys.executable,
                __file__,
                "--child",
                method,
                "--members",
                str(members),
                "--workers",
                str(workers),
            ]
            out = subprocess.run([*command, "--folder", str(folder)], capture_output=True, text=True, check=True).stdout
            found = json.loads(out.splitlines()[-1])
            row |= {f"{method}_{key}": value for key, value in found.items()}
        rows.append(row)
    return rows


def time_and_bytes(chosen: Study, folder: Path, workers: int) -> dict[str, Any]:
    told: dict[str, Any] = {"overhead": loop(chosen, folder, workers)}
    seconds, inside = told["overhead"]["seconds"], told["overhead"]["inside"]
    print(f"overhead: {seconds:.2f} s, {inside:.2f} s of them in bare stage calls: {seconds / inside - 1:.1%}")
    told["bytes"] = bytes_of(folder)
    print("bytes a member and stage: {per_member:.0f}, its arrays {own:.0f}".format(**told["bytes"]))
    told["resume"] = resume(chosen, folder, workers)
    rate = told["resume"]["open_and_verify"] / told["bytes"]["arrays_MB"] * 1e3
    print("resume: {open_and_verify:.3f} s to open and verify".format(**told["resume"]), f"({rate:.1f} s/GB),", end=" ")
    print("{again:.1f} s for the whole command on a finished run".format(**told["resume"]))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 256, 1024])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--waves", action="store_true")
    parser.add_argument("--folder", type=Path, help="where runs are written (a temporary folder inside)")
    parser.add_argument("--only-memory", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary) / "run"
        if options.child:
            found = loop(study(options.members, options.child, days=(20.0, 40.0)), folder, options.workers)
            print(json.dumps(found | {"arrays_MB": bytes_of(folder)["arrays_MB"]}))
            return
        told: dict[str, Any] = {}
        if not options.only_memory:
            told |= time_and_bytes(study(options.members, "enkf", options.waves), folder, options.workers)
        told["memory"] = memory_of(options.sizes, options.workers, Path(temporary))
        print(
            "| members | arrays of the run [MB] | forecast alone [MB] | with data and EnKF [MB] |\n|---:|---:|---:|---:|"
        )
        for row in told["memory"]:
            print(f"| {row['members']} | {row['enkf_arrays_MB']:.0f}", end=" | ")
            print(f"{row['open_loop_memory_MB']:.0f} | {row['enkf_memory_MB']:.0f} |")
        if options.json:
            options.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
