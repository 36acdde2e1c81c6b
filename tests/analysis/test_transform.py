import numpy as np
import pytest

from seisflow.analysis.transform import LevelSetSaturation, Relative, StateTransform
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError


def plumes(rng, M=6, shape=(50, 37)):
    x, z = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    centre, radius = rng.uniform(15, 30, (M, 1, 1)), rng.uniform(4, 11, (M, 1, 1))
    inside = (x - centre) ** 2 + (z - 18) ** 2 < radius**2
    return np.where(inside, 0.2 + 0.6 * rng.random((M, *shape)), 0.0)


def state(rng, M=6, shape=(50, 37)):
    return Ensemble(
        {
            "permeability": rng.random((M, *shape)),
            "saturation": plumes(rng, M, shape),
            "pressure": 1.5e7 + 1e5 * rng.standard_normal((M, *shape)),
        },
        time=3.0,
    )


def test_that_saturation_comes_back_with_its_exact_zeros(rng):
    S, m = plumes(rng), LevelSetSaturation(residual_brine=0.1)
    back = m.inverse(m.forward(S))
    np.testing.assert_array_equal(back, S)  # u = S where wet, and dry cells lie below zero: nothing is rounded


def test_that_any_latent_gives_saturations_within_bounds(rng):
    S = LevelSetSaturation(residual_brine=0.2).inverse(5 * rng.standard_normal((3, 20, 20)))
    assert S.min() == 0.0
    assert S.max() == pytest.approx(0.8)
    assert not ((S > 0) & (S < 1e-3)).any()


def test_that_the_latent_falls_with_distance_from_the_plume():
    S = np.zeros((1, 30, 3))
    S[0, 0] = 0.5
    u = LevelSetSaturation(slope=0.1, reach=10).forward(S)[0, :, 1]
    assert (np.diff(u) < 0).all()
    assert u[1] == pytest.approx(-0.1, rel=0.06)  # one cell away: slope, less half of 1/reach
    assert u[-1] > -0.1 * 10


def test_that_a_member_without_plume_lies_at_the_far_end():
    u = LevelSetSaturation(slope=0.1, reach=10).forward(np.zeros((2, 4, 4)))
    np.testing.assert_allclose(u, -1.0)


def test_that_a_shift_of_the_latent_moves_the_front_and_keeps_it_sharp():
    m = LevelSetSaturation(slope=0.1, reach=50)
    S = np.zeros((1, 40, 3))
    S[0, :20] = 0.5
    wet = (m.inverse(m.forward(S) + 0.35) > 0)[0, :, 1].sum()
    assert wet == 23  # a lift of 0.35 wets the three cells whose distance costs less than that


def test_that_a_fitted_transform_round_trips_fields_of_any_size(rng):
    ensemble = state(rng)
    fitted = StateTransform({"saturation": LevelSetSaturation(), "pressure": Relative(1.5e7)}).fit(ensemble, multiple=8)
    x = fitted.forward(ensemble)
    assert x.shape == (6, 2, 56, 40)
    assert x.dtype == np.float32
    back = fitted.inverse(x, ensemble)
    # float32 in units of a deviation: 1e-6 of order-one numbers, times the deviations (0.3, 1e5 Pa).
    np.testing.assert_allclose(back["saturation"], ensemble["saturation"], atol=2e-6)
    np.testing.assert_array_equal(back["saturation"] == 0, ensemble["saturation"] == 0)
    np.testing.assert_allclose(back["pressure"], ensemble["pressure"], atol=1.0)
    assert back["permeability"] is ensemble["permeability"]
    assert back.time == 3.0


def test_that_latents_are_standardised_cell_by_cell(rng):
    ensemble = Ensemble({"v": 5 + rng.gamma(2.0, size=(200, 4, 4)) * np.arange(1, 17).reshape(4, 4)})
    x = StateTransform({"v": Relative()}).fit(ensemble).forward(ensemble)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)  # float32 sums
    np.testing.assert_allclose(x.std(axis=0, ddof=1), 1, atol=1e-5)


def test_that_cells_without_spread_do_not_explode(rng):
    v = rng.standard_normal((20, 4, 4))
    v[:, 0] = 1.0
    v[:, 1, 0] *= 1e-9
    x = StateTransform({"v": Relative()}, floor=0.05).fit(Ensemble({"v": v})).forward(Ensemble({"v": v + 0.1}))
    assert np.abs(x).max() < 10  # 0.1 over a floor of 0.05 × about 0.85, plus 4 deviations elsewhere
    constant = Ensemble({"v": np.ones((5, 4, 4))})
    assert np.isfinite(StateTransform({"v": Relative()}).fit(constant).forward(constant)).all()


@pytest.mark.parametrize("arguments", [{"residual_brine": 1.0}, {"slope": 0.0}, {"reach": np.nan}, {"threshold": -1.0}])
def test_that_impossible_parameters_are_refused(arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        LevelSetSaturation(**arguments)


def test_that_missing_or_broken_fields_are_refused(rng):
    with pytest.raises(InputError, match="pressure"):
        StateTransform().fit(Ensemble({"saturation": np.zeros((3, 4, 4))}))
    broken = state(rng, 3, (4, 4))["pressure"].copy()
    broken[1, 2, 2] = np.nan
    with pytest.raises(InputError, match="finite"):
        StateTransform({"pressure": Relative()}).fit(Ensemble({"pressure": broken}))
