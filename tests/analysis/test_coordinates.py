"""Analyses in transformed coordinates of the state."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.coordinates import InCoordinates
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.esmda import ESMDA
from seisflow.analysis.transform import LevelSetSaturation, NormalScore, Relative
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

M, SHAPE = 21, (12, 9)
LEVEL_SET = {"saturation": LevelSetSaturation()}


def plumes(rng) -> Ensemble:
    """Discs of CO2 about the middle, of different places and sizes; pressures around 100 bar."""
    x, z = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    centre = rng.normal([5.5, 4.0], 1.0, (M, 2))
    distance = np.hypot(x - centre[:, :1, None], z - centre[:, 1:, None])
    saturation = np.clip(0.9 - 0.25 * distance, 0, 0.9)
    return Ensemble({"saturation": saturation, "pressure": 1e7 + 1e5 * rng.standard_normal((M, *SHAPE))}, 3.0)


def observe(ensemble: Ensemble) -> Ensemble:
    return Ensemble({"log": ensemble["saturation"][:, 5]}, ensemble.time)


def evidence(forecast: Ensemble, rng, variance: float = 0.01, operator=None) -> Evidence:
    truth = observe(plumes(rng).members([0]))
    return Evidence(observe(forecast), truth, DiagonalCovariance(np.full(SHAPE[1], variance)), operator)


def test_that_the_identity_changes_nothing(rng):
    forecast = plumes(rng)
    data = evidence(forecast, rng)
    plain = EnKF().update(forecast, data, np.random.default_rng(1))
    same = InCoordinates(EnKF(), {"saturation": Relative(), "pressure": Relative()})
    found = same.update(forecast, data, np.random.default_rng(1))
    for name in forecast.names:
        np.testing.assert_array_equal(found.ensemble[name], plain.ensemble[name])
    assert found.statistics == plain.statistics
    assert same.name == "enkf"


def test_that_every_member_of_a_level_set_is_possible_and_fields_without_a_map_are_updated_as_they_are(rng):
    forecast = plumes(rng)
    data = evidence(forecast, rng)
    found = InCoordinates(EnKF(), LEVEL_SET).update(forecast, data, np.random.default_rng(1)).ensemble
    assert found["saturation"].min() == 0.0
    assert found["saturation"].max() <= 0.9
    assert not np.array_equal(found["saturation"], forecast["saturation"])
    # Without bounds the plain update leaves the range: what the coordinates are for.
    plain = EnKF().update(forecast, data, np.random.default_rng(1)).ensemble
    assert plain["saturation"].min() < -0.01
    np.testing.assert_array_equal(found["pressure"], plain["pressure"])
    assert found.time == 3.0


@pytest.mark.parametrize(
    "saturation", [LevelSetSaturation(), NormalScore(LevelSetSaturation())], ids=["level", "score"]
)
def test_that_uninformative_data_give_back_the_forecast(saturation, rng):
    forecast = plumes(rng)
    analysis = InCoordinates(EnKF(), {"saturation": saturation})
    found = analysis.update(forecast, evidence(forecast, rng, 1e12), np.random.default_rng(1)).ensemble
    # The level set takes saturations below its threshold of 1e-3 for dry; gains are of order 1e-12, errors of 1e6.
    np.testing.assert_allclose(found["saturation"], forecast["saturation"], atol=2e-3)


def test_that_an_operator_sees_physical_fields(rng):
    forecast, seen = plumes(rng), []

    def operator(ensemble: Ensemble) -> Ensemble:
        seen.append((ensemble["saturation"].min(), ensemble["saturation"].max()))
        return observe(ensemble)

    smoother = ESMDA((2.0, 2.0), ("saturation",))
    InCoordinates(smoother, LEVEL_SET).update(forecast, evidence(forecast, rng, operator=operator), rng)
    assert len(seen) == 1
    assert seen[0][0] >= 0
    assert seen[0][1] <= 0.9


def test_that_a_missing_field_is_named(rng):
    forecast = plumes(rng).select(["pressure"])
    data = Evidence(forecast, forecast.members([0]), DiagonalCovariance(np.ones(np.prod(SHAPE))))
    with pytest.raises(InputError, match="saturation"):
        InCoordinates(EnKF(), LEVEL_SET).update(forecast, data, rng)


def test_that_normal_scores_are_normal_and_turn_back(rng):
    values = np.exp(rng.standard_normal((400, 2, 3)))
    score = NormalScore(Relative()).fit(values)
    u = score.forward(values)
    # Quantiles of N(0, 1) at (i − ½)/400, whatever the law of the values: variance 1 up to the missing tails, 2 %.
    np.testing.assert_allclose(u.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(u.std(axis=0), 1, atol=0.02)
    np.testing.assert_allclose(score.inverse(u), values, rtol=1e-8)
    # Beyond the members it goes on, upwards and downwards, and turns back.
    outside = np.stack([values.min(axis=0) - 0.5, values.max(axis=0) + 3.0])
    np.testing.assert_allclose(score.inverse(score.forward(outside)), outside, rtol=1e-8)
    with pytest.raises(InputError, match="knots"):
        NormalScore(Relative()).forward(values)
