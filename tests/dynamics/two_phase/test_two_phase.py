"""The Python face of the two-phase flow simulator, with the real simulator behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import (
    BrooksCorey,
    DensityLaw,
    Fluids,
    Rock,
    Schedule,
    StepControl,
    VanGenuchten,
    Well,
)
from seisflow.ensemble import Ensemble
from seisflow.errors import SimulationError
from seisflow.grid import Grid
from seisflow.units import ATMOSPHERE, DAY, GRAVITY, YEAR
from tests.dynamics.two_phase.flow_cases import BOX, GRID, RATE, WELL, Untouched, model, start


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
    early = dynamics.advance(start(dynamics), 0.0, 20 * DAY).ensemble["saturation"]
    late = dynamics.advance(start(dynamics), 0.0, 400 * DAY).ensemble["saturation"]
    ix = GRID.locate((370.0, 1120.0))[0]
    assert np.all(early.max(axis=2).argmax(axis=1) == ix)
    depth = GRID.depth
    centre = [(field * depth).sum(axis=(1, 2)) / field.sum(axis=(1, 2)) for field in (early, late)]
    assert np.all(centre[1] < centre[0] - 5.0)  # a quarter of a cell: well above rounding, well below what happens
    assert late.min() >= 0.0
    assert late.max() <= 0.9 + 1e-6  # residual brine


@pytest.mark.parametrize("grid", [GRID, BOX], ids=["section", "box"])
@pytest.mark.parametrize("law", ["exponential", "linear", "quadratic"])
def test_that_nothing_moves_without_injection(engine: JuliaEngine, grid: Grid, law: DensityLaw) -> None:
    fluids = Fluids(brine_compressibility=5e-10, brine_density_law=law, capillarity=BrooksCorey(2e4))
    dynamics = model(engine, grid, wells=(), schedule=None, fluids=fluids)
    before = start(dynamics, 2)
    after, reports = dynamics.advance_with_report(before, 0.0, 10 * YEAR)
    assert np.all(after["saturation"] == 0.0)
    assert np.abs(after["pressure"] - before["pressure"]).max() < 1.0
    assert all(report.newton_iterations == 0 for report in reports)  # Python's start is Julia's equilibrium


def test_that_the_initial_pressure_is_atmosphere_plus_weight() -> None:
    dynamics = model(Untouched(), fluids=Fluids(brine_compressibility=0.0))  # type: ignore[arg-type]
    state = dynamics.initial_state(2)
    assert state["saturation"].shape == state["pressure"].shape == (2, *GRID.shape)
    exact = ATMOSPHERE + 1000.0 * GRAVITY * GRID.depth
    np.testing.assert_allclose(state["pressure"], np.broadcast_to(exact, (2, *GRID.shape)), rtol=1e-14)


def test_that_two_intervals_are_one(engine: JuliaEngine) -> None:
    steps = StepControl(initial=5 * DAY, maximum=5 * DAY)
    dynamics = model(engine, steps=steps)
    whole = dynamics.advance(start(dynamics), 0.0, 100 * DAY).ensemble
    half = dynamics.advance(start(dynamics), 0.0, 50 * DAY).ensemble
    half = dynamics.advance(half, 50 * DAY, 100 * DAY).ensemble
    # Equal steps; only Newton's tolerance of 1e-5 pore volumes remains.
    np.testing.assert_allclose(half["saturation"], whole["saturation"], atol=1e-4)
    np.testing.assert_allclose(half["pressure"], whole["pressure"], rtol=1e-4)


def test_that_members_do_not_depend_on_their_order_and_inputs_stay_as_they_were(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    before = start(dynamics, 4).replace(label=np.arange(4))
    copies = {name: before[name].copy() for name in before.names}
    forward = dynamics.advance(before, 0.0, 60 * DAY).ensemble
    backward = dynamics.advance(before.members([3, 2, 1, 0]), 0.0, 60 * DAY).ensemble
    np.testing.assert_array_equal(backward["saturation"][::-1], forward["saturation"])
    assert forward.names == (*before.names, "injected_mass", "well_overpressure")
    np.testing.assert_array_equal(forward["label"], np.arange(4))
    for name, copy in copies.items():
        np.testing.assert_array_equal(before[name], copy)


def test_that_a_slab_in_three_dimensions_is_the_section(engine: JuliaEngine) -> None:
    section = model(engine)
    slab_grid = Grid((12, 1, 10), (50.0, 100.0, 20.0), (100.0, 0.0, 1000.0))
    slab = model(engine, slab_grid, wells=Well((370.0, 50.0), (1120.0, 1160.0)))
    before = start(section)
    thick = Ensemble({name: before[name][:, :, None, :] for name in before.names})
    flat_after, slab_after = (m.advance(x, 0.0, 50 * DAY).ensemble for m, x in ((section, before), (slab, thick)))
    np.testing.assert_array_equal(slab_after["saturation"][:, :, 0], flat_after["saturation"])
    np.testing.assert_array_equal(slab.mass(slab_after), section.mass(flat_after))


def test_that_axes_keep_their_place_in_three_dimensions(engine: JuliaEngine) -> None:
    dynamics = model(engine, BOX)
    after = dynamics.advance(start(dynamics, 2), 0.0, 5 * DAY).ensemble
    for field in after["saturation"]:
        assert np.unravel_index(field.argmax(), BOX.shape) == (2, 3, 4)
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
    good = dynamics.advance(before, 0.0, 30 * DAY).ensemble
    assert [report.converged for report in reports] == [True, False, True]
    assert "pressure" in reports[1].reason
    assert np.all(np.isnan(after["saturation"][1]))
    assert np.all(np.isnan(after["pressure"][1]))
    np.testing.assert_array_equal(after["saturation"][[0, 2]], good["saturation"][[0, 2]])
    assert seen[-1] == (3, 3)
    failed = dynamics.advance(before.replace(permeability=tight), 0.0, 30 * DAY).failed
    assert failed == {1: reports[1].reason}
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
    a, b = (model.advance(before, 0.0, 100 * DAY).ensemble for model in (iterative, direct))
    np.testing.assert_allclose(a["saturation"], b["saturation"], atol=1e-4)  # Newton stops at 1e-5 pore volumes
    np.testing.assert_allclose(a["pressure"], b["pressure"], rtol=1e-4)


def test_that_perforations_are_the_cells_whose_centres_lie_in_the_interval() -> None:
    assert WELL.cells(GRID) == [(5, 0, 6), (5, 0, 7)]
    assert Well((370.0,), 1125.0).cells(GRID) == [(5, 0, 6)]
    assert Well(370.0, (1121.0, 1123.0)).cells(GRID) == [(5, 0, 6)]
