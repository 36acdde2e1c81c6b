import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.components import OnComponents
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.particle.kernel_mixture import KernelMixture
from seisflow.analysis.transform import Relative, StateTransform
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

NOISE = DiagonalCovariance(np.full(5, 0.25))
OPERATOR = np.random.default_rng(0).standard_normal((24, 5)) / 5
TRANSFORM = StateTransform({"x": Relative()})


def forecast_and_data(rng, M=9):
    # 4 × 6 cells in a three-dimensional space of patterns: three components hold every member.
    patterns = rng.standard_normal((3, 24))
    x = 2.0 + rng.standard_normal((M, 3)) @ patterns
    forecast = Ensemble({"x": x.reshape(M, 4, 6)}, time=3.0)
    return forecast, observe(forecast), Ensemble({"y": rng.standard_normal((1, 5))})


def observe(ensemble):
    return Ensemble({"y": ensemble["x"].reshape(ensemble.size, -1) @ OPERATOR}, ensemble.time)


def test_that_with_all_components_and_a_linear_operator_nothing_is_lost(rng):
    forecast, predicted, observed = forecast_and_data(rng)
    # The data's directions are compared with the noise: with a tiny least value, all of them are kept.
    reduced = OnComponents(ETKF(), TRANSFORM, components=3, least=1e-9)
    found = reduced.update(forecast, Evidence(predicted, observed, NOISE), rng)
    full = ETKF().update(forecast, Evidence(predicted, observed, NOISE), rng).ensemble
    # Latents are standardised in float32: 24 values of size 3 to 1e-6 each.
    np.testing.assert_allclose(found.ensemble["x"], full["x"], atol=1e-4)
    assert found.statistics["components"] == 3
    assert found.statistics["variance_share"] == pytest.approx(1, abs=1e-6)
    assert found.ensemble.time == 3.0


def test_that_the_operator_of_components_is_that_of_the_state(rng):
    forecast, predicted, observed = forecast_and_data(rng)
    seen = {}

    class Look(OpenLoop):
        def update(self, forecast, evidence, generator, progress=None):
            seen["predicted"], seen["again"] = evidence.predicted["datum"], evidence.operator(forecast)["datum"]
            seen["noise"] = evidence.noise.variance
            return super().update(forecast, evidence, generator)

    posterior = OnComponents(Look(), TRANSFORM, components=3).update(
        forecast, Evidence(predicted, observed, NOISE, observe), rng
    )
    np.testing.assert_allclose(seen["again"], seen["predicted"], atol=1e-4)  # float32 latents, gains of order one
    np.testing.assert_array_equal(seen["noise"], 1.0)
    np.testing.assert_allclose(posterior.ensemble["x"], forecast["x"], atol=1e-5)  # nothing moved


def test_that_the_projected_noise_is_white(rng):
    forecast, predicted, observed = forecast_and_data(rng, M=40)
    data = []

    class Look(OpenLoop):
        def update(self, forecast, evidence, generator, progress=None):
            data.append(evidence.observed["datum"][0])
            return super().update(forecast, evidence, generator)

    analysis = OnComponents(Look(), TRANSFORM, components=3)
    for error in NOISE.sample(1000, rng):
        analysis.update(forecast, Evidence(predicted, observed.replace(y=observed["y"] + error), NOISE), rng)
    # 1000 draws: deviation of a variance √(2/1000) = 0.045; five of them.
    np.testing.assert_allclose(np.cov(np.array(data).T), np.eye(len(data[0])), atol=0.22)


def test_that_fewer_components_keep_the_largest_and_odd_numbers_are_refused(rng):
    forecast, predicted, observed = forecast_and_data(rng)
    one = OnComponents(OpenLoop(), TRANSFORM, components=1)
    posterior = one.update(forecast, Evidence(predicted, observed, NOISE), rng)
    assert 1 / 3 < posterior.statistics["variance_share"] < 1
    same = predicted.replace(y=np.ones((9, 5)))
    with pytest.raises(InputError, match="do not differ"):
        one.update(forecast, Evidence(same, observed, NOISE), rng)
    with pytest.raises(InputError, match="components"):
        OnComponents(OpenLoop(), components=0)


def test_that_a_kernel_mixture_keeps_mean_and_covariance_of_the_forecast(rng):
    forecast, predicted, observed = forecast_and_data(rng)
    seen = {}

    def look(kernels):
        seen["kernels"] = kernels
        return OpenLoop()

    centres = KernelMixture(look, 0.3, ("x",)).update(forecast, Evidence(predicted, observed, NOISE), rng).ensemble
    F, G = seen["kernels"].states.pack(), seen["kernels"].data.pack()
    both = np.cov(centres.pack().T) + F.T @ F
    np.testing.assert_allclose(both, np.cov(forecast.pack().T), atol=1e-9)
    np.testing.assert_allclose(centres.pack().mean(axis=0), forecast.pack().mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(G, F @ OPERATOR, atol=1e-9)  # the image of a linear operator is exact
    with pytest.raises(InputError, match="share"):
        KernelMixture(look, 1.0)
