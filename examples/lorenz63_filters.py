"""Four filters on Lorenz-63, and what they reach: seconds.

    python examples/lorenz63_filters.py

The setting is that of Sakov, Oliver & Bertino 2012 (`seisflow/testbeds/lorenz63_sakov2012.py`, with all scores); here one
seed and 400 data in place of three and 1000.
"""

import numpy as np

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.diagnostics import rank_histogram, rank_test
from seisflow.testbeds.lorenz63_sakov2012 import experiment

twin_experiment = experiment(cycles=400)
twin = twin_experiment.simulate(seed=1)
chosen = {
    "open loop, 10 members": (OpenLoop(), 10),
    "EnKF, 10 members": (EnKF(None, 1.04), 10),
    "ETKF with rotation, 10 members": (ETKF(adjustments=(Inflation(1.02), Rotation())), 10),
    "EnKF, 99 members": (EnKF(None, 1.01), 99),
}
print(f"{'':32s}{'rmse':>7s}{'spread':>8s}{'CRPS':>7s}{'p of flat ranks':>17s}")
for name, (analysis, members) in chosen.items():
    scores = twin_experiment.run(analysis, members, seed=1, twin=twin)
    # Every eighth cycle, two time units: ranks of neighbouring cycles are not independent.
    thinned = scores.ranks[scores.counted][::8]
    bins = 11 if members == 10 else 10
    p = rank_test(rank_histogram(thinned, members, bins))[1]
    print(f"{name:32s}{scores.mean():7.2f}{scores.mean('spread'):8.2f}{scores.mean('crps'):7.2f}{p:17.2g}")
    assert np.isfinite(scores.mean())
