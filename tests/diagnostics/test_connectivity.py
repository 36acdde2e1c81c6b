"""Bodies of CO2 on fields whose bodies can be counted by eye."""

import numpy as np
import pytest

from seisflow.diagnostics.connectivity import bodies, ghosts
from seisflow.errors import InputError

FIELD = np.array([[0.5, 0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.3, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.2]])


def test_that_cells_hang_together_by_corners_too():
    assert bodies(np.stack([FIELD, np.zeros_like(FIELD), np.ones_like(FIELD)])).tolist() == [2, 0, 1]
    # A cell below the threshold is dry and parts what it lies between.
    assert bodies(np.where(FIELD == 0.3, 0.009, FIELD)[None]).tolist() == [2]
    corner = np.zeros((1, 2, 2, 2))
    corner[0, 0, 0, 0] = corner[0, 1, 1, 1] = 0.4
    assert bodies(corner).tolist() == [1]


def test_that_a_ghost_is_a_body_that_touches_nothing_reachable():
    reachable = np.zeros(FIELD.shape, bool)
    reachable[0, 0] = True
    expected = np.zeros(FIELD.shape, bool)
    expected[2, 4] = True
    # The third cell hangs on the first two by a corner: one reachable cell saves the body.
    np.testing.assert_array_equal(ghosts(FIELD[None], reachable), expected[None])
    reachable[2, 4] = True
    assert not ghosts(FIELD[None], reachable).any()
    np.testing.assert_array_equal(ghosts(FIELD[None], np.zeros_like(reachable))[0], FIELD > 0)


def test_that_every_member_is_judged_by_itself():
    other = np.zeros_like(FIELD)
    other[2, 3] = 0.7
    reachable = other > 0
    found = ghosts(np.stack([FIELD, other]), reachable)
    np.testing.assert_array_equal(found, [FIELD > 0, np.zeros_like(reachable)])


def test_that_another_shape_is_refused():
    with pytest.raises(InputError, match="reachable"):
        ghosts(FIELD[None], np.zeros(5, bool))
