"""Lorenz-63, Lorenz-96 and the linear model: order of the integrator, derivatives, composition, known properties."""

import numpy as np
import pytest

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.testbeds.linear import LinearModel
from seisflow.testbeds.lorenz63 import Lorenz63
from seisflow.testbeds.lorenz96 import Lorenz96

MODELS = [Lorenz63(), Lorenz96(), Lorenz96(7), LinearModel(np.array([[0.9, 0.3], [-0.2, 1.1]]), shift=0.5)]


def run(model, x, steps):
    return model.advance(Ensemble({"state": x}), 0.0, steps * model.step).ensemble["state"]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{type(m).__name__}, {m.size}")
def test_that_two_intervals_are_the_whole_and_members_do_not_mix(model, rng):
    x = 3 * rng.standard_normal((5, model.size))
    kept = x.copy()
    whole = run(model, x, 8)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(run(model, run(model, x, 3), 5), whole)
    np.testing.assert_array_equal(run(model, x[[4, 0]], 8), whole[[4, 0]])


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{type(m).__name__}, {m.size}")
def test_that_the_tangent_is_the_derivative_and_the_adjoint_its_transpose(model, rng):
    x, dx, dual = (rng.standard_normal((2, model.size)) for _ in range(3))
    x = 3 * x
    tangent, adjoint = model.tangent(x, dx, 0, 6 * model.step), model.adjoint(x, dual, 0, 6 * model.step)
    assert (tangent * dual).sum() == pytest.approx((adjoint * dx).sum(), rel=1e-12)  # rounding
    # Remainder of a first-order expansion: four times smaller when the step is halved.
    base = run(model, x, 6)
    error = [np.abs(run(model, x + h * dx, 6) - base - h * tangent).max() for h in (1e-2, 5e-3)]
    if isinstance(model, LinearModel):
        assert max(error) < 1e-12
    else:
        assert 3.6 < error[0] / error[1] < 4.4


@pytest.mark.parametrize(("kind", "steps"), [(Lorenz63, (0.02, 0.01)), (Lorenz96, (0.05, 0.025))])
def test_that_the_integrator_is_of_fourth_order(kind, steps, rng):
    x = 5 * rng.standard_normal((20, kind().size))
    fine = kind(step=steps[1] / 16)
    exact = fine.advance(Ensemble({"state": x}), 0.0, 0.2).ensemble["state"]
    coarse, half = (
        np.abs(kind(step=h).advance(Ensemble({"state": x}), 0.0, 0.2).ensemble["state"] - exact).max() for h in steps
    )
    # 2⁴ = 16 in the limit; at these steps higher orders still speak.
    assert 9 < coarse / half < 30


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{type(m).__name__}, {m.size}")
def test_that_the_initial_state_stays_at_rest(model):
    rest = model.initial_state(3)
    np.testing.assert_allclose(run(model, rest["state"], 10), rest["state"], atol=1e-12)


def test_that_the_other_fixed_points_of_lorenz_63_are_those_on_paper():
    c = np.sqrt(8 / 3 * 27)
    points = np.array([[c, c, 27.0], [-c, -c, 27.0]])
    np.testing.assert_allclose(Lorenz63().tendency(points), 0, atol=1e-12)


def test_that_lorenz_96_conserves_energy_in_its_advection_and_shifts_with_the_ring(rng):
    model, x = Lorenz96(12), rng.standard_normal((3, 12))
    # Σ x_i (x_{i+1} − x_{i−2}) x_{i−1} = 0: only damping and forcing change the energy.
    np.testing.assert_allclose((x * (model.tendency(x) + x - 8)).sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(model.tendency(np.roll(x, 5, 1)), np.roll(model.tendency(x), 5, 1), rtol=1e-14)


def test_that_a_member_that_explodes_is_not_a_number_and_the_others_are_not_touched(rng):
    x = rng.standard_normal((3, 40))
    x[1] *= 1e200
    after = run(Lorenz96(), x, 3)
    assert np.isnan(after[1]).all()
    np.testing.assert_array_equal(after[[0, 2]], run(Lorenz96(), x[[0, 2]], 3))


def test_that_wrong_use_is_refused():
    with pytest.raises(InputError, match="whole number of steps"):
        Lorenz63().advance(Lorenz63().initial_state(1), 0.0, 0.015)
    with pytest.raises(InputError, match="variables"):
        Lorenz96(3)
    with pytest.raises(InputError, match="matrix"):
        LinearModel(np.ones((2, 3)))
