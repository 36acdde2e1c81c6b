"""What the parts of a case do to the flow: curves, trapping, sources, pressure control, inactive cells, anisotropy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import (
    BrooksCorey,
    BrooksCoreyCurves,
    Fluids,
    Rock,
    Schedule,
    Source,
    StepControl,
    TabulatedCapillarity,
    TabulatedCurves,
    Trajectory,
    VanGenuchten,
    VanGenuchtenCurves,
    Well,
)
from seisflow.grid import Grid
from seisflow.units import BAR, DAY
from tests.dynamics.two_phase.flow_cases import BOX, BOX_WELL, CO2_DENSITY, GRID, RATE, WELL, model, permeability

TIGHT = StepControl(ends=tuple(np.arange(1, 200) * 5 * DAY), tolerance_residual=1e-9)
TIMES = np.array([20.0, 50.0]) * DAY


def assert_same(a: Trajectory, b: Trajectory, saturation: float = 1e-7, pressure: float = 10.0) -> None:
    """Equal steps and Newton's tolerance of 1e-9 pore volumes: what is left is far below 1e-7 and 10 Pa."""
    assert all(report.converged for report in (*a.reports, *b.reports))
    np.testing.assert_allclose(a.saturation, b.saturation, atol=saturation)
    np.testing.assert_allclose(a.pressure, b.pressure, atol=pressure)


@pytest.mark.parametrize(
    "fluids",
    [
        Fluids(brine_exponent=3.0, co2_endpoint=0.6, capillarity=BrooksCorey(2e4)),
        Fluids(relative_permeability=BrooksCoreyCurves(1.5), brine_endpoint=0.8),
        Fluids(relative_permeability=VanGenuchtenCurves(0.6), capillarity=VanGenuchten(1e4, 0.6)),
    ],
    ids=["corey", "brooks_corey", "van_genuchten"],
)
def test_that_a_fine_table_of_the_curves_gives_the_flow_of_the_curves(engine: JuliaEngine, fluids: Fluids) -> None:
    # The table comes from Python's formulas, the other run from Julia's: they must be the same.
    S = 0.9 * (1 - np.cos(np.linspace(0, np.pi, 1601))) / 2  # dense at the ends, where slopes are steep
    table = TabulatedCurves(S, *fluids.relative_permeabilities(S))
    tabulated = replace(fluids, relative_permeability=table)
    if fluids.capillarity is not None:
        tabulated = replace(tabulated, capillarity=TabulatedCapillarity(S, fluids.capillarity.at(S, 0.1)))
    K = permeability(GRID, 1)
    curves, tables = (model(engine, fluids=f, steps=TIGHT).forward(K, TIMES) for f in (fluids, tabulated))
    plain = model(engine, steps=TIGHT).forward(K, TIMES)
    # 1600 intervals: second order, about 1e-6 of the curves.
    assert_same(curves, tables, saturation=2e-5, pressure=200.0)
    assert np.abs(plain.saturation - curves.saturation).max() > 0.01  # the test can tell


def test_that_the_curves_end_where_they_should() -> None:
    for curves in (None, BrooksCoreyCurves(2.0), VanGenuchtenCurves(0.5)):
        fluids = Fluids(relative_permeability=curves, brine_endpoint=0.7, co2_endpoint=0.5)
        brine, co2 = fluids.relative_permeabilities(np.array([0.0, 0.1, 0.5, 0.9, 1.0]))
        np.testing.assert_allclose(brine[[0, 1, 3, 4]], [0.7, 0.7, 0.0, 0.0], atol=1e-15)
        np.testing.assert_allclose(co2[[0, 1, 3, 4]], [0.0, 0.0, 0.5, 0.5], atol=1e-15)
        assert 0 < brine[2] < 0.7
        assert 0 < co2[2] < 0.5
    # By hand at S_e = ½: λ = 2 gives k_rw = ½⁴, k_rn = ½² (1 − ½²); m = ½ gives √½ (1 − √¾)² and √½ (1 − ¼).
    half = np.array(0.5)
    np.testing.assert_allclose(BrooksCoreyCurves(2.0).values(half), [1 / 16, 3 / 16], rtol=1e-14)
    exact = [np.sqrt(0.5) * (1 - np.sqrt(0.75)) ** 2, np.sqrt(0.5) * 0.75]
    np.testing.assert_allclose(VanGenuchtenCurves(0.5).values(half), exact, rtol=1e-14)


def test_that_a_source_is_a_well_of_one_perforation(engine: JuliaEngine) -> None:
    K = permeability(GRID, 2)
    rates, times = np.array([0.01, 0.0, 0.004]), np.array([0.0, 22.0, 31.0]) * DAY
    well = model(engine, wells=Well(370.0, 1150.0), schedule=Schedule(times, rates), steps=TIGHT)
    cell = (5, 7)
    first, second = Source(cell, CO2_DENSITY * rates * [1, 1, 0.5], times=times), Source(cell, 1.4, times=times[2:])
    sources = [first, second]  # they add up, and nothing comes before a source's first time
    source = model(engine, wells=(), schedule=None, sources=sources, steps=TIGHT)
    a, b = well.forward(K, TIMES), source.forward(K, TIMES)
    assert_same(a, b)
    np.testing.assert_allclose(a.co2_injected, b.co2_injected, rtol=1e-12)
    assert b.reports[0].well_rate == ()


def test_that_an_infinite_rate_is_what_the_pressure_limit_gives(engine: JuliaEngine) -> None:
    limited = replace(WELL, pressure_limit=160 * BAR)
    controlled, huge = (
        model(engine, wells=limited, schedule=Schedule([0.0, 30 * DAY], [rate, 0.0]), steps=TIGHT)
        for rate in (np.inf, 1e3)
    )
    K = permeability(GRID, 2)
    a, b = controlled.forward(K, TIMES), huge.forward(K, TIMES)
    assert_same(a, b)
    during = controlled.forward(K, TIMES[:1])
    for report in during.reports:
        assert report.bottom_hole_pressure[0] == pytest.approx(160 * BAR, rel=1e-12)
        assert 0 < report.well_rate[0] < 1e3 * CO2_DENSITY
    np.testing.assert_allclose(a.co2_mass, a.co2_injected, rtol=1e-8)  # promised by the simulator


@pytest.mark.parametrize("grid", [GRID, BOX], ids=["section", "box"])
def test_that_inactive_cells_are_as_if_they_were_not_there(engine: JuliaEngine, grid: Grid) -> None:
    # A closed grid with its right part inactive is the closed grid of the left part alone.
    kept = 8 if grid.ndim == 2 else 5
    part = Grid((kept, *grid.shape[1:]), grid.spacing, grid.origin, grid.thickness)
    active = np.zeros(grid.shape, bool)
    active[:kept] = True
    porosity = np.where(active, 0.2, np.nan)
    rock = Rock(porosity, lateral_boundary="closed", active=active, compressibility=1e-9)
    whole = model(engine, grid, rock=rock, steps=TIGHT, schedule=Schedule([0.0], [0.2 * RATE]))
    alone = model(engine, part, rock=replace(rock, porosity=0.2, active=None), steps=TIGHT, schedule=whole.schedule)
    K = permeability(grid, 2)
    K[:, ~active] = np.nan
    a, b = whole.forward(K, TIMES), alone.forward(K[:, :kept], TIMES)
    inside = replace(a, saturation=a.saturation[:, :, :kept], pressure=a.pressure[:, :, :kept])
    assert_same(inside, b)
    before = whole.initial_state(2)
    assert np.all(a.saturation[:, :, kept:] == 0.0)
    for t in range(TIMES.size):
        np.testing.assert_array_equal(a.pressure[:, t, kept:], before["pressure"][:, kept:])
    np.testing.assert_allclose(whole.mass(a.last()), alone.mass(b.last()), rtol=1e-6)
    np.testing.assert_allclose(whole.mass(a.last()), a.co2_mass[:, -1], rtol=1e-12)
    unknown = np.where(active, a.saturation[:, -1], np.nan)
    np.testing.assert_array_equal(whole.mass(a.last().replace(saturation=unknown)), whole.mass(a.last()))
    after = whole.advance(before.replace(permeability=K), 0.0, 20 * DAY).ensemble
    np.testing.assert_array_equal(after["permeability"], K)


def test_that_what_retreats_leaves_lands_share_behind(engine: JuliaEngine) -> None:
    C, residual = 1.5, 0.05
    schedule = Schedule([0.0, 40 * DAY], [RATE, 0.0])
    times = np.array([40.0, 900.0]) * DAY
    free, trapping = (
        model(engine, fluids=Fluids(co2_residual=residual, land_coefficient=c), schedule=schedule) for c in (None, C)
    )
    K = permeability(GRID, 2)
    a, b = free.forward(K, times), trapping.forward(K, times)
    assert a.maximum_saturation is None
    assert "maximum_saturation" not in a.last()
    highest = b.maximum_saturation
    assert highest is not None
    assert np.all(highest >= b.saturation.max(axis=1))
    sigma = np.maximum(highest - residual, 0.0)
    trapped = np.minimum(highest, residual) + sigma / (1 + C * sigma)
    wet = highest > 2 * residual
    # What is trapped does not flow; expansion and Newton's tolerance (1e-5 pore volumes a step) move it a little.
    assert np.all(b.saturation[:, -1][wet] > trapped[wet] - 2e-3)
    assert np.any(a.saturation[:, -1][wet] < trapped[wet] - 0.05)  # without trapping it does flow
    np.testing.assert_allclose(b.co2_mass, b.co2_injected, rtol=1e-8)  # promised by the simulator


def test_that_the_largest_saturation_travels_with_the_ensemble(engine: JuliaEngine) -> None:
    fluids = Fluids(land_coefficient=1.5)
    dynamics = model(engine, fluids=fluids, schedule=Schedule([0.0, 40 * DAY], [RATE, 0.0]), steps=TIGHT)
    whole = dynamics.forward(permeability(GRID, 1), [300 * DAY])
    half = dynamics.forward(permeability(GRID, 1), [150 * DAY]).last().replace(permeability=permeability(GRID, 1))
    after = dynamics.advance(half, 150 * DAY, 300 * DAY).ensemble
    np.testing.assert_allclose(after["saturation"], whole.saturation[:, -1], atol=1e-9)  # the same steps
    np.testing.assert_allclose(after["maximum_saturation"], whole.maximum_saturation, atol=1e-9)
    assert np.any(half["maximum_saturation"] > half["saturation"] + 0.01)
    forgotten = dynamics.advance(half.select(["saturation", "pressure", "permeability"]), 150 * DAY, 300 * DAY).ensemble
    assert np.abs(forgotten["saturation"] - after["saturation"]).max() > 1e-3
    assert "maximum_saturation" in forgotten


def test_that_turning_the_box_turns_the_answer(engine: JuliaEngine) -> None:
    ratio = np.exp(np.random.default_rng(2).standard_normal(BOX.shape))  # K_y/K_x
    kv = np.linspace(0.1, 0.5, BOX.size).reshape(BOX.shape)
    turned_grid = Grid((5, 7, 6), (60.0, 40.0, 20.0), BOX.origin)
    x, y = BOX_WELL.position  # type: ignore[misc]
    limit = 180 * BAR  # so that the well index matters
    well = replace(BOX_WELL, pressure_limit=limit)
    dynamics = model(engine, BOX, rock=Rock(kv_over_kh=kv, ky_over_kx=ratio), wells=well, steps=TIGHT)
    rock = Rock(kv_over_kh=(kv / ratio).swapaxes(0, 1), ky_over_kx=1 / ratio.swapaxes(0, 1))
    turned = model(engine, turned_grid, rock=rock, wells=replace(well, position=(y, x)), steps=TIGHT)
    K = permeability(BOX, 1)
    a = dynamics.forward(K, TIMES)
    b = turned.forward((K * ratio).swapaxes(1, 2), TIMES)
    back = replace(b, saturation=b.saturation.swapaxes(2, 3), pressure=b.pressure.swapaxes(2, 3))
    assert_same(a, back)
    np.testing.assert_allclose(a.co2_injected, b.co2_injected, rtol=1e-7)
    isotropic = model(engine, BOX, rock=Rock(kv_over_kh=kv), wells=well, steps=TIGHT).forward(K, TIMES)
    assert np.abs(isotropic.saturation - a.saturation).max() > 0.01  # the test can tell
