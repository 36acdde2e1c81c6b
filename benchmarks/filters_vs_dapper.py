"""DAPPER itself beside this package in one run: Lorenz-96, 40 variables, every step observed, EnKF, ETKF and LETKF.

    pip install seisflow[dapper]            # DAPPER 1.7.1; it pins old packages, so an environment of its own is best
    python benchmarks/filters_vs_dapper.py [--cycles 1000] [--seeds 1 2 3] [--dapper-python /elsewhere/bin/python]

Both make their own truths and data from the same seeds of their own generators, with the same model, noise, start, burn-in
and score (rmse of the analysis); nothing is shared but the setting. Seconds are those of the whole assimilation of one run,
model included, truth and data not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

METHODS = {
    "EnKF N 40, inflation 1.06": "EnKF('PertObs', N=40, infl=1.06)",
    "ETKF N 24, 1.013, rotation": "EnKF('Sqrt', N=24, infl=1.013, rot=True)",
    "LETKF N 7, 1.04, radius 4, rotation": "LETKF(N=7, rot=True, infl=1.04, loc_rad=4)",
}
"""Label of our published line → the same in DAPPER's words."""

DAPPER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import dapper.da_methods as da
from dapper.mods.Lorenz96.sakov2008 import HMM
from dapper.tools.seeding import set_seed

call, seeds, cycles = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
HMM.tseq.Ko = cycles - 1
result = []
for seed in seeds:
    set_seed(seed)
    truth, data = HMM.simulate()
    method = eval(call, vars(da))
    begun = time.perf_counter()
    method.assimilate(HMM, truth, data, liveplots=False)
    seconds = time.perf_counter() - begun
    method.stats.average_in_time()
    result.append([float(method.avrgs.err.rms.a.val), seconds])
print("RESULT" + json.dumps(result))
"""


def theirs(python: str, call: str, seeds: list[int], cycles: int) -> list[list[float]]:
    """Score and seconds of DAPPER for every seed."""
    command = [python, "-c", DAPPER, call, json.dumps(seeds), str(cycles)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if "RESULT" not in finished.stdout:
        raise SystemExit(f"DAPPER did not run with {python}:\n{finished.stderr[-2000:]}")
    return json.loads(finished.stdout.split("RESULT")[1])


def ours(label: str, seeds: list[int], cycles: int) -> list[list[float]]:
    """Score and seconds of this package for every seed."""
    from seisflow.testbeds import lorenz96_sakov2008 as setting

    line = next(line for line in setting.SCORES if line.label == label)
    experiment = setting.experiment(cycles)
    analysis = line.analysis(experiment)
    result = []
    for seed in seeds:
        twin = experiment.simulate(seed)
        begun = time.perf_counter()
        scores = experiment.run(analysis, line.members, seed, twin)
        result.append([scores.mean(), time.perf_counter() - begun])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--dapper-python", default=sys.executable, help="interpreter that has DAPPER 1.7.1")
    arguments = parser.parse_args()
    print(f"Lorenz-96, {arguments.cycles} cycles, seeds {', '.join(map(str, arguments.seeds))}\n")
    print("| method | rmse, DAPPER | rmse, seisflow | s a run, DAPPER | s a run, seisflow |\n|---|---:|---:|---:|---:|")
    for label, call in METHODS.items():
        a = np.median(theirs(arguments.dapper_python, call, arguments.seeds, arguments.cycles), axis=0)
        b = np.median(ours(label, arguments.seeds, arguments.cycles), axis=0)
        print(f"| {label} | {a[0]:.3f} | {b[0]:.3f} | {a[1]:.2f} | {b[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
