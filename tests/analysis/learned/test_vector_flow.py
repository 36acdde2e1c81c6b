import numpy as np
import pytest
import torch

from seisflow.analysis.adjustments import Inflation
from seisflow.analysis.base import Evidence
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.learned.vector_flow import LearnedFlow, VectorFlow
from seisflow.analysis.particle.proposal_particle import ProposalParticleFilter
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.learning.flows.glow import GlowOptions
from seisflow.learning.training.train import TrainingOptions
from seisflow.testbeds import lorenz63_sakov2012
from tests.oracles import kalman

SMALL = LearnedFlow(
    GlowOptions(scales=1, steps=3, hidden=16, summary=8, dropout=0.0),
    TrainingOptions(epochs=40, batch=100, learning_rate=8e-3),
)
MEAN, P, H = np.array([10.0, -1.0]), np.array([[4.0, 0.6], [0.6, 1.0]]), np.array([[1.0, 0.0]])
NOISE, OBSERVED = DiagonalCovariance(np.array([1.0])), Ensemble({"y": np.array([[12.0]])})


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def observe(ensemble):
    return Ensemble({"y": ensemble["x"] @ H.T})


def gaussian_forecast(rng, M):
    return Ensemble({"x": rng.multivariate_normal(MEAN, P, size=M)})


@pytest.mark.parametrize("sampling", ["joint", "reference"])
def test_that_a_small_flow_finds_the_kalman_posterior(rng, sampling):
    M = 301
    forecast = gaussian_forecast(rng, M)
    analysis = VectorFlow(SMALL, sampling)
    x = analysis.update(forecast, Evidence(observe(forecast), OBSERVED, NOISE), np.random.default_rng(1)).ensemble["x"]
    mean, covariance = kalman(MEAN, P, H, np.eye(1), OBSERVED["y"][0])
    # Training error: a fifth of the prior's deviation in the mean, a third of a variance. Without data both are far off:
    # the mean moves by 1.6, the variance from 4 to 0.8.
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=0.4)
    np.testing.assert_allclose(np.diag(np.cov(x.T)), np.diag(covariance), rtol=0.35)
    again = analysis.update(forecast, Evidence(observe(forecast), OBSERVED, NOISE), np.random.default_rng(1)).ensemble[
        "x"
    ]
    np.testing.assert_array_equal(x, again)
    assert x.shape == (M, 2)


def test_that_learned_densities_are_densities_in_the_units_of_the_state(rng):
    forecast = gaussian_forecast(rng, 200)
    q = SMALL.proposal(forecast, Evidence(observe(forecast), OBSERVED, NOISE), np.random.default_rng(2))
    p = SMALL.prior(forecast, np.random.default_rng(2))
    for density in (p, q):
        draws = density.sample(4000, rng)
        low, high = draws.min(axis=0) - 3, draws.max(axis=0) + 3
        axes = [np.linspace(a, b, 200) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        cell = np.prod((high - low) / 199)
        values = np.exp(density.log_prob(grid)) * cell
        # Midpoint sums on 200 × 200 cells of a smooth density, and float32.
        assert values.sum() == pytest.approx(1, abs=0.01)
        np.testing.assert_allclose(values @ grid, draws.mean(axis=0), atol=5 * 2 / np.sqrt(4000))


def test_that_a_learned_proposal_with_its_weights_is_closer_than_the_flow_alone(rng):
    forecast = gaussian_forecast(rng, 201)

    class Exact:
        def log_prob(self, x):
            return -0.5 * ((x - MEAN) * np.linalg.solve(P, (x - MEAN).T).T).sum(axis=1)

    filter_ = ProposalParticleFilter(SMALL.proposal, lambda *_: Exact(), draws=20)
    posterior = filter_.update(forecast, Evidence(observe(forecast), OBSERVED, NOISE, observe), rng)
    mean, _ = kalman(MEAN, P, H, np.eye(1), OBSERVED["y"][0])
    n_eff = posterior.statistics["effective_size"]
    assert n_eff > 400
    # 6 standard errors of N_eff draws of deviation 1: the weights put right what training got wrong.
    np.testing.assert_allclose(posterior.mean, mean, atol=6 / np.sqrt(n_eff))


def test_that_other_fields_are_carried_and_too_few_members_are_refused(rng):
    forecast = Ensemble({"x": rng.standard_normal((9, 2)), "permeability": rng.standard_normal((9, 3))})
    learned = LearnedFlow(SMALL.options, TrainingOptions(epochs=1, batch=50), fields=("x",))
    posterior = VectorFlow(learned).update(forecast, Evidence(observe(forecast), OBSERVED, NOISE), rng)
    np.testing.assert_array_equal(posterior.ensemble["permeability"], forecast["permeability"])
    few = forecast.members(slice(0, 7))
    with pytest.raises(InputError, match="forecast"):
        VectorFlow(learned).update(few, Evidence(observe(few), OBSERVED, NOISE), rng)


def test_that_an_untrained_flow_behind_a_regression_is_the_ensemble_kalman_filter(rng):
    M = 50
    forecast = gaussian_forecast(rng, M)
    # No validation loss is better than the first one at a step size of nothing: the untrained flow is kept.
    still = TrainingOptions(epochs=1, batch=50, learning_rate=1e-12)
    analysis = VectorFlow(LearnedFlow(SMALL.options, still, linear=True))
    x = analysis.update(forecast, Evidence(observe(forecast), OBSERVED, NOISE), np.random.default_rng(3)).ensemble["x"]
    X, Y = forecast["x"] - forecast["x"].mean(axis=0), observe(forecast)["y"]
    gain = X.T @ (Y - Y.mean(axis=0)) / (((Y - Y.mean(axis=0)) ** 2).sum() + (M - 1))
    # Perturbations drop out of the mean, since they are centred, and of the part of x that is uncorrelated with them.
    expected = forecast["x"].mean(axis=0) + gain[:, 0] * (OBSERVED["y"][0, 0] - Y.mean())
    np.testing.assert_allclose(x.mean(axis=0), expected, atol=1e-4)  # float32
    across = np.array([-gain[1, 0], gain[0, 0]])
    np.testing.assert_allclose(x @ across, forecast["x"] @ across, atol=1e-4)


def test_that_a_warm_start_goes_on_from_the_last_weights(rng):
    forecast = gaussian_forecast(rng, 100)
    data, warm = observe(forecast), TrainingOptions(epochs=1, batch=100, learning_rate=1e-12)
    analysis = VectorFlow(SMALL, warm=warm)
    first = analysis.update(forecast, Evidence(data, OBSERVED, NOISE), np.random.default_rng(1))
    second = analysis.update(forecast, Evidence(data, OBSERVED, NOISE), np.random.default_rng(1))
    for name, value in first.weights.items():
        np.testing.assert_allclose(second.weights[name], value, atol=1e-6, err_msg=name)  # one step of 1e-12
    assert (
        second.statistics["loss_validation"][0]
        < VectorFlow(SMALL)
        .update(forecast, Evidence(data, OBSERVED, NOISE), np.random.default_rng(1))
        .statistics["loss_validation"][0]
    )


def test_that_adjustments_come_after_the_flow(rng):
    forecast = gaussian_forecast(rng, 30)
    options = TrainingOptions(epochs=1, batch=30)
    plain, wide = (
        VectorFlow(LearnedFlow(SMALL.options, options), adjustments=a)
        .update(forecast, Evidence(observe(forecast), OBSERVED, NOISE), np.random.default_rng(1))
        .ensemble["x"]
        for a in ((), (Inflation(2.0),))
    )
    np.testing.assert_allclose(wide - wide.mean(axis=0), 2 * (plain - plain.mean(axis=0)), atol=1e-9)


def test_that_the_regression_leaves_the_kalman_deviation_for_units(rng):
    forecast = gaussian_forecast(rng, 2000)
    still = LearnedFlow(SMALL.options, TrainingOptions(epochs=1, batch=2000), linear=True)
    units = still.proposal(forecast, Evidence(observe(forecast), OBSERVED, NOISE), rng).units
    _, covariance = kalman(MEAN, P, H, np.eye(1), OBSERVED["y"][0])
    # 2000 members: a deviation is known to 1/√4000 = 1.6 %; five of them.
    np.testing.assert_allclose(units.deviation, np.sqrt(np.diag(covariance)), rtol=0.08)


@pytest.mark.slow
def test_that_a_warm_flow_follows_lorenz_63_as_the_enkf_does():
    setting = lorenz63_sakov2012.experiment(cycles=120)
    twin, inflation = setting.simulate(1), Inflation(1.01)
    again = TrainingOptions(epochs=6, batch=25, learning_rate=5e-4, noise=(0.02, 0.01))
    first = TrainingOptions(epochs=60, batch=25, learning_rate=2e-3, noise=(0.05, 0.01))
    learned = LearnedFlow(GlowOptions(scales=1, steps=4, hidden=32, summary=16, dropout=0.0), first, linear=True)
    flow = setting.run(VectorFlow(learned, warm=again, adjustments=(inflation,)), 100, 1, twin)
    enkf = setting.run(EnKF(("state",), adjustments=(inflation,)), 100, 1, twin)
    # 56 counted cycles, errors in bursts: two runs of the EnKF itself differ by 10 %. Without data both are at 7.6.
    assert flow.mean() < 1.3 * enkf.mean()
    # What the flow says of its own error, within the factor that the EnKF's spread is off on this model.
    assert 0.5 < flow.mean("spread") / flow.mean() < 2
