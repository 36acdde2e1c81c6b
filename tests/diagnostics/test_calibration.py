import numpy as np
import pytest

from seisflow.diagnostics import (
    bootstrap_interval,
    crps,
    effective_size,
    energy_score,
    rank_histogram,
    rank_test,
    ranks,
    spread_skill,
    spread_skill_curve,
)
from seisflow.errors import InputError


def calibrated(rng, cases, members, width=1.0):
    """Members and truth from one distribution per case, members' deviations times ``width``."""
    centre, scale = rng.standard_normal(cases), rng.uniform(0.5, 2.0, cases)
    truth = centre + scale * rng.standard_normal(cases)
    return centre + width * scale * rng.standard_normal((members, cases)), truth


def test_that_ranks_of_a_calibrated_ensemble_are_uniform_and_of_a_narrow_one_are_not(rng):
    x, truth = calibrated(rng, 4000, 19)
    _, p = rank_test(rank_histogram(ranks(x, truth), 19))
    assert p > 1e-3  # fails for one seed in a thousand
    narrow, truth = calibrated(rng, 4000, 19, width=0.8)
    assert rank_test(rank_histogram(ranks(narrow, truth), 19, bins=10))[1] < 1e-6


def test_that_p_values_are_uniform(rng):
    p = [rank_test(np.bincount(rng.integers(0, 10, 400), minlength=10))[1] for _ in range(400)]
    # Kolmogorov distance of 400 uniform numbers: above 1.95/√400 once in a thousand times.
    assert np.abs(np.sort(p) - (np.arange(400) + 0.5) / 400).max() < 1.95 / 20


def test_that_ties_are_broken_at_random(rng):
    zeros = np.zeros((9, 5000))
    assert (ranks(zeros, zeros[0]) == 0).all()
    assert rank_test(rank_histogram(ranks(zeros, zeros[0], rng), 9))[1] > 1e-3


def test_that_spread_and_skill_agree_when_calibrated(rng):
    M = 5
    x, truth = calibrated(rng, 40000, M)
    errors, variances = truth - x.mean(axis=0), x.var(axis=0, ddof=1)
    # Relative error of the ratio: about sqrt(kurtosis/n)/2 ~ 1 %.
    assert spread_skill(errors, variances, M) == pytest.approx(1, abs=0.03)
    assert spread_skill(errors, variances / 4, M) == pytest.approx(0.5, abs=0.015)
    # With 100 members each variance is known to 14 %, so sorting by it hardly selects chance.
    x, truth = calibrated(rng, 20000, 100)
    spread, skill = spread_skill_curve(truth - x.mean(axis=0), x.var(axis=0, ddof=1), 100, bins=5)
    np.testing.assert_allclose(skill, spread, rtol=0.08)
    assert (np.diff(spread) > 0).all()


def test_that_the_energy_score_of_numbers_is_the_crps_and_does_not_reward_size(rng):
    x, truth = rng.standard_normal((7, 1)), np.array([0.3])
    assert energy_score(x, truth) == pytest.approx(crps(x, truth), rel=1e-12)
    few = np.mean([energy_score(rng.standard_normal((2, 3)), rng.standard_normal(3)) for _ in range(4000)])
    many = np.mean([energy_score(rng.standard_normal((50, 3)), rng.standard_normal(3)) for _ in range(4000)])
    # Fair: the same expectation; each score scatters by about 1, so means of 4000 by 0.016.
    assert few == pytest.approx(many, abs=0.08)


def test_that_effective_size_runs_from_one_to_all():
    assert effective_size(np.full(8, 3.0)) == pytest.approx(8)
    assert effective_size(np.array([0.0, 1.0, 0.0])) == 1
    with pytest.raises(InputError, match="weights"):
        effective_size(np.zeros(3))


def test_that_bootstrap_intervals_cover(rng):
    inside = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.standard_normal(30), rng, draws=300)
        inside += low <= 0 <= high
    # Nominal 90 %; with 30 cases the percentile interval covers about 88 %; ± 4 standard deviations of 1.8 %.
    assert 0.80 < inside / 300 < 0.96


def test_that_blocks_widen_the_interval_of_dependent_cases(rng):
    series = np.repeat(rng.standard_normal(40), 10)
    narrow = np.ptp(bootstrap_interval(series, rng))
    wide = np.ptp(bootstrap_interval(series, rng, block=20))
    assert wide > 2 * narrow  # ten equal neighbours: √10 in theory


def test_that_bins_which_do_not_divide_are_refused():
    with pytest.raises(InputError, match="bins"):
        rank_histogram(np.array([0, 1]), 9, bins=4)
    with pytest.raises(InputError, match="ranks"):
        rank_histogram(np.array([11]), 9)
