"""The Python face of the two-phase flow simulator, with the real simulator behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from seisflow.dynamics.julia import JuliaEngine
from seisflow.dynamics.two_phase import (
    BrooksCorey,
    Fluids,
    Rock,
    Schedule,
    StepControl,
    TwoPhaseFlow,
    VanGenuchten,
    Well,
)
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SimulationError
from seisflow.grid import Grid
from seisflow.units import ATMOSPHERE, DAY, GRAVITY, MILLIDARCY, YEAR

GRID = Grid((12, 10), (50.0, 20.0), (100.0, 1000.0), thickness=100.0)
WELL = Well(370.0, (1120.0, 1160.0))
RATE = 0.01


@pytest.fixture(scope="module")
def engine() -> Iterator[JuliaEngine]:
    with JuliaEngine(threads=1) as running:
        yield running


def model(engine: JuliaEngine, grid: Grid = GRID, **parts: object) -> TwoPhaseFlow:
    case = {"rock": Rock(), "fluids": Fluids(), "wells": WELL, "schedule": Schedule([0.0], [RATE]), **parts}
    return TwoPhaseFlow(grid, engine=engine, **case)  # type: ignore[arg-type]


def start(dynamics: TwoPhaseFlow, members: int = 3, seed: int = 1) -> Ensemble:
    normal = np.random.default_rng(seed).standard_normal((members, *dynamics.grid.shape))
    return dynamics.initial_state(members).replace(permeability=100 * MILLIDARCY * np.exp(0.7 * normal))


class _Untouched:
    """An engine that must not be reached."""

    def call(self, *_: object) -> dict[str, object]:
        raise AssertionError("wrong input reached the engine")


def test_that_the_injected_mass_is_in_place(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    before = start(dynamics)
    after, reports = dynamics.advance_with_report(before, 0.0, 200 * DAY)
    injected = RATE * 700.0 * 200 * DAY
    assert after.time == 200 * DAY
    assert all(report.converged and report.reason == "" for report in reports)
    # Promise of the simulator: 1e-9 per step of what the step injects.
    np.testing.assert_allclose(dynamics.mass(after), injected, rtol=1e-8)
    for report in reports:
        assert report.injected_mass == pytest.approx(injected, rel=1e-12)
        assert max(abs(report.brine_error), abs(report.co2_error)) < 1e-8 * injected
        assert report.bottom_hole_pressure[0] > before["pressure"].max() > 0
    assert dynamics.reports == tuple(reports)


def test_that_the_plume_starts_at_the_well_and_rises(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    early = dynamics.advance(start(dynamics), 0.0, 20 * DAY)["saturation"]
    late = dynamics.advance(start(dynamics), 0.0, 400 * DAY)["saturation"]
    ix = GRID.locate((370.0, 1120.0))[0]
    assert np.all(early.max(axis=2).argmax(axis=1) == ix)
    depth = GRID.depth
    centre = [(field * depth).sum(axis=(1, 2)) / field.sum(axis=(1, 2)) for field in (early, late)]
    assert np.all(centre[1] < centre[0] - 5.0)  # a quarter of a cell: well above rounding, well below what happens
    assert late.min() >= 0.0
    assert late.max() <= 0.9 + 1e-6  # residual brine


def test_that_nothing_moves_without_injection(engine: JuliaEngine) -> None:
    dynamics = model(engine, wells=())
    before = start(dynamics)
    after, reports = dynamics.advance_with_report(before, 0.0, 10 * YEAR)
    assert np.all(after["saturation"] == 0.0)
    assert np.abs(after["pressure"] - before["pressure"]).max() < 1.0
    assert all(report.newton_iterations == 0 for report in reports)  # Python's start is Julia's equilibrium


def test_that_the_initial_pressure_is_atmosphere_plus_weight() -> None:
    dynamics = model(_Untouched(), fluids=Fluids(brine_compressibility=0.0))  # type: ignore[arg-type]
    state = dynamics.initial_state(2)
    assert state["saturation"].shape == state["pressure"].shape == (2, *GRID.shape)
    exact = ATMOSPHERE + 1000.0 * GRAVITY * GRID.depth
    np.testing.assert_allclose(state["pressure"], np.broadcast_to(exact, (2, *GRID.shape)), rtol=1e-14)


def test_that_two_intervals_are_one(engine: JuliaEngine) -> None:
    steps = StepControl(initial=5 * DAY, maximum=5 * DAY)
    dynamics = model(engine, steps=steps)
    whole = dynamics.advance(start(dynamics), 0.0, 100 * DAY)
    half = dynamics.advance(dynamics.advance(start(dynamics), 0.0, 50 * DAY), 50 * DAY, 100 * DAY)
    # Equal steps; only Newton's tolerance of 1e-5 pore volumes remains.
    np.testing.assert_allclose(half["saturation"], whole["saturation"], atol=1e-4)
    np.testing.assert_allclose(half["pressure"], whole["pressure"], rtol=1e-4)


def test_that_members_do_not_depend_on_their_order_and_inputs_stay_as_they_were(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    before = start(dynamics, 4).replace(label=np.arange(4))
    copies = {name: before[name].copy() for name in before.names}
    forward = dynamics.advance(before, 0.0, 60 * DAY)
    backward = dynamics.advance(before.members([3, 2, 1, 0]), 0.0, 60 * DAY)
    np.testing.assert_array_equal(backward["saturation"][::-1], forward["saturation"])
    assert forward.names == before.names
    np.testing.assert_array_equal(forward["label"], np.arange(4))
    for name, copy in copies.items():
        np.testing.assert_array_equal(before[name], copy)


def test_that_a_slab_in_three_dimensions_is_the_section(engine: JuliaEngine) -> None:
    section = model(engine)
    slab_grid = Grid((12, 1, 10), (50.0, 100.0, 20.0), (100.0, 0.0, 1000.0))
    slab = model(engine, slab_grid, wells=Well((370.0, 50.0), (1120.0, 1160.0)))
    before = start(section)
    thick = Ensemble({name: before[name][:, :, None, :] for name in before.names})
    flat_after, slab_after = section.advance(before, 0.0, 50 * DAY), slab.advance(thick, 0.0, 50 * DAY)
    np.testing.assert_array_equal(slab_after["saturation"][:, :, 0], flat_after["saturation"])
    np.testing.assert_array_equal(slab.mass(slab_after), section.mass(flat_after))


def test_that_axes_keep_their_place_in_three_dimensions(engine: JuliaEngine) -> None:
    grid = Grid((7, 5, 6), (40.0, 60.0, 20.0), (0.0, 0.0, 1000.0))
    dynamics = model(engine, grid, wells=Well((100.0, 250.0), 1090.0))
    after = dynamics.advance(start(dynamics, 2), 0.0, 5 * DAY)
    for field in after["saturation"]:
        assert np.unravel_index(field.argmax(), grid.shape) == (2, 4, 4)
    injected = RATE * 700.0 * 5 * DAY
    np.testing.assert_allclose(dynamics.mass(after), injected, rtol=1e-8)  # promised by the simulator


def test_that_the_schedule_changes_and_stops_the_rate_of_every_well(engine: JuliaEngine) -> None:
    wells = [WELL, Well(520.0, 1150.0)]
    schedule = Schedule([10 * DAY, 20 * DAY, 30 * DAY], [[0.01, 0.0], [0.002, 0.004], [0.0, 0.0]])
    dynamics = model(engine, wells=wells, schedule=schedule)
    after, reports = dynamics.advance_with_report(start(dynamics), 0.0, 60 * DAY)
    injected = 700.0 * (0.01 + 0.006) * 10 * DAY
    np.testing.assert_allclose(dynamics.mass(after), injected, rtol=1e-8)  # promised by the simulator
    assert reports[0].well_rate == (0.0, 0.0)
    assert np.all(np.isnan(reports[0].bottom_hole_pressure))


def test_that_the_pressure_limit_lowers_the_rate(engine: JuliaEngine) -> None:
    free = model(engine).advance_with_report(start(model(engine)), 0.0, 20 * DAY)[1]
    limit = 0.5 * (free[0].bottom_hole_pressure[0] + 112e5)
    limited = model(engine, wells=replace(WELL, pressure_limit=limit))
    after, reports = limited.advance_with_report(start(limited), 0.0, 20 * DAY)
    assert reports[0].bottom_hole_pressure[0] <= limit
    assert 0 < reports[0].injected_mass < 0.95 * free[0].injected_mass
    assert limited.mass(after)[0] == pytest.approx(reports[0].injected_mass, rel=1e-8)


def test_that_a_member_that_fails_is_told_and_leaves_the_others_alone(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    before = start(dynamics)
    tight = before["permeability"].copy()
    tight[1] = 1e-24
    seen: list[tuple[int, int]] = []
    after, reports = dynamics.advance_with_report(
        before.replace(permeability=tight), 0.0, 30 * DAY, lambda done, total: seen.append((done, total))
    )
    good = dynamics.advance(before, 0.0, 30 * DAY)
    assert [report.converged for report in reports] == [True, False, True]
    assert "pressure" in reports[1].reason
    assert np.all(np.isnan(after["saturation"][1]))
    assert np.all(np.isnan(after["pressure"][1]))
    np.testing.assert_array_equal(after["saturation"][[0, 2]], good["saturation"][[0, 2]])
    assert seen[-1] == (3, 3)
    with pytest.raises(SimulationError, match=r"1 of 3 members failed\.\nmember 1: pressure"):
        dynamics.advance_with_report(before.replace(permeability=tight), 0.0, 30 * DAY, raise_on_failure=True)


@pytest.mark.parametrize("capillarity", [BrooksCorey(2e4, 2.0), VanGenuchten(2e4, 0.5)])
def test_that_capillary_pressure_is_the_same_on_both_sides(
    engine: JuliaEngine, capillarity: BrooksCorey | VanGenuchten
) -> None:
    # The mass in place depends on the CO2 pressure, so on p_c: Python's formula must be Julia's.
    fluids = Fluids(capillarity=capillarity, co2_compressibility=1e-8)
    dynamics = model(engine, fluids=fluids, rock=Rock(compressibility=1e-9, lateral_boundary="closed"))
    after, reports = dynamics.advance_with_report(start(dynamics), 0.0, 30 * DAY)
    np.testing.assert_allclose(dynamics.mass(after), [r.injected_mass for r in reports], rtol=1e-8)
    without = model(engine, fluids=replace(fluids, capillarity=None), rock=dynamics.rock)
    assert not np.allclose(without.mass(after), dynamics.mass(after), rtol=1e-6)  # the test can tell


def test_that_the_direct_solver_agrees(engine: JuliaEngine) -> None:
    iterative, direct = model(engine), model(engine, steps=StepControl(solver="direct"))
    before = start(iterative)
    a, b = iterative.advance(before, 0.0, 100 * DAY), direct.advance(before, 0.0, 100 * DAY)
    np.testing.assert_allclose(a["saturation"], b["saturation"], atol=1e-4)  # Newton stops at 1e-5 pore volumes
    np.testing.assert_allclose(a["pressure"], b["pressure"], rtol=1e-4)


def test_that_perforations_are_the_cells_whose_centres_lie_in_the_interval() -> None:
    assert WELL.cells(GRID) == [(5, 0, 6), (5, 0, 7)]
    assert Well((370.0,), 1125.0).cells(GRID) == [(5, 0, 6)]
    assert Well(370.0, (1121.0, 1123.0)).cells(GRID) == [(5, 0, 6)]


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Rock(porosity=-0.1), "rock.porosity"),
        (lambda: Rock(porosity=np.array([[0.2, np.nan]])), "rock.porosity"),
        (lambda: Rock(kv_over_kh=0.0), "rock.kv_over_kh"),
        (lambda: Rock(lateral_boundary="ajar"), "rock.lateral_boundary"),  # type: ignore[arg-type]
        (lambda: Fluids(co2_density=0.0), "fluids.co2_density"),
        (lambda: Fluids(brine_viscosity=np.nan), "fluids.brine_viscosity"),
        (lambda: Fluids(brine_residual=0.6, co2_residual=0.5), "fluids.brine_residual"),
        (lambda: Fluids(brine_exponent=0.5), "fluids.brine_exponent"),
        (lambda: Well(0.0, (20.0, 10.0)), "well.depth"),
        (lambda: Well(0.0, 10.0, radius=0.0), "well.radius"),
        (lambda: Schedule([0.0, 0.0], [1.0, 1.0]), "schedule.times"),
        (lambda: Schedule([0.0, 1.0], [1.0, -1.0]), "schedule.rates"),
        (lambda: Schedule([0.0, 1.0], [1.0]), "schedule.rates"),
        (lambda: StepControl(cut=1.5), "steps.cut"),
        (lambda: StepControl(minimum=1e9), "steps.minimum"),
        (lambda: model(_Untouched(), wells=Well(5000.0, 1100.0)), "well.position"),  # type: ignore[arg-type]
        (lambda: model(_Untouched(), wells=Well(370.0, 100.0)), "well.position"),  # type: ignore[arg-type]
        (lambda: model(_Untouched(), wells=Well((1.0, 1.0), 1100.0)), "well.position"),  # type: ignore[arg-type]
        (lambda: model(_Untouched(), wells=[WELL, WELL]), "schedule.rates"),  # type: ignore[arg-type]
        (lambda: model(_Untouched(), rock=Rock(np.full((3, 3), 0.2))), "rock.porosity"),  # type: ignore[arg-type]
    ],
)
def test_that_a_wrong_case_is_refused_when_it_is_built(build, argument: str) -> None:
    with pytest.raises(InputError) as error:
        build()
    assert error.value.argument.startswith(argument)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("permeability", 0.0, "permeability"),
        ("permeability", np.nan, "permeability"),
        ("saturation", 1.01, "saturation"),
        ("saturation", -1e-3, "saturation"),
        ("pressure", np.nan, "pressure"),
    ],
)
def test_that_a_wrong_state_is_refused_before_the_engine_is_called(name: str, value: float, fault: str) -> None:
    dynamics = model(_Untouched())  # type: ignore[arg-type]
    state = start(dynamics)
    array = state[name].copy()
    array[1, 2, 3] = value
    with pytest.raises(InputError, match=r"\[1, 2, 3\]") as error:
        dynamics.advance(state.replace(**{name: array}), 0.0, DAY)
    assert fault in error.value.argument


def test_that_wrong_shapes_missing_fields_and_times_are_refused() -> None:
    dynamics = model(_Untouched())  # type: ignore[arg-type]
    state = start(dynamics)
    with pytest.raises(InputError, match="permeability"):
        dynamics.advance(dynamics.initial_state(3), 0.0, DAY)
    with pytest.raises(InputError, match=r"pressure.*shape"):
        dynamics.advance(state.replace(pressure=state["pressure"][:, :-1]), 0.0, DAY)
    with pytest.raises(InputError, match="stop"):
        dynamics.advance(state, DAY, DAY)
