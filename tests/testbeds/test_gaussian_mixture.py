import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.testbeds.gaussian_mixture import GaussianMixture

TWO_MODES = GaussianMixture([0.5, 0.5], [[3.0, 3.0], [0.8, 0.8]], 0.01 * np.eye(2) * np.ones((2, 1, 1)))
H, R = np.array([[1.0, 0.0]]), np.array([[0.01]])


@pytest.mark.parametrize(
    ("y", "weight", "mean", "covariance"),
    [
        (4.0, 1.0, (3.5, 3.0), [[0.005, 0], [0, 0.01]]),
        (6.0, 1.0, (4.5, 3.0), [[0.005, 0], [0, 0.01]]),
        (1.9, 0.5, (1.9, 1.9), [[0.3075, 0.605], [0.605, 1.22]]),
        (2.0, 0.999983, None, None),
    ],
)
def test_that_the_two_mode_example_has_its_exact_posterior(y, weight, mean, covariance):
    posterior = TWO_MODES.condition(H, R, np.array([y]))
    # Values by hand; the weight at y = 2 is known to six digits.
    assert posterior.weights[0] == pytest.approx(weight, abs=5e-7)
    if mean is not None:
        np.testing.assert_allclose(posterior.mean, mean, atol=1e-9)
        np.testing.assert_allclose(posterior.covariance, covariance, atol=1e-9)


def random_mixture(rng, K=3, n=2):
    roots = rng.standard_normal((K, n, n))
    return GaussianMixture(
        rng.uniform(0.2, 1, K), rng.standard_normal((K, n)), roots @ np.swapaxes(roots, 1, 2) + np.eye(n)
    )


def test_that_the_posterior_is_prior_times_likelihood(rng):
    mixture, y = random_mixture(rng), np.array([0.7])
    H, R = rng.standard_normal((1, 2)), np.array([[0.4]])
    x = rng.standard_normal((20, 2))
    likelihood = -0.5 * (y - x @ H.T)[:, 0] ** 2 / 0.4
    ratio = mixture.condition(H, R, y).log_prob(x) - mixture.log_prob(x) - likelihood
    # Bayes: the ratio is the evidence, the same everywhere.
    np.testing.assert_allclose(ratio, ratio[0], atol=1e-10)


def test_that_the_score_is_the_gradient(rng):
    mixture, x, h = random_mixture(rng), rng.standard_normal((5, 2)), 1e-5
    for d, step in enumerate(h * np.eye(2)):
        slope = (mixture.log_prob(x + step) - mixture.log_prob(x - step)) / (2 * h)
        # Central differences: h² and rounding / h.
        np.testing.assert_allclose(mixture.score(x)[:, d], slope, atol=1e-8)


def test_that_draws_have_the_mixtures_moments(rng):
    mixture, n = random_mixture(rng), 40_000
    x = mixture.sample(n, rng)
    scale = np.diag(mixture.covariance).max()
    np.testing.assert_allclose(x.mean(axis=0), mixture.mean, atol=5 * np.sqrt(scale / n))
    np.testing.assert_allclose(np.cov(x.T), mixture.covariance, atol=10 * scale * np.sqrt(2 / n))


def test_that_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="covariances"):
        GaussianMixture([1.0], [[0.0, 0.0]], np.eye(3)[None])
