"""Localisation on Lorenz-96: 7 members do with it nearly what 20 do without. Seconds.

    python examples/lorenz96_filters.py

The setting is that of Sakov & Oke 2008 (`seisflow/testbeds/lorenz96_sakov2008.py`, with all scores); here one seed.
"""

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.testbeds.lorenz96_sakov2008 import experiment, local_domains

twin_experiment = experiment(cycles=1000)
twin = twin_experiment.simulate(seed=1)
adjustments = (Inflation(1.04), Rotation())
chosen = {
    "EnKF, 40 members": (EnKF(None, 1.06), 40),
    "ETKF, 20 members": (ETKF(adjustments=adjustments), 20),
    "ETKF, 7 members": (ETKF(adjustments=adjustments), 7),
    "LETKF, 7 members, radius 4": (LETKF(local_domains(twin_experiment, 4.0), adjustments=adjustments), 7),
}
for name, (analysis, members) in chosen.items():
    scores = twin_experiment.run(analysis, members, seed=1, twin=twin)
    print(f"{name:28s} rmse {scores.mean():.2f}   spread {scores.mean('spread'):.2f}   {scores.seconds:.1f} s")
