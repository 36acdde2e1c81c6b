import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.particle.ensemble_transform import (
    EnsembleTransform,
    second_order_correction,
    squared_distances,
    transport_plan,
)
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from tests.oracles import kalman

pytest.importorskip("ot", reason="the transport plans come from POT, an optional extra")


def weighted_moments(x, y, variance):
    w = np.exp(-0.5 * ((y - x[:, :1]) ** 2).sum(axis=1) / variance)
    w /= w.sum()
    return w, w @ x, (x - w @ x).T @ (w[:, None] * (x - w @ x))


def update(analysis, x, y, variance, rng):
    forecast, predicted = Ensemble({"x": x}), Ensemble({"y": x[:, :1]})
    observed, noise = Ensemble({"y": np.array([[y]])}), DiagonalCovariance(np.array([variance]))
    return analysis.update(forecast, Evidence(predicted, observed, noise), rng)


@pytest.mark.parametrize("entropy", [0.0, 0.05])
@pytest.mark.parametrize("second_order", [False, True])
def test_that_the_weighted_mean_is_kept_exactly(rng, entropy, second_order):
    x = rng.standard_normal((37, 3)) @ rng.standard_normal((3, 3))
    _, mean, _ = weighted_moments(x, 1.2, 0.3)
    analysed = update(EnsembleTransform(entropy=entropy, second_order=second_order), x, 1.2, 0.3, rng).ensemble["x"]
    # Rounding; the rows of an entropic plan are scaled to fit.
    np.testing.assert_allclose(analysed.mean(axis=0), mean, atol=1e-12)


@pytest.mark.parametrize("entropy", [0.0, 0.05, 100.0])
@pytest.mark.parametrize("variance", [10.0, 0.3, 1e-3])
def test_that_the_correction_gives_the_weighted_covariance(rng, entropy, variance):
    x = rng.standard_normal((41, 3))
    _, _, cov = weighted_moments(x, 1.2, variance)
    analysed = update(EnsembleTransform(entropy=entropy, second_order=True), x, 1.2, variance, rng).ensemble["x"]
    # Rounding for exact plans; Sinkhorn stops when its columns fit to 1e-10.
    np.testing.assert_allclose(np.cov(analysed.T, bias=True), cov, atol=1e-7 * np.trace(cov) + 1e-12)


def test_that_without_the_correction_spread_is_lost(rng):
    x = rng.standard_normal((41, 3))
    _, _, cov = weighted_moments(x, 1.2, 0.3)
    analysed = update(EnsembleTransform(), x, 1.2, 0.3, rng).ensemble["x"]
    # The known failure: members are averages, so the difference of the covariances is positive semidefinite, not zero.
    lost = np.linalg.eigvalsh(cov - np.cov(analysed.T, bias=True))
    assert lost.min() > -1e-12
    assert lost.max() > 0.01 * np.trace(cov)


def test_that_the_correction_is_the_end_of_the_papers_pseudo_time_flow(rng):
    x, M = rng.standard_normal((11, 2)), 11
    w, _, _ = weighted_moments(x, 0.7, 0.5)
    D = M * transport_plan(squared_distances(x - x.mean(axis=0)), w)
    B, delta = D - np.outer(w, np.ones(M)), np.zeros((M, M))
    target = M * (np.diag(w) - np.outer(w, w)) - B @ B.T
    for _ in range(40_000):
        delta += 0.02 * (target - B @ delta - delta @ B.T - delta @ delta)
    # The flow itself converges slowly along directions of little weight: 1e-5 after pseudo-time 800.
    np.testing.assert_allclose(second_order_correction(D, w), delta, atol=1e-5)


def test_that_in_one_dimension_the_plan_keeps_the_order(rng):
    x = np.sort(rng.standard_normal(25))
    w = rng.dirichlet(np.ones(25))
    plan = transport_plan(squared_distances(x[:, None]), w)
    # In one dimension the optimal plan is the monotone rearrangement: north-west corner of the sorted masses.
    row, column = np.cumsum(w), np.arange(1, 26) / 25
    corner = np.diff(np.diff(np.minimum.outer(np.append(0, row), np.append(0, column)), axis=0), axis=1)
    np.testing.assert_allclose(plan, corner, atol=1e-12)


def test_that_little_entropy_is_the_exact_plan_and_much_puts_all_on_the_mean(rng):
    x = rng.standard_normal((19, 2))
    w, mean, _ = weighted_moments(x, 0.5, 0.5)
    exact, sharp, blunt = (19 * transport_plan(squared_distances(x), w, e).T @ x for e in (0.0, 0.003, 1e6))
    # The bias of an entropic plan falls like ε; in units of the spread, 0.003 leaves a few per cent.
    assert np.abs(sharp - exact).mean() < 0.1
    # ... and dies like 1/ε.
    np.testing.assert_allclose(blunt, np.tile(mean, (19, 1)), atol=1e-4)


def test_that_many_members_give_the_kalman_posterior(rng):
    M, mean, P = 1500, np.array([1.0, -1.0]), np.array([[1.0, 0.6], [0.6, 2.0]])
    x = rng.multivariate_normal(mean, P, size=M)
    exact_mean, exact_cov = kalman(mean, P, np.array([[1.0, 0.0]]), np.array([[0.5]]), np.array([1.5]))
    posterior = update(EnsembleTransform(), x, 1.5, 0.5, rng)
    n_eff = posterior.statistics["effective_size"]
    # Weighted moments of N_eff ≈ 700 members, variances up to 2; what the plan loses in spread goes to zero with M.
    np.testing.assert_allclose(posterior.ensemble["x"].mean(axis=0), exact_mean, atol=5 * np.sqrt(2 / n_eff))
    np.testing.assert_allclose(np.cov(posterior.ensemble["x"].T), exact_cov, atol=5 * 2 * np.sqrt(2 / n_eff))


def test_that_uninformative_data_give_back_the_forecast(rng):
    x = rng.standard_normal((37, 3))
    analysed = update(EnsembleTransform(second_order=True), x, 0.0, 1e14, rng).ensemble["x"]
    # Weights differ by 1e-14; the correction is a square root of what they change.
    np.testing.assert_allclose(analysed, x, atol=1e-6)


def test_that_rejuvenation_widens_by_its_share_and_leaves_the_mean(rng):
    x = rng.standard_normal((400, 2))
    analysed = update(EnsembleTransform(rejuvenation=0.5), x, 0.0, 1e14, rng).ensemble["x"]
    np.testing.assert_allclose(analysed.mean(axis=0), x.mean(axis=0), atol=1e-10)
    # 1 + β²; sums over 400 draws scatter by sqrt(2/400) of β², and by cross terms of β/sqrt(400).
    np.testing.assert_allclose(analysed.var(axis=0) / x.var(axis=0), 1.25, atol=4 * 0.05)


def test_that_units_of_the_fields_do_not_matter(rng):
    S, p = rng.standard_normal((23, 4)), rng.standard_normal((23, 4))
    observed, noise = Ensemble({"y": np.array([[0.5]])}), DiagonalCovariance(np.array([0.4]))
    results = []
    for unit in (1.0, 1e7):
        forecast = Ensemble({"saturation": S, "pressure": unit * p})
        ensemble = (
            EnsembleTransform().update(forecast, Evidence(Ensemble({"y": S[:, :1]}), observed, noise), rng).ensemble
        )
        results.append((ensemble["saturation"], ensemble["pressure"] / unit))
    np.testing.assert_allclose(results[0], results[1], atol=1e-9)


def test_that_negative_entropy_is_refused():
    with pytest.raises(InputError, match="entropy"):
        EnsembleTransform(entropy=-1.0)
