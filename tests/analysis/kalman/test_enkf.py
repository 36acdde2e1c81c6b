import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.inflated_noise import InflatedNoise
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from tests.oracles import kalman


def problem(rng, M, D=4, d=2, noise=0.5):
    root = rng.standard_normal((D, D))
    P, mean = root @ root.T / D + 0.2 * np.eye(D), rng.standard_normal(D)
    H, R = rng.standard_normal((d, D)), noise * np.eye(d)
    x = rng.multivariate_normal(mean, P, size=M)
    y = rng.standard_normal(d)
    forecast, predicted = Ensemble({"x": x}), Ensemble({"y": x @ H.T})
    return mean, P, H, R, y, forecast, predicted


def test_that_mean_and_covariance_are_those_of_the_kalman_filter(rng):
    M, repeats = 1000, 4
    mean, P, H, R, y, _, _ = problem(rng, M)
    runs = []
    for _ in range(repeats):
        x = rng.multivariate_normal(mean, P, size=M)
        evidence = Evidence(Ensemble({"y": x @ H.T}), Ensemble({"y": y[None]}), DiagonalCovariance(np.diag(R)))
        runs.append(EnKF(fields=("x",)).update(Ensemble({"x": x}), evidence, rng).ensemble["x"])
    exact_mean, exact_cov = kalman(mean, P, H, R, y)
    # Monte-Carlo error of a mean of N members is at most sqrt(max var / N); the gain's sampling error is of the same
    # order, so 8 standard errors for the mean, and 8 sqrt(2/N) relative for the covariance.
    scale, N = np.diag(P).max(), M * repeats
    np.testing.assert_allclose(np.mean([x.mean(axis=0) for x in runs], axis=0), exact_mean, atol=8 * np.sqrt(scale / N))
    covariance = np.mean([np.cov(x.T) for x in runs], axis=0)
    np.testing.assert_allclose(covariance, exact_cov, atol=8 * np.sqrt(2 / N) * scale)


def test_that_uninformative_data_give_back_the_forecast(rng):
    *_, y, forecast, predicted = problem(rng, 37)
    posterior = EnKF(fields=("x",)).update(
        forecast, Evidence(predicted, Ensemble({"y": y[None]}), DiagonalCovariance(np.full(2, 1e12))), rng
    )
    # A gain of order 1e-12 times perturbations of order 1e6.
    np.testing.assert_allclose(posterior.ensemble["x"], forecast["x"], atol=1e-4)


def test_that_perfect_data_of_everything_are_taken_over(rng):
    x = rng.standard_normal((50, 3))
    y = np.array([[1.0, -2.0, 0.5]])
    posterior = EnKF(fields=("x",)).update(
        Ensemble({"x": x}), Evidence(Ensemble({"y": x}), Ensemble({"y": y}), DiagonalCovariance(np.full(3, 1e-10))), rng
    )
    # Noise of 1e-5 is what is left.
    np.testing.assert_allclose(posterior.ensemble["x"], np.broadcast_to(y, x.shape), atol=1e-3)


def test_that_inflation_scales_anomalies_and_leaves_the_mean(rng):
    arguments = problem(rng, 40)
    *_, y, forecast, predicted = arguments
    observed, noise = Ensemble({"y": y[None]}), DiagonalCovariance(np.full(2, 0.5))
    plain = (
        EnKF(fields=("x",))
        .update(forecast, Evidence(predicted, observed, noise), np.random.default_rng(3))
        .ensemble["x"]
    )
    wide = EnKF(fields=("x",), inflation=1.5).update(
        forecast, Evidence(predicted, observed, noise), np.random.default_rng(3)
    )
    np.testing.assert_allclose(wide.ensemble["x"].mean(axis=0), plain.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(wide.ensemble["x"].var(axis=0), 2.25 * plain.var(axis=0), rtol=1e-12)


def test_that_bounds_hold_inputs_stay_and_other_fields_are_carried_along(rng):
    S = np.clip(rng.normal(0.1, 0.3, (30, 5)), 0, 0.9)
    forecast = Ensemble({"saturation": S.copy(), "permeability": rng.standard_normal((30, 5))})
    predicted = Ensemble({"y": S[:, :2].copy()})
    posterior = EnKF(fields=("saturation",), bounds={"saturation": (0.0, 0.9)}).update(
        forecast,
        Evidence(predicted, Ensemble({"y": np.array([[0.9, 0.0]])}), DiagonalCovariance(np.full(2, 1e-4))),
        rng,
    )
    assert posterior.ensemble["saturation"].min() >= 0.0
    assert posterior.ensemble["saturation"].max() <= 0.9
    np.testing.assert_array_equal(posterior.ensemble["permeability"], forecast["permeability"])
    np.testing.assert_array_equal(forecast["saturation"], S)


def test_that_the_innovation_statistic_is_one_for_consistent_data(rng):
    values = []
    for _ in range(300):
        mean, P, H, R, _, forecast, predicted = problem(rng, 150)
        y = H @ rng.multivariate_normal(mean, P) + rng.standard_normal(2) * np.sqrt(np.diag(R))
        posterior = EnKF(fields=("x",)).update(
            forecast, Evidence(predicted, Ensemble({"y": y[None]}), DiagonalCovariance(np.diag(R))), rng
        )
        values.append(posterior.statistics["innovation_chi2"])
    # χ²₂/2 has standard deviation 1; the mean of 300 has 0.058; 4 of them. Covariances of 150 members add 2 %.
    assert abs(np.mean(values) - 1) < 4 / np.sqrt(300)


def test_that_the_open_loop_changes_nothing(rng):
    *_, y, forecast, predicted = problem(rng, 7)
    posterior = OpenLoop().update(
        forecast, Evidence(predicted, Ensemble({"y": y[None]}), DiagonalCovariance(np.ones(2))), rng
    )
    np.testing.assert_array_equal(posterior.ensemble["x"], forecast["x"])


def test_that_inflation_below_one_is_refused():
    with pytest.raises(InputError, match="inflation"):
        EnKF(inflation=0.9)


@pytest.mark.parametrize("factor", [0.9, np.inf, np.nan])
def test_that_a_factor_on_the_noise_below_one_is_refused(factor):
    with pytest.raises(InputError, match="noise_inflation"):
        InflatedNoise(EnKF(), factor)


def test_that_inflated_noise_makes_the_innovation_statistic_smaller(rng):
    _, _, _, _, y, forecast, predicted = problem(rng, 300)
    far = Evidence(predicted, Ensemble({"y": y[None] + 30}), DiagonalCovariance(np.full(2, 0.5)))  # far from any member
    values = [
        analysis.update(forecast, far, np.random.default_rng(0)).statistics["innovation_chi2"]
        for analysis in (EnKF(fields=("x",)), InflatedNoise(EnKF(fields=("x",)), 1000.0))
    ]
    assert values[0] > 10
    assert values[1] < 3
