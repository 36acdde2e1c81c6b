"""The contract gate of `tests/test_contracts.py` for the learned analysis of vectors, with Glow and with HINT."""

import numpy as np
import pytest
import torch

from seisflow.analysis.base import Evidence
from seisflow.analysis.learned.vector_flow import LearnedFlow, VectorFlow
from seisflow.covariance import DiagonalCovariance
from seisflow.diagnostics import rank_histogram, rank_test, ranks
from seisflow.ensemble import Ensemble
from seisflow.learning.flows import GlowOptions
from seisflow.learning.training import TrainingOptions
from tests.analyses import LinearProblem

QUICK = TrainingOptions(epochs=12, batch=50, learning_rate=4e-3, patience=12)
KINDS = [("affine", "joint"), ("recursive", "joint"), ("affine", "reference"), ("recursive", "reference")]
THOROUGH = [k if k == ("affine", "joint") else pytest.param(*k, marks=pytest.mark.slow) for k in KINDS]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def analysis(coupling, sampling, training=QUICK, bound=0.5):
    options = GlowOptions(scales=1, steps=4, hidden=24, summary=8, dropout=0.0, coupling=coupling, depth=1, bound=bound)
    return VectorFlow(LearnedFlow(options, training), sampling)


def updated(method, problem, forecast, rng, noise=None, observed=None):
    predicted = problem.predict(forecast)
    return method.update(
        forecast, Evidence(predicted, observed or problem.observed, noise or problem.noise), rng
    ).ensemble


@pytest.mark.parametrize(("coupling", "sampling"), THOROUGH)
def test_that_mean_and_covariance_are_the_exact_ones(coupling, sampling, rng):
    problem, M = LinearProblem(), 2000
    mean, covariance = problem.exact
    x = updated(analysis(coupling, sampling), problem, problem.forecast(M, rng), rng)["state"]
    spread = np.sqrt(np.diag(problem.P))
    errors = np.abs(x.mean(axis=0) - mean) / spread, np.abs(np.cov(x.T) - covariance) / np.outer(spread, spread)
    print(f"{coupling} {sampling}: mean {errors[0].max():.3f}, covariance {errors[1].max():.3f} of the prior's")
    # Error of training, in prior deviations and variances; the Monte-Carlo error of 2,000 members is a fifth of it.
    assert errors[0].max() < 0.12
    assert errors[1].max() < 0.15


@pytest.mark.parametrize(("coupling", "sampling"), THOROUGH)
def test_that_uninformative_data_give_back_the_forecast(coupling, sampling, rng):
    problem, M = LinearProblem(), 1000
    forecast = problem.forecast(M, rng)
    noise = DiagonalCovariance(np.full(2, 1e12))
    x, before = updated(analysis(coupling, sampling), problem, forecast, rng, noise)["state"], forecast["state"]
    spread = before.std(axis=0)
    assert (np.abs(x.mean(axis=0) - before.mean(axis=0)) / spread).max() < 0.12
    assert np.abs((np.cov(x.T) - np.cov(before.T)) / np.outer(spread, spread)).max() < 0.15


@pytest.mark.parametrize(("coupling", "sampling"), KINDS)
def test_that_every_member_is_written_for_odd_sizes_and_the_input_stays(coupling, sampling, rng):
    problem, M = LinearProblem(), 37
    state = problem.forecast(M, rng)["state"]
    kept = state.copy()
    method = analysis(coupling, sampling, TrainingOptions(epochs=2, batch=8))
    results = []
    for _ in range(2):
        forecast = Ensemble({"state": state}, time=7.0)
        results.append(updated(method, problem, forecast, np.random.default_rng(5)))
    np.testing.assert_array_equal(state, kept)
    np.testing.assert_array_equal(results[0]["state"], results[1]["state"])
    assert results[0]["state"].shape == (M, 4)
    assert results[0].time == 7.0
    assert np.isfinite(results[0]["state"]).all()
    assert len(np.unique(results[0]["state"], axis=0)) == M


@pytest.mark.slow
@pytest.mark.parametrize("coupling", ["affine", "recursive"])
def test_that_ranks_of_the_truth_are_uniform(coupling, rng):
    # One training per datum: 100 data, 10 bins with 10 expected in each, where the gate of the other methods has 25.
    problem, M, trials = LinearProblem(), 199, 100
    found = np.empty((trials, 4), int)
    for k in range(trials):
        truth = problem.forecast(1, rng)
        data = Ensemble({"data": problem.predict(truth)["data"] + problem.noise.sample(1, rng)})
        x = updated(analysis(coupling, "joint"), problem, problem.forecast(M, rng), rng, observed=data)["state"]
        found[k] = ranks(x, truth["state"][0])
    chances = [rank_test(rank_histogram(found[:, c], M, bins=10))[1] for c in range(4)]
    print(f"{coupling}: chances {np.round(chances, 3)}")
    assert min(chances) > 1e-4  # an honest method fails once in 10⁴ tests
