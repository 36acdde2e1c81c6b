"""An analysis without CO2 from nowhere."""

from dataclasses import dataclass

import numpy as np
import pytest

from seisflow.analysis.base import Analysis, Evidence, Posterior
from seisflow.analysis.connected import Connected
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble

SHAPE = (6, 8)
SOURCE = np.zeros(SHAPE, bool)
SOURCE[1, 1] = True


@dataclass(frozen=True, eq=False)
class Given(Analysis):
    """Says what it was told to say."""

    saturation: np.ndarray
    name: str = "given"

    def update(self, forecast, evidence, generator, progress=None):
        ensemble = forecast.replace(saturation=self.saturation)
        return Posterior(ensemble, {"own": 1}, {"w": np.ones(1)}, np.arange(3.0))


def update(after, before):
    forecast = Ensemble({"saturation": before, "pressure": np.ones_like(before)}, 7.0)
    data = Ensemble({"y": np.zeros((len(before), 1))})
    evidence = Evidence(data, data.members([0]), DiagonalCovariance(np.ones(1)))
    return Connected(Given(after), SOURCE).update(forecast, evidence, np.random.default_rng(0))


def test_that_bodies_from_nowhere_are_taken_out_and_all_else_stays():
    before, after = np.zeros((2, 3, *SHAPE))
    before[2, 4, 2] = 0.3  # one member wets it: a body of any member may be there
    after[0, 1, 1:3], after[0, 4, 6] = 0.5, 0.1  # the plume at the injector, and a ghost
    after[1, 3, 2], after[1, 4, 3] = 0.2, 0.2  # each touches the cell of member 2 by a face
    after[2, 2, 2] = 1e-9  # touches the injector by a corner alone: wet is wet, and no CO2 passes a corner
    found = update(after, before)
    expected = after.copy()
    expected[0, 4, 6] = expected[2, 2, 2] = 0.0
    np.testing.assert_array_equal(found.ensemble["saturation"], expected)
    assert found.ensemble["pressure"] is not None
    assert found.ensemble.time == 7.0
    assert found.statistics["own"] == 1
    assert found.statistics["members_with_ghosts"] == 2
    assert found.statistics["ghost_share_removed"] == pytest.approx((0.1 + 1e-9) / after.sum())
    assert found.weights["w"] == np.ones(1)
    assert found.mean is None  # it was that of members with ghosts


def test_that_members_without_ghosts_are_the_very_same():
    before, after = np.zeros((2, 2, *SHAPE))
    after[:, 1, 1:4] = 0.4
    found = update(after, before)
    np.testing.assert_array_equal(found.ensemble["saturation"], after)
    np.testing.assert_array_equal(found.mean, np.arange(3.0))
    assert Connected(Given(after), SOURCE).name == "given"
