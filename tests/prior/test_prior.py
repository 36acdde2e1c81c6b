import dataclasses

import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.geology.section import Section, load_section
from seisflow.grid import Grid
from seisflow.prior import PermeabilityPrior, gaussian_field, permeability_from_velocity
from seisflow.seeds import generator
from seisflow.units import MILLIDARCY


def test_that_a_gaussian_field_has_the_stated_covariance(rng):
    grid, length = Grid((24, 20), (10.0, 5.0)), (30.0, 12.0)
    fields = np.stack([gaussian_field(grid, length, rng) for _ in range(3000)])
    # Standard error of a covariance from n = 3000 independent fields: at most sqrt(2/n) = 0.026; 4 of them.
    for shift_x, shift_z in ((0, 0), (3, 0), (0, 2), (4, 3)):
        sample = (fields[:, 5, 5] * fields[:, 5 + shift_x, 5 + shift_z]).mean()
        exact = np.exp(-0.5 * ((shift_x * 10 / 30) ** 2 + (shift_z * 5 / 12) ** 2))
        assert abs(sample - exact) < 4 * np.sqrt(2 / 3000)


def test_that_opposite_ends_of_a_gaussian_field_do_not_know_each_other(rng):
    grid = Grid((20, 4), (10.0, 10.0))
    fields = np.stack([gaussian_field(grid, (20.0, 20.0), rng) for _ in range(3000)])
    # On an unpadded torus the ends would be neighbours with correlation 0.88.
    assert abs((fields[:, 0, 0] * fields[:, -1, 0]).mean()) < 4 / np.sqrt(3000)


def test_that_the_velocity_rule_gives_the_published_values():
    v = np.array([2500.0, 3499.0, 3500.0, 3750.0, 4000.0, 4500.0])
    expected = [0.01 * np.exp(-1), 0.01 * np.exp(-0.001), 0.01, np.sqrt(0.01 * 3000), 3000, 3000 * np.exp(0.5)]
    np.testing.assert_allclose(permeability_from_velocity(v) / MILLIDARCY, expected, rtol=1e-12)


@pytest.fixture(scope="module")
def compass_prior():
    return PermeabilityPrior(load_section("compass_slice"), Grid((64, 64), (50.0, 25.0), (300.0, 446.0), 100.0))


def test_that_the_prior_has_a_continuous_seal_over_a_reservoir(compass_prior):
    K = compass_prior.draw([generator(0, "permeability", 0, m) for m in range(6)])["permeability"] / MILLIDARCY
    assert np.isfinite(K).all()
    assert (K > 0).all()
    seal = np.isclose(K, 1e-3)
    # 50 m over cells of 25 m: two cells in every column, three where the top lies just so.
    assert set(np.unique(seal.sum(axis=2))) <= {1, 2, 3}
    for member, sealed in zip(K, seal, strict=True):
        first = sealed.argmax(axis=1)
        below = [member[i, first[i] + 3 :] for i in range(member.shape[0])]
        assert np.median(np.concatenate(below)) > 100
        assert all(member[i, : first[i]].max() < 1.0 for i in range(member.shape[0]))


def test_that_draws_differ_and_repeat_with_their_generator(compass_prior):
    a, b = (compass_prior.realisation(generator(0, "permeability", 0, m)) for m in (0, 1))
    assert np.abs(np.log(a) - np.log(b)).mean() > 0.1
    np.testing.assert_array_equal(a, compass_prior.realisation(generator(0, "permeability", 0, 0)))


def test_that_without_noise_and_warp_the_prior_is_the_rule_itself(compass_prior):
    still = dataclasses.replace(compass_prior, noise_std=0.0, warp_std=(0.0, 0.0))
    np.testing.assert_array_equal(still.realisation(generator(0, "a")), still.realisation(generator(1, "b")))


def test_that_a_grid_beyond_the_section_is_refused():
    with pytest.raises(InputError, match=r"grid\.extent"):
        PermeabilityPrior(load_section("compass_slice"), Grid((64, 64), (50.0, 25.0), (3000.0, 446.0)))


def test_that_a_section_with_not_a_number_is_refused_with_its_place(tmp_path):
    velocity = np.full((4, 3), 2.0)
    velocity[2, 1] = np.nan
    np.savez(tmp_path / "bad.npz", velocity=velocity, density=np.ones((4, 3)), spacing=[1.0, 1.0])
    with pytest.raises(InputError, match=r"velocity = nan: cell \(2, 1\)"):
        load_section(tmp_path / "bad.npz")
    with pytest.raises(InputError, match="no such file"):
        load_section(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(InputError, match="must hold the arrays"):
        load_section(tmp_path / "text.npz")


def test_that_a_section_refuses_other_shapes():
    with pytest.raises(InputError, match=r"density\.shape"):
        Section(Grid((2, 2), (1.0, 1.0)), np.ones((2, 2)), np.ones((2, 3)))
