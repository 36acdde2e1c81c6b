"""The gate that every analysis passes: `tests/analyses.py` lists them."""

import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.covariance import DiagonalCovariance
from seisflow.diagnostics import rank_histogram, rank_test, ranks
from seisflow.ensemble import Ensemble
from tests.analyses import ENTRIES, Entry, LinearProblem

EVERY = [pytest.param(e, id=e.name, marks=[pytest.mark.slow] if e.slow else []) for e in ENTRIES]


def updated(entry, problem, members, rng, noise=None, forecast=None, observed=None):
    forecast = problem.forecast(members, rng) if forecast is None else forecast
    operator = problem.predict if entry.operator else None
    evidence = Evidence(problem.predict(forecast), observed or problem.observed, noise or problem.noise, operator)
    posterior = entry.build(problem).update(forecast, evidence, rng)
    return forecast, posterior.ensemble


@pytest.mark.parametrize("entry", EVERY)
def test_that_mean_and_covariance_are_the_exact_ones(entry: Entry, rng):
    problem, N = LinearProblem(), entry.members * entry.repeats
    mean, covariance = problem.exact if entry.expected is None else entry.expected(problem)
    runs = [updated(entry, problem, entry.members, rng)[1]["state"] for _ in range(entry.repeats)]
    # The sampling error of the forecast's moments goes through the gain: at most that of N draws of the prior, sqrt(P/N)
    # for a mean and sqrt(2/N) P for a covariance; `factor` of them. A gain from M members is biased by about 1/M, less.
    largest = np.diag(problem.P).max()
    found = np.mean([x.mean(axis=0) for x in runs], axis=0)
    np.testing.assert_allclose(found, mean, atol=entry.factor * np.sqrt(largest / N))
    found = np.mean([np.cov(x.T) for x in runs], axis=0)
    np.testing.assert_allclose(found, covariance, atol=entry.factor * np.sqrt(2 / N) * largest)


@pytest.mark.parametrize("entry", [p for p in EVERY if p.values[0].uses_noise])
def test_that_uninformative_data_give_back_the_forecast(entry: Entry, rng):
    problem = LinearProblem()
    M = 37 if entry.keeps_members else 1000
    forecast, posterior = updated(entry, problem, M, rng, noise=DiagonalCovariance(np.full(2, 1e12)))
    before, after = forecast["state"], posterior["state"]
    if entry.keeps_members:
        # Gains of order 1e-12 times perturbations of order 1e6.
        np.testing.assert_allclose(after, before, atol=1e-4)
        return
    largest = np.diag(problem.P).max()  # two independent samples: √2 more than one, inside the factor
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=entry.factor * np.sqrt(largest / M))
    np.testing.assert_allclose(np.cov(after.T), np.cov(before.T), atol=entry.factor * np.sqrt(2 / M) * largest)


@pytest.mark.parametrize("entry", EVERY)
def test_that_every_member_is_written_for_odd_sizes_and_the_input_stays(entry: Entry, rng):
    problem, M = LinearProblem(), 37
    state = problem.forecast(M, rng)["state"]
    kept = state.copy()
    _, posterior = updated(entry, problem, M, rng, forecast=Ensemble({"state": state}, time=7.0))
    np.testing.assert_array_equal(state, kept)
    assert posterior["state"].shape == (M, 4)
    assert posterior["state"].dtype == state.dtype
    assert posterior.time == 7.0
    # A member that a loop over batches forgot would be zero, not-a-number, or the forecast's.
    assert np.isfinite(posterior["state"]).all()
    assert (posterior["state"] != 0).any(axis=1).all()


@pytest.mark.parametrize("entry", EVERY)
def test_that_the_same_generator_gives_the_same_members(entry: Entry):
    first, second = (updated(entry, LinearProblem(), 23, np.random.default_rng(5))[1]["state"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("entry", [p for p in EVERY if p.values[0].calibrated])
def test_that_ranks_of_the_truth_are_uniform(entry: Entry, rng):
    problem, M, trials = LinearProblem(), 49, 250
    found = np.empty((trials, 4), int)
    for k in range(trials):
        truth = problem.forecast(1, rng)
        data = problem.predict(truth)["data"] + problem.noise.sample(1, rng)
        x = updated(entry, problem, M, rng, observed=Ensemble({"data": data}))[1]["state"]
        found[k] = ranks(x, truth["state"][0])
    for component in range(4):
        # 25 expected in each of 10 bins; an honest method fails once in 10⁴ tests.
        assert rank_test(rank_histogram(found[:, component], M, bins=10))[1] > 1e-4
