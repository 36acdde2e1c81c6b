"""A small twin experiment whole, for the tests of executors and clusters."""

from __future__ import annotations

import numpy as np

from seisflow.analysis.kalman.enkf import EnKF
from seisflow.assimilation.executors import Workers
from seisflow.assimilation.loop import assimilate
from seisflow.assimilation.scenario import Scenario, simulate_truth
from seisflow.storage.recorder import Recorder

MEMBERS = 13


def whole(scenario: Scenario, recorder: Recorder, workers: Workers | None = None, **options) -> dict[str, np.ndarray]:
    """Truth, data and two surveys of a filter; all arrays."""
    _, observed = simulate_truth(scenario, recorder)
    steps = assimilate(scenario, observed, EnKF(), recorder, workers=workers, **options)
    stages = [stage for step in steps for stage in (step.forecast, step.predicted, step.posterior)]
    return {f"{i}/{name}": np.array(s.ensemble[name]) for i, s in enumerate(stages) for name in s.ensemble.names}


def same(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    assert set(expected) == set(found)
    for name, array in expected.items():
        np.testing.assert_array_equal(array, found[name], err_msg=name)
