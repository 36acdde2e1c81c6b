import numpy as np
import pytest
from scipy.stats import norm

from seisflow.diagnostics import (
    coverage,
    crps,
    extent,
    extent_error,
    largest_spread_ratio,
    mass,
    mass_error,
    rmse,
    spread,
    spread_ratio,
    ssim,
)
from seisflow.errors import InputError


def test_that_crps_of_a_gaussian_ensemble_is_the_closed_form(rng):
    # CRPS of N(0, 1) at t: t (2Φ(t) − 1) + 2 φ(t) − 1/√π (Gneiting & Raftery 2007).
    t = np.linspace(-2, 2, 2000)
    samples = rng.standard_normal((50, t.size))
    exact = t * (2 * norm.cdf(t) - 1) + 2 * norm.pdf(t) - 1 / np.sqrt(np.pi)
    # Standard error of the mean over 2000 independent cells is about 0.15/√2000/… < 0.004; 3 of them.
    assert crps(samples, t) == pytest.approx(exact.mean(), abs=0.01)


def test_that_crps_is_fair_in_the_number_of_members(rng):
    t = rng.standard_normal(200_000)
    few, many = crps(rng.standard_normal((3, t.size)), t), crps(rng.standard_normal((40, t.size)), t)
    # The unfair estimator would differ by (1/3 − 1/40)/√π = 0.17; the standard error here is 0.002.
    assert few == pytest.approx(many, abs=0.01)


def test_that_crps_equals_its_definition_by_all_pairs(rng):
    samples, t = rng.standard_normal((6, 4)), rng.standard_normal(4)
    pairs = np.abs(samples[:, None] - samples[None]).sum(axis=(0, 1)) / (6 * 5)
    assert crps(samples, t) == pytest.approx((np.abs(samples - t).mean(axis=0) - 0.5 * pairs).mean(), rel=1e-12)


def test_that_weighted_crps_equals_its_definition_and_repeated_members(rng):
    samples, t = rng.standard_normal((6, 4)), rng.standard_normal(4)
    w = rng.uniform(size=6)
    w /= w.sum()
    pairs = (np.multiply.outer(w, w)[..., None] * np.abs(samples[:, None] - samples[None])).sum(axis=(0, 1))
    by_pairs = (w @ np.abs(samples - t) - 0.5 * pairs / (1 - w @ w)).mean()
    assert crps(samples, t, weights=7 * w) == pytest.approx(by_pairs, rel=1e-12)
    assert crps(samples, t, weights=np.ones(6)) == pytest.approx(crps(samples, t), rel=1e-12)
    # Of 40,000 members a weight is as good as copies: their own distances, zero, are one in 40,000 of the pairs.
    many, numbers = rng.standard_normal((400, 4)), np.repeat([50, 150], 200)
    copies = np.repeat(many, numbers, axis=0)
    assert crps(many, t, weights=numbers) == pytest.approx(crps(copies, t), rel=5e-3)  # 1/N_eff, with N_eff = 320
    for bad in (np.ones(5), -np.ones(6), np.eye(6)[0]):
        with pytest.raises(InputError, match="weights"):
            crps(samples, t, weights=bad)


def test_that_a_reliable_ensemble_is_covered_at_every_size(rng):
    for M in (9, 19, 64):
        t = rng.standard_normal(40_000)
        # Binomial standard error sqrt(0.9·0.1/40000) = 0.0015; 4 of them.
        assert coverage(rng.standard_normal((M, t.size)), t, 0.8) == pytest.approx(0.8, abs=0.008)


def test_that_spread_equals_error_for_a_reliable_ensemble(rng):
    t, samples = rng.standard_normal(100_000), rng.standard_normal((20, 100_000))
    assert rmse(samples, t) ** 2 == pytest.approx(spread(samples) ** 2 * (1 + 1 / 20), rel=0.03)


def test_that_spread_ratios_are_those_of_scaled_members(rng):
    before = rng.standard_normal((20, 6, 5))
    after = 3.0 + 0.25 * before
    after[:, 2, 3] = 2 * before[:, 2, 3]
    mask = np.ones((6, 5), bool)
    mask[2, 3] = False
    assert spread_ratio(after, before, mask) == pytest.approx(0.25, rel=1e-12)
    assert spread_ratio(after, before, ~mask) == pytest.approx(2, rel=1e-12)
    assert 0.25 < spread_ratio(after, before) < 2
    assert largest_spread_ratio(after, before, 1e-9) == pytest.approx(2, rel=1e-12)


def test_that_cells_which_the_forecast_knows_do_not_decide_by_their_rounding():
    known, ends = np.zeros((2, 3)), np.array([[-1.0], [1.0]]) / np.sqrt(2)  # ±1/√2: standard deviation 1
    before = known + ends * [1e-12, 0.0, 1.0]
    after = known + ends * [1e-9, 0.05, 0.5]
    assert largest_spread_ratio(after, before, 0.1) == pytest.approx(0.5, rel=1e-12)  # 1e-8, 0.5, 0.5
    after[:, 0] = 3 * ends[:, 0]
    assert largest_spread_ratio(after, before, 0.1) == pytest.approx(30, rel=1e-12)  # wide where all was known
    assert np.isnan(spread_ratio(after, np.zeros((4, 3))))
    with pytest.raises(InputError, match="resolution"):
        largest_spread_ratio(after, before, 0.0)
    with pytest.raises(InputError, match=r"must be \(members"):
        spread_ratio(after, before[:, :2])


def test_that_the_perfect_ensemble_scores_perfectly_and_masks_select(rng):
    t = rng.standard_normal((12, 12))
    perfect = np.repeat(t[None], 3, axis=0)
    assert rmse(perfect, t) == pytest.approx(0, abs=1e-15)
    assert crps(perfect, t) == pytest.approx(0, abs=1e-15)
    assert ssim(perfect, t, 4.0) == pytest.approx(1)
    assert coverage(perfect, t) == 1
    wrong = perfect.copy()
    wrong[:, 0, 0] += 1
    mask = np.ones(t.shape, bool)
    mask[0, 0] = False
    assert rmse(wrong, t, mask) == pytest.approx(0, abs=1e-15)
    assert rmse(wrong, t, ~mask) == pytest.approx(1)
    assert ssim(wrong, t, 4.0) < 1


@pytest.mark.parametrize(
    ("shape", "there"), [((11, 11), True), ((10, 40), False), ((40, 6), False), ((12, 3, 12), False)]
)
def test_that_the_similarity_of_fields_smaller_than_its_window_is_no_number(rng, shape, there):
    t = rng.standard_normal(shape)
    assert np.isfinite(ssim(t[None], t, 4.0)) == there


def test_that_plume_numbers_are_those_of_simple_plumes():
    S = np.zeros((2, 10, 4))
    S[0, 2:6, 1] = 0.5
    S[1, 2:4, 2] = 0.5
    assert extent(S, 50.0).tolist() == [200.0, 100.0]
    assert extent_error(S, S[0], 50.0) == -50.0
    np.testing.assert_allclose(mass(S, np.full(S.shape, 700.0), 10.0), [4 * 0.5 * 7000, 2 * 0.5 * 7000])
    assert mass_error(np.array([1.0, 3.0]), 4.0) == -0.5


def test_that_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="samples"):
        rmse(np.zeros((3, 4)), np.zeros(5))
    with pytest.raises(InputError, match="at least 2"):
        crps(np.zeros((1, 4)), np.zeros(4))
