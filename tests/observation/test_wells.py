import numpy as np
import pytest

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import Wells

GRID = Grid((6, 4), (50.0, 25.0))
INITIAL = 1e7 + 1e4 * GRID.depth


def states(members=3):
    stream = np.random.default_rng(1)
    pressure = INITIAL + 1e6 * stream.standard_normal((members, *GRID.shape))
    return Ensemble({"saturation": stream.uniform(0, 1, (members, *GRID.shape)), "pressure": pressure}, 5.0)


def test_that_wells_log_the_columns_that_hold_them():
    data = Wells(GRID, [75.0, 299.0], INITIAL).predict(states())
    assert data.names == ("well_saturation", "well_pressure")
    assert data["well_saturation"].shape == (3, 2, 4)
    np.testing.assert_array_equal(data["well_saturation"][:, 0], states()["saturation"][:, 1])
    np.testing.assert_array_equal(data["well_pressure"][:, 1], (states()["pressure"] - INITIAL)[:, 5])
    assert data.time == 5.0


def test_that_three_dimensional_wells_stand_at_x_and_y():
    grid = Grid((3, 4, 5), (10.0, 10.0, 10.0))
    saturation = np.random.default_rng(0).uniform(0, 1, (2, 3, 4, 5))
    ensemble = Ensemble({"saturation": saturation, "pressure": np.zeros((2, 3, 4, 5))})
    wells = Wells(grid, [(25.0, 5.0)], np.zeros(grid.shape))
    np.testing.assert_array_equal(wells.predict(ensemble)["well_saturation"][:, 0], saturation[:, 2, 0])
    assert wells.channels(wells.predict(ensemble))[0, 2].sum() == 5


def test_that_the_noise_has_the_stated_standard_deviations():
    wells = Wells(GRID, [75.0], INITIAL, saturation_std=0.03, pressure_std=2e4)
    truth = states(1)
    errors = np.stack(
        [
            wells.observe(truth, np.random.default_rng(seed)).pack()[0] - wells.predict(truth).pack()[0]
            for seed in range(400)
        ]
    )
    np.testing.assert_allclose(wells.noise.variance, [0.03**2] * 4 + [2e4**2] * 4)
    # 1600 draws each: their standard deviation is known to 1.8 % (one sigma)
    assert errors[:, :4].std() == pytest.approx(0.03, rel=0.08)
    assert errors[:, 4:].std() == pytest.approx(2e4, rel=0.08)


def test_that_channels_are_zero_away_from_the_wells():
    wells = Wells(GRID, [75.0, 225.0], INITIAL, pressure_scale=1e6)
    data = wells.predict(states())
    channels = wells.channels(data)
    assert channels.shape == (3, 3, 6, 4)
    assert channels.dtype == np.float32
    np.testing.assert_allclose(channels[:, 0, 1], data["well_saturation"][:, 0], rtol=1e-6)
    np.testing.assert_allclose(channels[:, 1, 4], data["well_pressure"][:, 1] / 1e6, rtol=1e-6)
    away = np.setdiff1d(np.arange(6), [1, 4])
    assert (channels[:, :, away] == 0).all()
    assert (channels[:, 2, [1, 4]] == 1).all()


@pytest.mark.parametrize(
    ("positions", "options", "name"),
    [
        ([301.0], {}, "outside"),
        ([], {}, "at least one"),
        ([60.0, 70.0], {}, "column of its own"),
        ([(60.0, 70.0)], {}, "coordinate"),
        ([60.0], {"pressure_std": 0.0}, "pressure_std"),
    ],
)
def test_that_bad_wells_are_refused(positions, options, name):
    with pytest.raises(InputError, match=name):
        Wells(GRID, positions, INITIAL, **options)
