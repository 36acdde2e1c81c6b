import numpy as np
import pytest

from seisflow.covariance import BlockCovariance, DiagonalCovariance, LowRankCovariance
from seisflow.errors import InputError


def dense(covariance):
    """R from the definition R⁻¹ = solve(I)."""
    return np.linalg.inv(covariance.solve(np.eye(covariance.size)))


@pytest.fixture
def covariances(rng):
    low = LowRankCovariance(rng.standard_normal((9, 6)) * [1, 2, 3, 1, 1, 4], shrinkage=0.2)
    return [DiagonalCovariance(np.array([1.0, 4.0, 0.25])), low, BlockCovariance((low, DiagonalCovariance(np.ones(2))))]


def test_that_the_low_rank_solve_is_the_inverse_of_its_definition(rng):
    draws = rng.standard_normal((9, 6))
    covariance = LowRankCovariance(draws, shrinkage=0.2)
    expected = 0.8 * draws.T @ draws / 9 + 0.2 * np.diag((draws**2).mean(axis=0))
    # A 6 × 6 inverse of condition about 10: 1e-10 leaves four digits.
    np.testing.assert_allclose(dense(covariance), expected, rtol=1e-10, atol=1e-12)


def test_that_variance_is_the_diagonal(covariances):
    for covariance in covariances:
        np.testing.assert_allclose(np.diag(dense(covariance)), covariance.variance, rtol=1e-10)


def test_that_a_scaled_covariance_is_the_multiple_in_all_it_does(covariances, rng):
    for covariance in covariances:
        scaled, vectors = covariance.scaled(2.5), rng.standard_normal((3, covariance.size))
        np.testing.assert_allclose(scaled.variance, 2.5 * covariance.variance, rtol=1e-14)
        np.testing.assert_allclose(scaled.solve(vectors), covariance.solve(vectors) / 2.5, rtol=1e-10)
        draws = [c.sample(2, np.random.default_rng(1)) for c in (scaled, covariance)]
        np.testing.assert_allclose(draws[0], np.sqrt(2.5) * draws[1], rtol=1e-14)  # the same numbers, stretched


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_that_a_bad_factor_is_refused(covariances, bad):
    for covariance in covariances:
        with pytest.raises(InputError, match="factor"):
            covariance.scaled(bad)


def test_that_samples_have_the_covariance(covariances, rng):
    n = 40_000
    for covariance in covariances:
        samples = covariance.sample(n, rng)
        R = dense(covariance)
        # The standard error of a sample covariance is at most sqrt(2/n) max(R) = 0.7 % of it; 4 of them.
        np.testing.assert_allclose(samples.T @ samples / n, R, atol=4 * np.sqrt(2 / n) * R.max())


def test_that_noise_that_is_nowhere_stays_invertible():
    draws = np.array([[1.0, 0.0], [-1.0, 0.0], [0.5, 0.0]])
    covariance = LowRankCovariance(draws)
    assert np.isfinite(covariance.solve(np.ones((1, 2)))).all()


@pytest.mark.parametrize("bad", [np.array([1.0, 0.0]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_that_a_bad_variance_is_refused(bad):
    with pytest.raises(InputError, match="diagonal"):
        DiagonalCovariance(bad)
