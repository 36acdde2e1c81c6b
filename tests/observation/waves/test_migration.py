"""Images and linearised modelling: adjoints by dot products, derivatives by Taylor slopes, memory budgets bit for bit."""

import weakref

import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import Encoding, Imaging, Migration, Propagator, Survey, dot_test, taylor_slopes
from seisflow.observation.waves.background import Segments
from seisflow.observation.waves.revolve import advances
from tests.observation.models import SMALL, layered, relative

RANDOM = np.random.default_rng(20)


@pytest.mark.parametrize("condition", ["inverse_scattering", "zero_lag"])
def test_that_a_memory_budget_changes_no_bit_of_an_image(single, condition):
    gathers = RANDOM.standard_normal((3, single.n_samples, 20)).astype(np.float32)
    whole = ((single.n_steps - 1) // single.every + 1) * single.frame_bytes
    least = single.state_bytes + 3 * single.frame_bytes
    images, strategies, repetitions = [], [], []
    for memory in (None, 2.5 * whole, 0.9 * whole, 3.5 * single.state_bytes, least):
        migration = Migration(single, *layered(SMALL), Encoding.plain(3), Imaging(condition), memory)
        images.append(migration.image(gathers))
        strategies.append(migration.backgrounds.strategy)
        repetitions.append(migration.backgrounds.repetitions)
    assert strategies == ["stored", "recomputed", "checkpointed", "checkpointed", "checkpointed"]
    assert repetitions[:2] == [0, pytest.approx(2 / 3)]
    assert np.all(np.diff(repetitions) > 0)
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])
    with pytest.raises(InputError, match="at least"):
        _ = Migration(single, *layered(SMALL), Encoding.plain(3), Imaging(condition), 1000.0).backgrounds


class Copy(list):
    """A list whose end can be noticed, and that is not another."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def test_that_checkpoints_are_run_and_held_as_the_binomial_schedule_says(single, monkeypatch):
    gathers = RANDOM.standard_normal((1, single.n_samples, 20)).astype(np.float32)
    memory = 0.2 * single.n_steps / single.every * single.frame_bytes + 3 * single.state_bytes
    migration = Migration(single, *layered(SMALL), Encoding.plain(3), Imaging(), memory)
    length, slots = migration.backgrounds.plan
    segments = -(-single.n_steps // length)
    assert segments > slots > 1
    run, copy, advance = single.kernel.run, single.kernel.state, Segments.advance
    copies, most, steps = weakref.WeakSet(), [], {"forward": 0, "keep field": 0, "correlate": 0}

    def count(name, n, store):
        steps[name] += n
        run(name, n, store)

    def watch(into=None):
        if into is None:
            into = Copy(copy())
            copies.add(into)
            return into
        return copy(into)

    def look(*arguments):
        most.append(len(copies))
        advance(*arguments)

    monkeypatch.setattr(single.kernel, "run", count)
    monkeypatch.setattr(single.kernel, "state", watch)
    monkeypatch.setattr(Segments, "advance", look)
    migration.backgrounds.correlate(0, gathers[0])
    assert steps["forward"] == length * advances(segments, slots)
    assert steps["keep field"] == steps["correlate"] == single.n_steps
    assert migration.backgrounds.repetitions == 1 + steps["forward"] / single.n_steps
    assert max(most) <= slots  # the silence at the start takes none, the records' field takes one
    assert slots * single.state_bytes + migration.backgrounds._segment.nbytes <= memory


@pytest.mark.parametrize("n", [3, 4])
def test_that_a_full_set_of_orthogonal_supershots_gives_the_plain_image(n):
    survey = Survey.seabed(SMALL, 12.0, 0.8, n_sources=n, n_receivers=20, source_depth=170.0)
    p = Propagator(SMALL, survey, 3100.0, dtype=np.float64)
    gathers, images = RANDOM.standard_normal((n, p.n_samples, 20)), []
    for encoding in (Encoding.plain(n), Encoding.orthogonal(n, n)):
        images.append(Migration(p, *layered(SMALL), encoding, Imaging()).image(encoding.apply(gathers)))
    assert relative(*images) < 1e-12  # the crosstalk cancels but for rounding
    cut = Encoding.orthogonal(n, n - 1)
    assert relative(Migration(p, *layered(SMALL), cut, Imaging()).image(cut.apply(gathers)), images[0]) > 0.1


@pytest.mark.parametrize("condition", ["inverse_scattering", "zero_lag"])
def test_that_double_precision_adjoints_pass_the_dot_test_to_1e_12(double, condition):
    medium = double.medium(*layered(SMALL))
    signature = double.signature([1.0, -0.5, 0.0], 0.03)
    noise = RANDOM.standard_normal((double.n_samples, 20))
    assert dot_test(lambda s: double.forward(medium, s), lambda d: double.adjoint(medium, d), signature, noise) < 1e-12
    encoding = Encoding.random(3, 2, longest=10)
    options = Imaging(condition, mute_depth=100.0)
    migration = Migration(double, *layered(SMALL), encoding, options)
    kappa, noise = RANDOM.standard_normal(SMALL.shape), RANDOM.standard_normal((2, double.n_samples, 20))
    assert dot_test(migration.model, migration.image, kappa, noise) < 1e-12


@pytest.mark.parametrize("condition", ["inverse_scattering", "zero_lag"])
def test_that_single_precision_adjoints_pass_the_dot_test_to_1e_5_with_kept_steps_only(single, condition):
    assert single.every > 3
    medium = single.medium(*layered(SMALL))
    signature = single.signature([1.0, 1.0, 1.0])
    records = single.forward(single.medium(0.97 * layered(SMALL)[0], layered(SMALL)[1]), signature)
    pair = (lambda s: single.forward(medium, s), lambda d: single.adjoint(medium, d))
    assert dot_test(*pair, signature, records) < 1e-5
    migration = Migration(single, *layered(SMALL), Encoding.plain(3), Imaging(condition))
    scatterer = np.zeros(SMALL.shape)
    scatterer[20:40, 30:40] = RANDOM.standard_normal((20, 10)) * (1e-8 if condition == "zero_lag" else 1.0)
    gathers = migration.model(scatterer)
    assert dot_test(migration.model, migration.image, scatterer, gathers) < 1e-5


def test_that_the_dot_test_sees_a_wrong_adjoint(double):
    medium = double.medium(*layered(SMALL))
    other = double.medium(1.01 * layered(SMALL)[0], layered(SMALL)[1])
    signature = double.signature([1.0, 0.0, 0.0])
    records = double.forward(medium, signature)
    assert dot_test(lambda s: double.forward(medium, s), lambda d: double.adjoint(other, d), signature, records) > 1e-4


@pytest.mark.parametrize("condition", ["inverse_scattering", "zero_lag"])
def test_that_born_modelling_is_the_derivative_of_the_records(double, condition):
    velocity, density = layered(SMALL)
    shape = np.exp(-(((SMALL.centres(0)[:, None] - 480) / 60) ** 2) - ((SMALL.depth - 480) / 60) ** 2)
    migration = Migration(double, velocity, density, Encoding.plain(3), Imaging(condition, depth_power=0.0))
    direction = shape * (0.05 / 2500.0**2 if condition == "zero_lag" else 0.1)

    def records(eps):
        if condition == "zero_lag":  # m → m + ε δm
            medium = double.medium((velocity**-2 + eps * direction) ** -0.5, density)
        else:  # b → b (1 + ε κ) at fixed velocity
            medium = double.medium(velocity, density / (1 + eps * direction))
        return double.forward(medium, migration.signature(1))

    first, second = taylor_slopes(records, migration.model(direction)[1])
    assert first == pytest.approx([1, 1], abs=0.1)  # higher orders are below 10 % at these steps
    assert second == pytest.approx([2, 2], abs=0.1)


@pytest.mark.slow
def test_that_three_dimensional_images_are_adjoint_with_one_thread_and_with_two():
    grid = Grid((24, 20, 22), (20.0, 20.0, 20.0))
    velocity = np.where(grid.depth < 200, 1800.0, 2500.0)
    density = np.where(grid.depth < 200, 1500.0, 2100.0)
    survey = Survey(
        [[100.0, 200.0, 50.0], [300.0, 150.0, 50.0]], [[50.0 * i, 210.0, 30.0] for i in range(1, 9)], 10.0, 0.4
    )
    gathers = RANDOM.standard_normal((2, survey.n_samples, 8))
    scatterer = RANDOM.standard_normal(grid.shape)
    images = []
    for threads in (1, 2):
        p = Propagator(grid, survey, 2500.0, layer=8, every=1, dtype=np.float64, threads=threads)
        migration = Migration(p, velocity, density, Encoding.plain(2), Imaging())
        if threads == 1:
            assert dot_test(migration.model, migration.image, scatterer, gathers) < 1e-12
        images.append(migration.image(gathers))
    np.testing.assert_allclose(images[1], images[0], atol=1e-12 * np.abs(images[0]).max())  # sums in another order
