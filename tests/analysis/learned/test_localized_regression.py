"""The localised regression as an analysis: possible plumes, other fields untouched, wrong use refused."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.learned.localized_regression import LocalizedRegressionAnalysis
from seisflow.analysis.transform import LevelSetSaturation, Relative, StateTransform
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from tests.analysis.learned.test_localized_guess import AXES, GRID, IMAGE, M, fields


def test_that_posterior_members_are_possible_plumes_and_fields_that_are_not_inferred_pass():
    rng = np.random.default_rng(4)
    x, z = np.meshgrid(np.arange(12), np.arange(11), indexing="ij")
    centre = rng.normal([6, 5], 1.5, (M + 1, 2))
    distance = np.hypot(x - centre[:, :1, None], z - centre[:, 1:, None])
    S = np.clip(0.9 - 0.2 * distance, 0, 0.9)
    forecast = Ensemble({"saturation": S[1:], "pressure": 1e7 + 1e5 * S[1:], "rate": np.arange(M)}, 9.0)
    noise = DiagonalCovariance(np.full(GRID.size, 0.01))
    observed = Ensemble({"image": S[:1] + 0.1 * rng.standard_normal(S[:1].shape)})
    transform = StateTransform({"saturation": LevelSetSaturation(), "pressure": Relative(1e7)})
    analysis = LocalizedRegressionAnalysis(AXES, IMAGE, transform)
    kept = {name: array.copy() for name, array in forecast.fields.items()}
    posterior = analysis.update(forecast, Evidence(Ensemble({"image": S[1:]}), observed, noise), rng)
    after = posterior.ensemble
    for name, array in kept.items():
        np.testing.assert_array_equal(forecast[name], array)
    np.testing.assert_array_equal(after["rate"], np.arange(M))
    assert after.time == 9.0
    assert after["saturation"].min() >= 0
    assert after["saturation"].max() <= 0.9
    before = np.sqrt(((forecast["saturation"].mean(axis=0) - S[0]) ** 2).mean())
    assert np.sqrt(((after["saturation"].mean(axis=0) - S[0]) ** 2).mean()) < 0.5 * before
    assert after["saturation"].std(axis=0).mean() < forecast["saturation"].std(axis=0).mean()


def test_that_too_few_members_and_unknown_data_are_refused(rng):
    analysis = LocalizedRegressionAnalysis(AXES, IMAGE, StateTransform({"x": Relative()}))
    few = Ensemble({"x": fields(5, rng)[:, 0]})
    data = Evidence(
        Ensemble({"log": few["x"]}), Ensemble({"log": few["x"][:1]}), DiagonalCovariance(np.ones(GRID.size))
    )
    with pytest.raises(InputError, match="members"):
        analysis.update(few, data, rng)
    many = Ensemble({"x": fields(9, rng)[:, 0]})
    data = Evidence(
        Ensemble({"log": many["x"]}), Ensemble({"log": few["x"][:1]}), DiagonalCovariance(np.ones(GRID.size))
    )
    with pytest.raises(InputError, match="log"):
        analysis.update(many, data, rng)
