import numpy as np
import pytest
from scipy.special import gammainc

from seisflow.analysis.base import Evidence
from seisflow.analysis.particle.implicit_equal_weights import ImplicitEqualWeights, exact_alpha, lambert_alpha
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from tests.oracles import kalman


@pytest.mark.parametrize(
    ("n", "gamma", "c", "exact", "lambert"),
    [(10, 10, 1, 0.76740, 0.61682), (40, 35, 2, 0.84402, 0.79510), (100, 100, 5, 0.77017, 0.71619)],
)
def test_that_alpha_has_its_known_values(n, gamma, c, exact, lambert):
    # The values are known to five digits.
    assert exact_alpha(n, gamma, c) == pytest.approx(exact, abs=6e-6)
    assert lambert_alpha(n, gamma, c) == pytest.approx(lambert, abs=6e-6)


def test_that_alpha_solves_its_equation_and_is_one_at_the_target(rng):
    for n in (1, 2, 7, 40, 1000):
        gamma, c = rng.chisquare(n, 50) + 1e-3, rng.exponential(5, 50)
        alpha = exact_alpha(n, gamma, c)
        # The root is found in log x to 1e-14; its value is then good to n times that.
        left, right = gammainc(n / 2, alpha * gamma / 2), np.exp(-c / 2) * gammainc(n / 2, gamma / 2)
        np.testing.assert_allclose(left, right, rtol=1e-10)
    np.testing.assert_array_equal(exact_alpha(40, np.array([30.0, 80.0]), np.zeros(2)), 1.0)


def test_that_alpha_survives_where_the_gamma_function_underflows():
    alpha = exact_alpha(262_144, np.array([262_144.0]), np.array([1e5]))
    # c/n is of order one and n is large: Lambert's form has an error of order log(n)/n.
    np.testing.assert_allclose(alpha, lambert_alpha(262_144, 262_144.0, 1e5), rtol=1e-3)


def test_that_alpha_is_zero_where_it_is_below_the_smallest_number():
    # Γ_reg ~ x^(n/2) near zero: α = e^(−c/n) times a factor of order one, here e^(−3000).
    np.testing.assert_array_equal(exact_alpha(32, np.array([32.0, 20.0]), np.array([1e5, 0.0])), [0.0, 1.0])


def test_that_a_target_out_of_reach_is_refused():
    with pytest.raises(InputError, match="c ="):
        exact_alpha(10, 10.0, -1.0)


def linear_problem(rng, n=6, d=2):
    F, H, R = rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal((d, n)), np.array([0.3, 0.6])
    Q = StaticCovariance(Ensemble({"x": F}), Ensemble({"y": F @ H.T}))
    return F, H, R, Q, rng.standard_normal((1, d))


@pytest.mark.parametrize("large_dimension", [False, True])
def test_that_one_forecast_state_gives_the_kalman_posterior(rng, large_dimension):
    # All members at one f(x): all φ are equal, α = 1, and the optimal proposal it draws from is the posterior.
    F, H, R, Q, y = linear_problem(rng)
    M, mean = 20_000, rng.standard_normal(6)
    forecast, predicted = Ensemble({"x": np.tile(mean, (M, 1))}), Ensemble({"y": np.tile(H @ mean, (M, 1))})
    filter_ = ImplicitEqualWeights(Q, large_dimension=large_dimension)
    x = filter_.update(forecast, Evidence(predicted, Ensemble({"y": y}), DiagonalCovariance(R)), rng).ensemble["x"]
    exact_mean, exact_cov = kalman(mean, F.T @ F, H, np.diag(R), y[0])
    scale = np.diag(exact_cov).max()
    np.testing.assert_allclose(x.mean(axis=0), exact_mean, atol=5 * np.sqrt(scale / M))
    if not large_dimension:
        np.testing.assert_allclose(np.cov(x.T), exact_cov, atol=6 * scale * np.sqrt(2 / M))
    else:  # in 6 dimensions Lambert's form shrinks every draw with γ > n: its stated limit
        assert np.trace(np.cov(x.T)) < 0.95 * np.trace(exact_cov)


def test_that_every_member_ends_with_the_same_weight(rng):
    # Posterior density over proposal density, from their definitions, for draws that are recovered from the members.
    F, H, R, Q, y = linear_problem(rng)
    M, n = 9, 6
    f = rng.standard_normal((M, n))
    update = ImplicitEqualWeights(Q).update
    evidence = Evidence(Ensemble({"y": f @ H.T}), Ensemble({"y": y}), DiagonalCovariance(R))
    members = [
        update(Ensemble({"x": f}), evidence, g).ensemble["x"]
        for g in (np.random.default_rng(5), np.random.default_rng(5))
    ]
    np.testing.assert_array_equal(members[0], members[1])
    x = members[0]
    xi = np.random.default_rng(5).standard_normal((M, n))
    gamma = (xi**2).sum(axis=1)
    S = np.linalg.inv(H @ F.T @ F @ H.T + np.diag(R))
    d = y - f @ H.T
    phi = np.einsum("id,de,ie->i", d, S, d)
    precision = np.linalg.inv(F.T @ F) + H.T / R @ H
    centre = f + d @ S @ H @ F.T @ F
    stretched = np.einsum("in,nm,im->i", x - centre, precision, x - centre)
    # −2 log(posterior/proposal) up to a constant: φ + αγ − γ − 2 log |dx/dξ| with |dx/dξ| = α^(n/2) (1 + γ α'/α) and α' from
    # differences; the same for all members.
    c, h = phi.max() - phi, 1e-5
    slope = (exact_alpha(n, gamma + h, c) - exact_alpha(n, gamma - h, c)) / (2 * h)
    alpha = exact_alpha(n, gamma, c)
    np.testing.assert_allclose(stretched, alpha * gamma, rtol=1e-8)
    weight = phi + (alpha - 1) * gamma - n * np.log(alpha) - 2 * np.log(1 + gamma * slope / alpha)
    # Central differences of step 1e-5 on numbers of order one.
    np.testing.assert_allclose(weight, phi.max(), atol=1e-5)


def test_that_one_stage_is_too_narrow_and_two_stages_are_not(rng):
    F, H, R, Q, y = linear_problem(rng)
    M, mean = 4000, rng.standard_normal(6)
    f = mean + 0.5 * rng.standard_normal((M, 6)) @ F
    forecast, predicted, observed = Ensemble({"x": f}), Ensemble({"y": f @ H.T}), Ensemble({"y": y})
    S = np.linalg.inv(H @ F.T @ F @ H.T + np.diag(R))
    centre = f + (y - f @ H.T) @ S @ H @ F.T @ F
    P = kalman(mean, F.T @ F, H, np.diag(R), y[0])[1]
    sizes = {}
    for two_stage in (False, True):
        posterior = ImplicitEqualWeights(Q, two_stage).update(
            forecast, Evidence(predicted, observed, DiagonalCovariance(R)), rng
        )
        draws = posterior.ensemble["x"] - centre
        sizes[two_stage] = np.trace(np.linalg.solve(P, np.cov(draws.T))) / 6
    # One stage shrinks every draw; two stages keep their size, to the 2/sqrt(6 M) scatter of a mean of squares.
    assert sizes[False] < 0.8
    assert sizes[True] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("two_stage", [False, True])
def test_that_uninformative_data_give_back_forecast_plus_model_noise(rng, two_stage):
    F, H, _, Q, y = linear_problem(rng)
    M = 10_001
    f = rng.standard_normal((M, 6))
    posterior = ImplicitEqualWeights(Q, two_stage).update(
        Ensemble({"x": f}),
        Evidence(Ensemble({"y": f @ H.T}), Ensemble({"y": y}), DiagonalCovariance(np.full(2, 1e12))),
        rng,
    )
    steps = posterior.ensemble["x"] - f
    scale = (F**2).sum(axis=0).max()
    # Monte-Carlo error of a covariance; in two stages the draws have the right size but are not quite Gaussian.
    np.testing.assert_allclose(np.cov(steps.T), F.T @ F, atol=6 * scale * np.sqrt(2 / M))
    assert posterior.ensemble.size == M


def test_that_a_mode_the_data_rule_out_keeps_its_members(rng):
    # The known failure: half of the forecast states are 20 deviations off, and all stay near where they were in x₂.
    Q = StaticCovariance(Ensemble({"x": 0.1 * np.eye(2)}), Ensemble({"y": 0.1 * np.eye(2)[:, :1]}))
    f = np.repeat([[3.0, 3.0], [0.8, 0.8]], [50, 51], axis=0)
    posterior = ImplicitEqualWeights(Q).update(
        Ensemble({"x": f}),
        Evidence(Ensemble({"y": f[:, :1]}), Ensemble({"y": [[4.0]]}), DiagonalCovariance(np.array([0.01]))),
        rng,
    )
    assert (posterior.ensemble["x"][:, 1] < 2).sum() == 51
