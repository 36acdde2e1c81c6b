import numpy as np
import pytest

from seisflow.analysis.localization import gaspari_cohn
from seisflow.analysis.particle.localized_prior import LocalizedPrior
from seisflow.analysis.variational.linearization import DifferentiableObservation
from seisflow.errors import InputError


def test_that_the_taper_is_that_of_gaspari_and_cohn():
    # Values of the published polynomial at 0, 1, 2 by hand; both pieces meet with the same slope.
    np.testing.assert_allclose(gaspari_cohn(np.array([0, 1, 2, 3.5])), [1, 5 / 24, 0, 0], atol=1e-15)
    h = 1e-6
    below, above = np.diff(gaspari_cohn(np.array([1 - h, 1.0, 1 + h]))) / h
    # One-sided differences of step 1e-6, curvature of order one.
    assert below == pytest.approx(above, abs=1e-5)
    # exp(−½) = 0.607 at the radius, 1/1.82 half-widths away, to the accuracy of that rule of thumb.
    assert gaspari_cohn(np.array(1 / 1.82)) == pytest.approx(np.exp(-0.5), abs=0.03)


@pytest.mark.parametrize("period", [None, 50.0])
def test_that_b_is_the_tapered_sample_covariance_and_can_be_inverted(rng, period):
    n, radius = 50, 3.0
    X = 100.0 + rng.standard_normal((7, n)) * np.logspace(-3, 7, n)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    apart = apart if period is None else np.minimum(apart, n - apart)
    exact = np.cov(X.T) * gaspari_cohn(apart / (1.82 * radius))
    B = LocalizedPrior(np.arange(n), radius, period).of(X)
    scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    # Rounding, in units of the variables: they differ by ten orders of magnitude.
    np.testing.assert_allclose(B.apply(np.eye(n)) / scale, exact / scale, atol=1e-12)
    vectors = rng.standard_normal((3, n)) * np.sqrt(np.diag(exact))
    np.testing.assert_allclose(B.apply(B.solve(vectors)) / vectors, 1, rtol=1e-8)
    assert np.linalg.eigvalsh(exact / scale).min() > 0


def test_that_variables_that_do_not_vary_have_no_covariance(rng):
    X = rng.standard_normal((9, 12))
    X[:, 4:6] = 0.3
    B = LocalizedPrior(np.stack([np.arange(12), np.zeros(12)], axis=1), 2.0).of(X)
    np.testing.assert_array_equal(B.apply(np.ones((2, 12)))[:, 4:6], 0)
    np.testing.assert_array_equal(B.solve(np.ones((2, 12)))[:, 4:6], 0)
    np.testing.assert_array_equal(B.variance[4:6], 0)


def test_that_a_radius_out_of_proportion_is_refused_before_memory_is_taken():
    X = np.random.default_rng(0).standard_normal((2, 10_000))
    with pytest.raises(InputError, match="entries"):
        LocalizedPrior(np.arange(10_000), 5000.0).of(X)


def test_that_the_regression_is_exact_on_the_members_and_its_adjoint_is_one(rng):
    X, HX = rng.standard_normal((8, 20)), rng.standard_normal((8, 5))
    H = DifferentiableObservation.regression(X, HX)
    np.testing.assert_allclose(H.predict(X), HX, atol=1e-10)
    # <v, H' δ> = <H'ᵀ v, δ> of a linear map, to rounding.
    v, delta = rng.standard_normal((3, 5)), rng.standard_normal((3, 20))
    forward = H.predict(X[:3] + delta) - H.predict(X[:3])
    np.testing.assert_allclose(
        (v * forward).sum(axis=1), (H.adjoint(X[:3], v) * delta).sum(axis=1), rtol=1e-9, atol=1e-12
    )


def test_that_with_many_members_the_regression_finds_a_linear_observation(rng):
    X, H = rng.standard_normal((40, 6)), rng.standard_normal((3, 6))
    fitted, linear = DifferentiableObservation.regression(X, X @ H.T), DifferentiableObservation.linear(H)
    Z, V = rng.standard_normal((4, 6)), rng.standard_normal((4, 3))
    np.testing.assert_allclose(fitted.predict(Z), linear.predict(Z), atol=1e-10)
    np.testing.assert_allclose(fitted.adjoint(Z, V), linear.adjoint(Z, V), atol=1e-10)
