import numpy as np
import pytest

from seisflow.diagnostics import front_width
from seisflow.errors import InputError


def ramp(cells, axis, ndim=2, size=24):
    """S from 0 to 0.6 along an axis with ``cells`` cells between 0.01 and 0.15, one member."""
    between = 0.01 + 0.14 * (np.arange(cells) + 0.5) / max(cells, 1)
    line = np.concatenate([np.zeros(8), between, np.full(size - 8 - cells, 0.6)])
    shape = [1] * ndim
    shape[axis] = size
    return np.broadcast_to(line.reshape(shape), (size,) * ndim)[None]


@pytest.mark.parametrize("cells", [0, 1, 5])
@pytest.mark.parametrize(("axis", "ndim"), [(0, 1), (0, 2), (1, 2), (2, 3)])
def test_that_a_ramp_of_n_cells_is_n_cells_wide(cells, axis, ndim):
    assert front_width(ramp(cells, axis, ndim))[0] == pytest.approx(cells, rel=1e-12)


def test_that_a_sharp_plume_has_no_width_wherever_it_lies_and_a_blurred_one_has():
    x, z = np.meshgrid(*[np.arange(80)] * 2, indexing="ij")
    radius = np.hypot(x - 40.3, z - 38.9)
    assert front_width(np.where(radius < 20, 0.6, 0.0)[None])[0] == 0
    # A linear edge of slope 0.14 in n cells: w = n whichever way the front runs. Cells along the rim are counted whole, and
    # forward differences see a circle's length to a few percent.
    for n in (4, 8):
        edge = np.clip(0.08 - (radius - 20) * 0.14 / n, 0, 0.6)
        assert front_width(edge[None])[0] == pytest.approx(n, rel=0.05)


def test_that_every_member_has_its_own_and_none_without_a_plume():
    stack = np.concatenate([ramp(2, 0), np.zeros((1, 24, 24)), ramp(3, 1)])
    width = front_width(stack)
    assert width[[0, 2]] == pytest.approx([2, 3])
    assert np.isnan(width[1])


def test_that_an_average_of_sharp_plumes_is_wide():
    members = np.concatenate(
        [np.roll(ramp(0, 0), shift, axis=1) * (np.arange(24) < 20)[None, :, None] for shift in range(6)]
    )
    assert np.nanmax(front_width(members)) == 0
    assert front_width(members.mean(axis=0)[None])[0] > 0


def test_that_levels_must_be_in_order():
    with pytest.raises(InputError, match="low"):
        front_width(ramp(2, 0), 0.2, 0.1)
