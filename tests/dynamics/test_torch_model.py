import numpy as np
import pytest
import torch

from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.variational.four_d_var import FourDVar
from seisflow.analysis.variational.window import Window
from seisflow.covariance import DiagonalCovariance
from seisflow.dynamics.torch_model import TorchModel
from seisflow.dynamics.vector_model import rk4_step
from seisflow.ensemble import Ensemble
from seisflow.observation.vector import VectorObservation
from seisflow.testbeds.experiment import Experiment
from seisflow.testbeds.lorenz63 import Lorenz63


def torch_lorenz63():
    def tendency(x):
        a, b, c = x.unbind(-1)
        return torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], dim=-1)

    return TorchModel(lambda x: rk4_step(tendency, x, 0.01), 3, 0.01)


def test_that_autograd_gives_the_tangent_and_adjoint_written_by_hand(rng):
    model, exact = torch_lorenz63(), Lorenz63()
    x, dx = 5 * rng.standard_normal((1, 3)), rng.standard_normal((4, 3))
    # The same arithmetic in another order: rounding, grown by ten chaotic steps.
    np.testing.assert_allclose(model.tangent(x, dx, 0, 0.1), exact.tangent(x, dx, 0, 0.1), rtol=1e-10)
    np.testing.assert_allclose(model.adjoint(x, dx, 0, 0.1), exact.adjoint(x, dx, 0, 0.1), rtol=1e-10)


def test_that_4d_var_through_autograd_is_4d_var():
    scores = []
    for model in (torch_lorenz63(), Lorenz63()):
        observation = VectorObservation(DiagonalCovariance(np.full(3, 2.0)))
        start = np.array([1.509, -1.531, 25.46])
        experiment = Experiment(model, observation, start, DiagonalCovariance(np.full(3, 2.0)), 0.1, cycles=6)
        analysis = FourDVar(Window(model, 0.1, 2), observation, StaticCovariance(Ensemble({"state": np.eye(3)})))
        scores.append(experiment.run(analysis, 1, 1).rmse)
    # Rounding, grown by sixty chaotic steps.
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-6)
    assert scores[0][-1] == pytest.approx(0, abs=3.0)  # it follows the truth: climatology has 7.6
