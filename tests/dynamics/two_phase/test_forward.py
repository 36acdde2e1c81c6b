"""``forward``: states, masses and histories at many times, with the real simulator behind it."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.two_phase.model import BrooksCorey, Fluids, Rock, Schedule, Source, StepControl
from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.units import DAY
from tests.dynamics.two_phase.flow_cases import BOX, CO2_DENSITY, GRID, model, permeability, start

TIMES = np.array([20.0, 35.0, 90.0]) * DAY
EVERY_FIVE_DAYS = StepControl(ends=tuple(np.arange(1, 40) * 5 * DAY))


def test_that_forward_is_advance_from_report_to_report(engine: JuliaEngine) -> None:
    dynamics = model(engine, steps=EVERY_FIVE_DAYS, fluids=Fluids(capillarity=BrooksCorey(2e4)))
    state = start(dynamics)
    told: list[tuple[int, int]] = []
    trajectory = dynamics.forward(state["permeability"], TIMES, progress=lambda *done: told.append(done))
    assert trajectory.saturation.shape == trajectory.co2_pressure.shape == (3, 3, *GRID.shape)
    assert told[-1] == (3, 3)
    assert dynamics.reports == trajectory.reports
    for t, stop in enumerate(TIMES):
        state = dynamics.advance(state, state.time, float(stop)).ensemble
        # The same steps from the same states: nothing but rounding can differ.
        np.testing.assert_allclose(trajectory.saturation[:, t], state["saturation"], atol=1e-12)
        np.testing.assert_allclose(trajectory.pressure[:, t], state["pressure"], rtol=1e-12)
        p_n = dynamics.fluids.co2_pressure(state["saturation"], state["pressure"])
        np.testing.assert_allclose(trajectory.co2_pressure[:, t], p_n, rtol=1e-12)
    np.testing.assert_array_equal(trajectory.times, TIMES)
    last = trajectory.last()
    assert last.time == TIMES[-1]
    np.testing.assert_array_equal(last["pressure"], trajectory.pressure[:, -1])


def test_that_forward_goes_on_from_a_given_state(engine: JuliaEngine) -> None:
    dynamics = model(engine, steps=EVERY_FIVE_DAYS)
    K = permeability(GRID)
    whole = dynamics.forward(K, TIMES)
    begun = dynamics.forward(K, TIMES[:1]).last()
    rest = dynamics.forward(K, TIMES[1:], start=begun)
    np.testing.assert_allclose(rest.saturation, whole.saturation[:, 1:], atol=1e-12)  # the same steps
    since = whole.co2_injected[:, 1:] - whole.co2_injected[:, :1]
    np.testing.assert_allclose(rest.co2_injected, since, rtol=1e-12)


@pytest.mark.parametrize("grid", [GRID, BOX], ids=["section", "box"])
@pytest.mark.parametrize("boundary", ["open", "closed"])
def test_that_both_phases_balance_at_every_report(engine: JuliaEngine, grid: Grid, boundary: str) -> None:
    shape = grid.shape
    rock = Rock(
        porosity=np.linspace(0.15, 0.3, grid.size).reshape(shape),
        compressibility=1e-9,
        lateral_boundary=boundary,  # type: ignore[arg-type]
        pore_volume_multiplier=np.where(np.arange(shape[-1]) == 0, 50.0, 1.0) * np.ones(shape),
    )
    fluids = Fluids(co2_density_law="linear", brine_density_law="quadratic", brine_compressibility=4e-10)
    brine = Source((0,) * grid.ndim, 0.0, [0.3, 0.0], [10 * DAY, 40 * DAY])
    schedule = Schedule([0.0, 25 * DAY], [0.002, 0.0])
    dynamics = model(engine, grid, rock=rock, fluids=fluids, sources=brine, schedule=schedule)
    state = start(dynamics)
    trajectory = dynamics.forward(state["permeability"], TIMES)
    into = {
        "co2": CO2_DENSITY * 0.002 * np.minimum(TIMES, 25 * DAY),
        "brine": 0.3 * np.clip(TIMES - 10 * DAY, 0, 30 * DAY),
    }
    before = dict(zip(("brine", "co2"), dynamics.masses(state), strict=True))
    for phase, injected in into.items():
        np.testing.assert_allclose(getattr(trajectory, f"{phase}_injected"), [injected] * 3, rtol=1e-12)
        error = getattr(trajectory, f"{phase}_error")
        # Promise of the simulator: 1e-9 per step of what the step injects (brine: rounding of 10⁶ pore volumes too).
        assert np.abs(error).max() < 1e-8 * max(injected[-1], before[phase].max())
        # Python counts the same mass from the states alone: laws, multipliers and compressible rock agree.
        for t in range(TIMES.size):
            at = Ensemble({"saturation": trajectory.saturation[:, t], "pressure": trajectory.pressure[:, t]})
            counted = dynamics.masses(at)[0 if phase == "brine" else 1]
            np.testing.assert_allclose(counted, getattr(trajectory, f"{phase}_mass")[:, t], rtol=1e-12)
            np.testing.assert_allclose(counted, before[phase] + injected[t], rtol=1e-8)
    assert trajectory.reports[0].injected_mass == pytest.approx(into["co2"][-1], rel=1e-12)
    assert trajectory.reports[0].injected_brine_mass == pytest.approx(into["brine"][-1], rel=1e-12)


def test_that_a_failed_member_has_its_reason_and_history_and_disturbs_no_other(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    K = permeability(GRID)
    good = dynamics.forward(K, TIMES)
    tight = K.copy()
    tight[1] = 1e-24
    trajectory = dynamics.forward(tight, TIMES)
    assert [report.converged for report in trajectory.reports] == [True, False, True]
    failed = trajectory.reports[1]
    assert "pressure" in failed.reason
    assert failed.final_time < TIMES[-1]
    assert len(failed.history) >= 1
    assert np.all(np.isnan(trajectory.saturation[1, -1]))
    assert np.isnan(trajectory.co2_mass[1, -1])
    for name in ("saturation", "pressure", "brine_error"):
        np.testing.assert_array_equal(getattr(trajectory, name)[[0, 2]], getattr(good, name)[[0, 2]])


def test_that_a_member_that_never_converges_tells_every_attempt(engine: JuliaEngine) -> None:
    hopeless = StepControl(initial=40 * DAY, maximum=40 * DAY, max_newton=1, max_cuts=3, tolerance_residual=1e-12)
    dynamics = model(engine, steps=hopeless)
    report = dynamics.forward(permeability(GRID, 1), [90 * DAY]).reports[0]
    assert not report.converged
    assert "no convergence" in report.reason
    assert [attempt.accepted for attempt in report.history] == [False] * 4
    lengths = [attempt.length / DAY for attempt in report.history]
    np.testing.assert_allclose(lengths, [40, 20, 10, 5])
    assert sum(attempt.newton for attempt in report.history) == report.newton_iterations


def test_that_the_history_adds_up_to_the_report(engine: JuliaEngine) -> None:
    dynamics = model(engine, steps=EVERY_FIVE_DAYS)
    for report in dynamics.forward(permeability(GRID), [92 * DAY]).reports:
        accepted = [attempt for attempt in report.history if attempt.accepted]
        assert len(accepted) == report.steps
        assert len(report.history) - len(accepted) == report.cuts
        assert sum(attempt.newton for attempt in report.history) == report.newton_iterations
        assert sum(attempt.linear for attempt in report.history) == report.linear_iterations
        ends = [attempt.time + attempt.length for attempt in accepted]
        np.testing.assert_allclose([attempt.time for attempt in accepted], [0.0, *ends[:-1]])
        if report.cuts == 0:
            np.testing.assert_allclose(ends, [*np.arange(5, 95, 5) * DAY, 92 * DAY])


def test_that_tolerances_may_differ_between_phases(engine: JuliaEngine) -> None:
    def newton(brine: float, co2: float) -> int:
        steps = StepControl(ends=EVERY_FIVE_DAYS.ends, tolerance_residual=(brine, co2), tolerance_mass=(0.1, 0.1))
        reports = model(engine, steps=steps).forward(permeability(GRID, 1), [50 * DAY]).reports
        return reports[0].newton_iterations

    loose, tight = 1e-2, 1e-9
    assert newton(loose, loose) < min(newton(tight, loose), newton(loose, tight))
    assert max(newton(tight, loose), newton(loose, tight)) <= newton(tight, tight)
