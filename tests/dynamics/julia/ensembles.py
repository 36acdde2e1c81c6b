"""Small ensembles in the words of ``run_case``, for tests of how they are run."""

from __future__ import annotations

from typing import Any

import numpy as np

DAY = 86400.0


def ensemble(members: int = 6, days: float = 2000.0) -> dict[str, Any]:
    """Members with random permeability that take about a tenth of a second each."""
    nx, nz = 24, 16
    rng = np.random.default_rng(7)
    permeability = np.exp(0.8 * rng.standard_normal((members, nx, nz))) * 1e-13
    pressure = np.broadcast_to(100e5 + 9.8e3 * 20.0 * np.arange(nz), permeability.shape).copy()
    return {
        "shape": np.array([nx, 1, nz]),
        "spacing": np.array([50.0, 100.0, 20.0]),
        "top": 1000.0,
        "permeability": permeability,
        "saturation": np.zeros_like(permeability),
        "pressure": pressure,
        "porosity": 0.25,
        "kv_over_kh": 0.36,
        "edge_multiplier": 1e6,
        "start": 0.0,
        "stop": days * DAY,
        "step_maximum": 10 * DAY,
        "well_cells": np.array([[5, 0, 6], [5, 0, 7]]),
        "well_of_cell": np.array([0, 0]),
        "well_radius": np.array([0.1]),
        "well_skin": np.array([0.0]),
        "well_pressure_limit": np.array([200e5]),
        "schedule_times": np.array([0.0]),
        "schedule_rates": np.array([[0.01]]),
        "report_times": np.array([days / 2, days]) * DAY,
    }


def with_slow_member(members: int, slow: int) -> dict[str, Any]:
    """Steps keep their first length: that in which a well's pores are filled. One member has hardly any; in the others the
    rock is tight. It would take years."""
    inputs = ensemble(members)
    inputs["permeability"][[m for m in range(members) if m != slow]] = 1e-22
    inputs["porosity"] = np.full_like(inputs["permeability"], 0.25)
    inputs["porosity"][slow, 5, 6:8] = 1e-9
    return inputs | {"step_growth": 1 + 1e-9, "step_maximum": 100 * DAY}


def assert_same(here: dict[str, Any], there: dict[str, Any], members: list[int] | None = None) -> None:
    """The same outputs, bit for bit, of all members or of some; but for the seconds they took."""
    assert here.keys() == there.keys()
    for key in here.keys() - {"seconds"}:
        if members is None:
            ours, theirs = here[key], there[key]
        elif key == "reason":
            ours, theirs = ([value[key].split("\n")[m] for m in members] for value in (here, there))
        elif key.startswith("history_") and key != "history_count":
            continue
        else:
            ours, theirs = here[key][members], there[key][members]
        if isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs, err_msg=key)
            assert ours.dtype == theirs.dtype
        else:
            assert ours == theirs, key
