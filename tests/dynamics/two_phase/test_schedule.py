"""Schedules that are made to inject what was metered."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.dynamics.two_phase.model import Schedule
from seisflow.errors import InputError


def test_that_volumes_are_those_of_the_rates():
    schedule = Schedule([10.0, 20.0, 50.0], [[1.0, 0.5], [0.0, 0.0], [2.0, 0.0]])
    assert schedule.volume(0.0, 10.0) == 0.0
    assert schedule.volume(0.0, 15.0) == 1.5 * 5
    assert schedule.volume(15.0, 60.0) == 1.5 * 5 + 2.0 * 10
    assert schedule.volume(100.0, 200.0) == 200.0
    assert Schedule([0.0, 5.0], [np.inf, 1.0]).volume(0.0, 6.0) == np.inf
    assert Schedule([0.0, 5.0], [np.inf, 1.0]).volume(5.0, 6.0) == 1.0


def test_that_rates_keep_their_course_and_their_shares_within_an_interval():
    planned = Schedule([10.0, 20.0, 50.0], [[1.0, 0.5], [0.0, 0.0], [2.0, 4.0]])
    found = planned.metered([40.0, 70.0], [30.0, 60.0])
    assert [found.volume(a, b) for a, b in ((0.0, 40.0), (40.0, 70.0))] == pytest.approx([30.0, 60.0], rel=1e-14)
    # 15 m³ planned before 40 s, 120 m³ before 70 s; behind it the plan.
    expected = {
        5.0: [0.0, 0.0],
        15.0: [2.0, 1.0],
        30.0: [0.0, 0.0],
        45.0: [0.0, 0.0],
        60.0: [1.0, 2.0],
        80.0: [2.0, 4.0],
    }
    for time, rates in expected.items():
        np.testing.assert_allclose(found.rates[np.searchsorted(found.times, time, side="right") - 1], rates, rtol=1e-14)


def test_that_the_plan_itself_is_given_back():
    planned = Schedule([0.0, 20.0], [1.0, 3.0])
    found = planned.metered([30.0], [planned.volume(0.0, 30.0)])
    for a, b in ((0.0, 10.0), (10.0, 25.0), (25.0, 90.0)):
        assert found.volume(a, b) == pytest.approx(planned.volume(a, b), rel=1e-14)


def test_that_rates_left_to_a_limit_and_injection_that_was_not_planned_are_even():
    open_valve = Schedule([0.0, 20.0], [np.inf, 0.0]).metered([40.0], [10.0])
    assert open_valve.volume(0.0, 20.0) == pytest.approx(10.0, rel=1e-14)
    assert open_valve.volume(0.0, 5.0) == pytest.approx(2.5, rel=1e-14)
    shut = Schedule([0.0], [0.0]).metered([40.0, 80.0], [10.0, 0.0])
    assert shut.volume(0.0, 10.0) == pytest.approx(2.5, rel=1e-14)
    assert shut.volume(40.0, 80.0) == 0.0


@pytest.mark.parametrize(
    ("times", "volumes", "says"),
    [
        ([10.0, 20.0], [1.0, -1.0], "volumes"),
        ([10.0, 20.0], [1.0], "volumes"),
        ([10.0], [np.nan], "volumes"),
        ([0.0, 10.0], [1.0, 1.0], "volumes"),
        ([20.0, 10.0], [1.0, 1.0], "times"),
    ],
)
def test_that_wrong_readings_are_named(times, volumes, says):
    with pytest.raises(InputError, match=says):
        Schedule([0.0], [1.0]).metered(times, volumes)
