r"""TwoPhaseFlow beside OPM Flow: the same cases, the same steps, both judged and timed in one run.

    python benchmarks/flow_vs_opm.py [--case NAME ...] [--steps N] [--repeat R] [--opm-python PYTHON] [--json FILE]

For each case (`flow_cases.py`) OPM runs its deck (`opm_deck.py`) in a process of its own (`opm_run.py`), then the Julia
package takes the same steps, and then steps of its own choice (all defaults; on the line none longer than two of the
prescribed ones). Printed are

    max|ΔS|, mean|ΔS|   saturation, the latter over cells with S > 0.001 in either; largest over the report times
    max|Δp|             of brine and of CO2 [Pa]
    mass                relative difference of the CO2 in place; and each code's own error of the CO2 balance
    Newton, ms          iterations (OPM counts as we do: solved linear systems) and CPU time per iteration
    CPU s               user and system time of the stepping, smallest of R repetitions. OPM: of its process during its
                        steps, without start-up and reading of the deck. Ours: of the Julia process during the whole
                        call, set-up of the model included, after a call of two steps that compiled everything.

One thread each. OPM's Python packages (`pip install 'seisflow[opm]'`) may live in another environment: --opm-python.
The exit status is 1 when a bar is missed: equal steps max|ΔS| < 1e-5, max|Δp| < 50 Pa, mass 1e-4; own steps
mean|ΔS| < 0.01.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from flow_cases import CASES, FlowCase, flow_case, tiny_case, welge
from numpy.typing import NDArray
from opm_deck import deck

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import Trajectory, TwoPhaseFlow
from seisflow.errors import SimulationError

BARS = {"max_dS": 1e-5, "max_dp_brine": 50.0, "max_dp_co2": 50.0, "mass_difference": 1e-4}
"""Largest differences at equal steps."""
OWN_STEPS_BAR = 0.01
"""Largest mean difference of saturation when ours chooses its steps."""
WET = 1e-3


def run_opm(flow: TwoPhaseFlow, case: FlowCase, python: str, repeat: int) -> dict[str, Any]:
    """OPM's results, arrays with the grid's axes after that of the report times; CPU time: the smallest."""
    text = deck(flow, case.permeability, flow.initial_state(1), case.ends)
    script = Path(__file__).with_name("opm_run.py")
    with tempfile.TemporaryDirectory(prefix="flow_vs_opm_") as folder:
        file, stored = Path(folder, "CASE.DATA"), Path(folder, "result.npz")
        file.write_text(text)
        command = [python, str(script), str(file), str(stored), *map(str, case.reports)]
        seconds = []
        for _ in range(repeat):
            done = subprocess.run(
                command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, errors="replace"
            )
            if "No module named 'opm'" in done.stderr:
                remedy = "pip install 'seisflow[opm]', or name an interpreter that has it with --opm-python"
                raise SystemExit(f"{python} has no package opm: {remedy}")
            if done.returncode:
                raise SimulationError(f"OPM ended with status {done.returncode}.\n" + "\n".join(
                    (done.stdout + done.stderr).splitlines()[-20:]))  # fmt: skip
            with np.load(stored) as archive:
                result = dict(archive)
            seconds.append(float(result["cpu"]))
    fields = ("saturation", "co2_pressure", "brine_pressure", "co2_density", "brine_density")
    for name in fields:
        result[name] = np.stack([row.reshape(flow.grid.shape[::-1]).T for row in result[name]])
    return {**result, "cpu": min(seconds), "newton": int(result["newton"].sum()), "linear": int(result["linear"].sum())}


def run_ours(flow: TwoPhaseFlow, case: FlowCase, engine: JuliaEngine, repeat: int) -> tuple[Trajectory, float]:
    """Our trajectory at the report times, and the smallest CPU time of the Julia process."""
    seconds = []
    for _ in range(repeat):
        before = _cpu(engine)
        trajectory = flow.forward(case.permeability[None], case.times)
        seconds.append(_cpu(engine) - before)
    report = trajectory.reports[0]
    if not report.converged:
        raise SimulationError(f"{case.name}: {report.reason}")
    return trajectory, min(seconds)


def _cpu(engine: JuliaEngine) -> float:
    times = psutil.Process(engine.pid).cpu_times()
    return times.user + times.system


def differences(flow: TwoPhaseFlow, ours: Trajectory, opm: dict[str, Any]) -> dict[str, float]:
    """Differences between both at the report times."""
    S, S_opm = ours.saturation[0], opm["saturation"]
    change = np.abs(S - S_opm)
    wet = np.maximum(S, S_opm) > WET
    mass_opm = (flow.rock.capacity(flow.grid) * opm["co2_density"] * S_opm).reshape(len(S_opm), -1).sum(axis=1)
    injected = ours.co2_injected[0]
    limited = any(well.pressure_limit is not None for well in flow.wells)  # then OPM does not say what it injected
    return {
        "max_dS": float(change.max()),
        "mean_dS": float(max(change[k][wet[k]].mean() if wet[k].any() else 0.0 for k in range(len(S)))),
        "max_dp_brine": float(np.abs(ours.pressure[0] - opm["brine_pressure"]).max()),
        "max_dp_co2": float(np.abs(ours.co2_pressure[0] - opm["co2_pressure"]).max()),
        "mass_difference": float(np.abs(ours.co2_mass[0] / mass_opm - 1).max()),
        "mass_ours": float(ours.co2_mass[0, -1]),
        "mass_opm": float(mass_opm[-1]),
        "balance_ours": float(np.abs(ours.co2_error[0] / injected).max()),
        "balance_opm": math.nan if limited else float(np.abs(mass_opm / injected - 1).max()),
    }


def against_welge(case: FlowCase, saturations: dict[str, NDArray]) -> dict[str, dict[str, float]]:
    """Mean error over cells with CO2 in either, and relative error of the front's place, of every solution."""
    exact, place = welge(case)
    errors = {}
    for name, field in saturations.items():
        S = field.ravel()
        wet = np.maximum(S, exact) > WET
        half = 0.5 * exact[exact > 0].min()
        last = int(np.flatnonzero(half < S)[-1])
        x = last + 0.5 + (S[last] - half) / (S[last] - S[last + 1])  # cells of 1 m
        errors[name] = {"mean_dS": float(np.abs(S - exact)[wet].mean()), "front": x / place - 1}
    return errors


def compare(case: FlowCase, engine: JuliaEngine, python: str, repeat: int, small_steps: bool) -> dict[str, Any]:
    """Everything about one case."""
    flow, own_flow, tiny = case.flow(engine), case.flow(engine, prescribed=False), tiny_case(case)
    opm = run_opm(flow, case, python, repeat)
    for prescribed in (True, False):
        run_ours(tiny.flow(engine, prescribed=prescribed), tiny, engine, 1)
    ours, ours_cpu = run_ours(flow, case, engine, repeat)
    own, own_cpu = run_ours(own_flow, case, engine, repeat)
    result = {
        "case": case.name,
        "cells": int(np.prod(flow.grid.shape)),
        "steps": len(case.ends),
        "equal_steps": differences(flow, ours, opm),
        "own_steps": differences(flow, own, opm),
        "opm": {"cpu": opm["cpu"], "newton": opm["newton"], "linear": opm["linear"], "steps": len(case.ends)},
        "ours": _effort(ours, ours_cpu),
        "ours_own_steps": _effort(own, own_cpu),
    }
    if case.name == "buckley_leverett":
        result["exact"] = against_welge(case, {"ours": ours.saturation[0, -1], "opm": opm["saturation"][-1]})
    return {**result, "missed": missed(result, small_steps)}


def _effort(trajectory: Trajectory, cpu: float) -> dict[str, float]:
    report = trajectory.reports[0]
    return {
        "cpu": cpu,
        "newton": report.newton_iterations,
        "linear": report.linear_iterations,
        "steps": report.steps,
        "cuts": report.cuts,
    }


def missed(result: dict[str, Any], small_steps: bool) -> list[str]:
    """The bars that a case misses; own steps are judged when the prescribed ones are small against the whole time."""
    equal, own = result["equal_steps"], result["own_steps"]
    over = [f"{key} {equal[key]:.2g} > {bar:g}" for key, bar in BARS.items() if not equal[key] < bar]
    if small_steps and not own["mean_dS"] < OWN_STEPS_BAR:
        over.append(f"own steps: mean_dS {own['mean_dS']:.2g} > {OWN_STEPS_BAR:g}")
    return over


def show(result: dict[str, Any]) -> None:
    """Print one case."""
    print(f"\n{result['case']}: {result['cells']} cells, {result['steps']} prescribed steps")
    for name, title in (("equal_steps", "equal steps"), ("own_steps", "own steps")):
        d = result[name]
        print(
            f"  {title:12s} max|dS| {d['max_dS']:.2e}  mean|dS| {d['mean_dS']:.2e}  max|dp| brine {d['max_dp_brine']:.3g}"
            f", CO2 {d['max_dp_co2']:.3g} Pa  mass {d['mass_difference']:.1e}"
            f"  balance ours {d['balance_ours']:.1e}, OPM {d['balance_opm']:.1e}"
        )
    print(
        f"  plume        ours {result['equal_steps']['mass_ours']:.9e} kg, OPM {result['equal_steps']['mass_opm']:.9e} kg"
    )
    for name, title in (("opm", "OPM"), ("ours", "ours"), ("ours_own_steps", "ours, own")):
        e = result[name]
        print(
            f"  {title:12s} {e['cpu']:7.2f} CPU s  {e['steps']:4d} steps  {e['newton']:5d} Newton, {e['linear']:6d} linear"
            f"  {1e3 * e['cpu'] / e['newton']:.2f} ms per Newton  {e['cpu'] / result['opm']['cpu']:.3f} of OPM's time"
        )
    for name, e in result.get("exact", {}).items():
        print(f"  Welge, {name:5s} mean|dS| {e['mean_dS']:.4f}  front {e['front']:+.2%}")
    print("  " + ("missed: " + "; ".join(result["missed"]) if result["missed"] else "all bars are met"), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument(
        "--steps", type=int, help="take N steps, 4 or more, instead of all; own steps are not judged then"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, of which the fastest counts")
    parser.add_argument("--opm-python", default=sys.executable, help="interpreter that has opm and opm-simulators")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    if arguments.steps is not None and arguments.steps < 4:
        parser.error(f"--steps {arguments.steps}: give 4 or more")
    results = []
    with JuliaEngine(threads=1) as engine:
        for name in arguments.case:
            case, small = flow_case(name, arguments.steps), arguments.steps is None
            results.append(compare(case, engine, arguments.opm_python, arguments.repeat, small))
            show(results[-1])
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1))
    return int(any(result["missed"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
