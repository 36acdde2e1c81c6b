import numpy as np
import pytest

from seisflow.covariance import (
    BlockCovariance,
    DiagonalCovariance,
    LowRankCovariance,
    SeparableCovariance,
    estimated_shrinkage,
)
from seisflow.errors import InputError


def dense(covariance):
    """R from the definition R⁻¹ = solve(I)."""
    return np.linalg.inv(covariance.solve(np.eye(covariance.size)))


@pytest.fixture
def covariances(rng):
    low = LowRankCovariance(rng.standard_normal((9, 6)) * [1, 2, 3, 1, 1, 4], shrinkage=0.2)
    separable = SeparableCovariance(np.array([[1.0, 2.0], [0.5, 1.0], [3.0, 1.0]]), (neighbours(3), neighbours(2)), 0.1)
    both = BlockCovariance((low, DiagonalCovariance(np.ones(2))))
    return [DiagonalCovariance(np.array([1.0, 4.0, 0.25])), low, separable, both]


def neighbours(n, ratio=0.6):
    """Correlations of a chain, ratio^|i − j|."""
    return ratio ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))


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


def test_that_whitening_is_a_root_of_the_inverse(covariances):
    for covariance in covariances:
        W = covariance.whiten(np.eye(covariance.size)).T
        # Inverses of condition about 100 at most.
        np.testing.assert_allclose(W.T @ W, covariance.solve(np.eye(covariance.size)), rtol=1e-9, atol=1e-11)


def test_that_whitened_noise_stays_in_its_place(covariances):
    for covariance in covariances:
        diagonal = np.diag(covariance.whiten(np.eye(covariance.size)))
        # The diagonal of a symmetric root is positive; a rotation of it, or a Cholesky factor in another order, moves data.
        W = covariance.whiten(np.diag(np.sqrt(covariance.variance)))
        assert (diagonal > 0).all()
        assert (np.abs(W).argmax(axis=1) == np.arange(covariance.size)).all()


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


def test_that_the_estimated_shrinkage_is_its_formula_over_all_pairs(rng):
    draws = rng.standard_normal((8, 5)) @ rng.standard_normal((5, 5))
    w = draws / np.sqrt((draws**2).mean(axis=0))
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    r2 = sum((w[:, i] * w[:, j]).mean() ** 2 for i, j in pairs)
    variance = sum(((w[:, i] * w[:, j] - (w[:, i] * w[:, j]).mean()) ** 2).mean() for i, j in pairs) / 7
    assert estimated_shrinkage(draws) == pytest.approx(variance / r2, rel=1e-10)


def test_that_shrinkage_is_near_one_for_white_noise_and_small_for_few_patterns(rng):
    # 30 draws of 2000 independent numbers: all correlations are chance.
    assert estimated_shrinkage(rng.standard_normal((30, 2000))) > 0.95
    # 300 draws of two patterns: all correlations are there.
    assert estimated_shrinkage(rng.standard_normal((300, 2)) @ rng.standard_normal((2, 2000))) < 0.02


def left_out(covariance, draws):
    """Mean rᵀ R⁻¹ r / D of draws that R does not know."""
    packed = draws.reshape(len(draws), -1)
    return float((packed * covariance.solve(packed)).sum(axis=1).mean() / packed.shape[1])


def test_that_the_separable_covariance_is_its_definition(rng):
    deviation, chains, alpha = rng.uniform(0.5, 2, (4, 3)), (neighbours(4), neighbours(3, 0.3)), 0.2
    covariance = SeparableCovariance(deviation, chains, alpha)
    S = np.diag(deviation.ravel())
    expected = S @ ((1 - alpha) * np.kron(*chains) + alpha * np.eye(12)) @ S
    np.testing.assert_allclose(dense(covariance), expected, rtol=1e-10, atol=1e-12)
    assert covariance.log_determinant == pytest.approx(np.linalg.slogdet(expected)[1], rel=1e-12)


@pytest.mark.parametrize("white", [0.002, 0.05])
@pytest.mark.parametrize("shape", [(20, 15), (9, 8, 7)])
def test_that_a_separable_covariance_is_found_again_from_few_draws(shape, white, rng):
    truth = SeparableCovariance(np.full(shape, 2.0), tuple(neighbours(n, 0.8) for n in shape), white)
    draws = truth.sample(32 + 50, rng).reshape(-1, *shape)
    found = SeparableCovariance.of(draws[:32])
    if white < 0.01:  # more of it goes to the axes, whose product is then an approximation
        for correlation in found.correlations:
            # 32 draws of 300 cells and more know a correlation to 0.02; three of them.
            assert np.diag(correlation, 1).mean() == pytest.approx(0.8, abs=0.06)
    # The mean of 50 draws of 300 numbers or more is known to √(2/15000) = 1 %; the rest is what the estimate does not know.
    assert left_out(found, draws[32:]) == pytest.approx(1, abs=0.2)
    # A covariance from 32 draws without structure is far too sure.
    assert left_out(LowRankCovariance(draws[:32].reshape(32, -1), 0.1), draws[32:]) > 3


def test_that_white_noise_is_found_to_be_white(rng):
    draws = rng.standard_normal((16 + 40, 12, 10))
    found = SeparableCovariance.of(draws[:16])
    # Whatever share of it goes to the axes, whose correlations are then near the identity.
    assert left_out(found, draws[16:]) == pytest.approx(1, abs=0.15)
    R = dense(found)
    assert np.abs(R - np.diag(np.diag(R))).max() < 0.35


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((np.ones((2, 3)), (np.eye(2), np.eye(2)), 0.1), "correlations"),
        ((np.zeros((2, 3)), (np.eye(2), np.eye(3)), 0.1), "deviation"),
        ((np.ones((2, 3)), (np.eye(2), np.eye(3)), 0.0), "white"),
    ],
)
def test_that_a_separable_covariance_of_odd_parts_is_refused(arguments, what):
    with pytest.raises(InputError, match=what):
        SeparableCovariance(*arguments)
    with pytest.raises(InputError, match="draws"):
        SeparableCovariance.of(np.zeros((4, 3, 3)))
