"""Runs one OPM deck, and nothing else: OPM allows one simulator object per process, so this is a program of its own.

    python opm_run.py CASE.DATA RESULT.npz STEP [STEP ...]

It takes the steps of the deck, no others, to tight tolerances, and stores the state after the steps whose numbers
(from 1) are given. Needs the Python packages `opm` and `opm-simulators`, not seisflow. The result holds, per reported
step and cell with x running fastest, `saturation` (CO2), `co2_pressure`, `brine_pressure` [Pa], `co2_density`,
`brine_density` [kg/m³]; and of all steps `newton`, `linear` (iterations), `step_cpu`, `cpu` (CPU seconds of the
stepping: user and system, without start-up and reading of the deck) and `wall`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from opm.simulators import GasWaterSimulator

OPTIONS = [
    "--enable-adaptive-time-stepping=false",  # the steps are those of the deck
    "--newton-max-iterations=40",
    "--tolerance-cnv=1e-7",
    "--tolerance-cnv-relaxed=1e-7",
    "--tolerance-mb=1e-13",
    "--tolerance-mb-relaxed=1e-13",
    "--relaxed-max-pv-fraction=0",  # else huge edge cells excuse any error in the others
    "--tolerance-wells=1e-10",
    "--linear-solver-reduction=1e-6",
    "--enable-drift-compensation=false",  # it would move a step's residual to the next step's source
    "--threads-per-process=1",
    "--enable-vtk-output=false",
    "--enable-ecl-output=false",
    "--output-extra-convergence-info=steps",
]


def run(deck: Path, result: Path, reports: list[int], options: list[str]) -> None:
    """Take all steps of the deck and store the states after the reported ones."""
    simulator = GasWaterSimulator(str(deck), args=[*OPTIONS, f"--output-dir={deck.parent}", *options])
    simulator.setup_mpi(True, True)
    simulator.step_init()
    wanted = {"saturation": "Sg", "co2_pressure": "pg", "brine_pressure": "pw", "co2_density": "rho_g",
              "brine_density": "rho_w"}  # fmt: skip
    states: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    cpu, wall, step_cpu = 0.0, 0.0, []
    while not simulator.check_simulation_finished():
        begun, begun_wall = time.process_time(), time.perf_counter()
        simulator.step()
        step_cpu.append(time.process_time() - begun)
        cpu += step_cpu[-1]
        wall += time.perf_counter() - begun_wall
        if len(step_cpu) in reports:
            for name, variable in wanted.items():
                states[name].append(simulator.get_fluidstate_variable(variable))
    simulator.step_cleanup()
    lines = [line.split() for line in deck.with_suffix(".INFOSTEP").read_text().splitlines() if line.strip()]
    columns = {name.split("(")[0]: i for i, name in enumerate(lines[0])}
    counts = {key: [int(float(line[columns[name]])) for line in lines[1:]] for key, name in
              (("newton", "NewtIt"), ("linear", "LinIt"))}  # fmt: skip
    np.savez(result, cpu=cpu, wall=wall, step_cpu=step_cpu, **counts, **{k: np.array(v) for k, v in states.items()})


if __name__ == "__main__":
    numbers = [a for a in sys.argv[3:] if not a.startswith("--")]
    run(
        Path(sys.argv[1]), Path(sys.argv[2]), [int(n) for n in numbers], [a for a in sys.argv[3:] if a.startswith("--")]
    )
