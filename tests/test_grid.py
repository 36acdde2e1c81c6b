import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from seisflow.errors import InputError
from seisflow.geology.section import load_section
from seisflow.grid import Grid, average, interpolate


def test_that_centres_and_depth_follow_origin_and_spacing():
    grid = Grid((2, 3), (10.0, 5.0), (100.0, 40.0), thickness=7.0)
    assert grid.centres(0).tolist() == [105.0, 115.0]
    assert grid.depth[1].tolist() == [42.5, 47.5, 52.5]
    assert grid.cell_volume == 10 * 5 * 7
    assert grid.extent == ((100.0, 120.0), (40.0, 55.0))


def test_that_averaging_preserves_the_integral_when_coarsening(rng):
    fine, coarse = Grid((12, 30), (2.0, 1.0), (5.0, 3.0)), Grid((4, 7), (6.0, 30 / 7), (5.0, 3.0))
    field = rng.standard_normal((3, *fine.shape))
    moved = average(field, fine, coarse)
    # Sums of 360 products in another order: 1e-12 relative is 4 digits above rounding.
    np.testing.assert_allclose(
        moved.sum(axis=(1, 2)) * np.prod(coarse.spacing), field.sum(axis=(1, 2)) * np.prod(fine.spacing), rtol=1e-12
    )


def test_that_averaging_keeps_constants_also_beyond_the_source():
    field = np.full((4, 4), 2.5)
    moved = average(field, Grid((4, 4), (1.0, 1.0)), Grid((5, 3), (2.0, 2.0), (-3.0, -1.0)))
    np.testing.assert_allclose(moved, 2.5, rtol=1e-14)


def test_that_interpolation_is_exact_for_linear_fields_in_the_interior_and_for_three_axes():
    source = Grid((5, 4, 6), (2.0, 3.0, 1.0))
    target = Grid((7, 3, 5), (1.0, 2.0, 0.9), (1.5, 2.0, 0.7))

    def plane(grid):
        x, y, z = np.meshgrid(*(grid.centres(a) for a in range(3)), indexing="ij")
        return 2 * x - y + 3 * z

    np.testing.assert_allclose(interpolate(plane(source), source, target), plane(target), rtol=1e-12)


def test_that_interpolation_keeps_exact_zeros_and_the_dtype():
    field = np.zeros((6, 6), np.float32)
    field[4, 4] = 1.0
    moved = interpolate(field, Grid((6, 6), (4.0, 4.0)), Grid((24, 24), (1.0, 1.0)))
    assert moved.dtype == np.float32
    assert (moved[:12, :] == 0.0).all()
    assert moved.max() > 0.5


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (((0, 4), (1.0, 1.0)), "grid.shape"),
        (((4,), (1.0,)), "grid.shape"),
        (((4, 4), (1.0, -1.0)), "grid.spacing"),
        (((4, 4), (1.0, 1.0), (np.nan, 0.0)), "grid.origin"),
    ],
)
def test_that_a_bad_grid_is_refused_by_name(arguments, name):
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        Grid(*arguments)


def test_that_a_point_is_located_or_refused():
    grid = Grid((4, 4), (10.0, 5.0), (0.0, 100.0))
    assert grid.locate((39.9, 100.0)) == (3, 0)
    assert grid.locate((40.0, 120.0)) == (3, 3)
    with pytest.raises(InputError, match="outside"):
        grid.locate((41.0, 110.0))


@pytest.mark.parametrize("move", [average, interpolate])
def test_that_no_bit_depends_on_the_threads_of_blas_or_on_how_many_fields_come_at_once(move):
    section = load_section("compass_slice")
    target = Grid((64, 64), (50.0, 25.0), (300.0, 446.0))
    field = np.stack([section.velocity, section.density])
    results = []
    for threads in (1, 2):  # as a dense product this differed in the last bit
        with threadpool_limits(threads, user_api="blas"):
            results.append(move(field[0], section.grid, target))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(move(field, section.grid, target)[0], results[0])
